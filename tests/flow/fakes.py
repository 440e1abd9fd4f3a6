"""What tests of the flow share: results as a demo yields them, made up; what a command that fails says."""

from dataclasses import asdict

import numpy as np
import pytest
from shiftwork.flow import ternary
from shiftwork.flow.cli import main


def results(seeds=3, images=40):
    """A dict of results for `shiftwork.flow.report.render`."""
    rng = np.random.default_rng(7)
    layers = [
        {
            "name": "conv1",
            "kind": "conv",
            "weights": 144,
            "zero_share": 0.61,
            "dense": 576,
            "cycles": 402,
            "ideal": 224,
        },
        {
            "name": "conv2",
            "kind": "conv",
            "weights": 4608,
            "zero_share": 0.602,
            "dense": 18432,
            "cycles": 7405,
            "ideal": 7336,
        },
        {
            "name": "logits",
            "kind": "dense",
            "weights": 5120,
            "zero_share": 0.6,
            "dense": 2048,
            "cycles": 1190,
            "ideal": 128,
        },
    ]
    memory = [
        {"name": "row memory", "bits": 512 * 512, "used": 300 * 512},
        {"name": "weights", "bits": 2048 * 128, "used": 590 * 128},
        {"name": "table", "bits": 512 * 36, "used": 138 * 36},
        {"name": "vector memory", "bits": 1024 * 32, "used": 512 * 32},
    ]

    def board(name, fmax, clock, available):
        return {
            "name": name,
            "summary": f"64 lanes on {name}.",
            "layers": layers,
            "memory": memory,
            "resources": [
                {"name": "logic", "used": 7012, "available": available},
                {"name": "block RAM", "used": 22, "available": 208},
            ],
            "fmax_mhz": fmax,
            "clock_mhz": clock,
            "numbers": [["run", 8997, "cycles"], ["accumulator", 20, "bits"], ["exact", True, ""]],
        }

    return {
        "title": "Handwritten digits on a ternary engine",
        "words": asdict(ternary.WORDS),
        "lead": "Trained, compressed, verified, placed and routed.",
        "figures": [("hardware accuracy", "98.13 %"), ("outputs compared", "5,000"), ("different", "0")],
        "accuracy": {
            "seeds": list(range(seeds)),
            "float": [0.99, 0.988, 0.992][:seeds],
            "compressed": [0.984, 0.982, 0.986][:seeds],
            "hardware": [0.982, 0.982, 0.984][:seeds],
        },
        "engines": [board("ULX3S 85F", 104.2, 50.0, 83640), board("iCEBreaker", 25.1, 24.0, 5280)],
        "images": [
            {"pixels": rng.random((8, 8)).round(3).tolist(), "label": n % 10, "said": 3 if n < 4 else n % 10}
            for n in range(images)
        ],
        "versions": {"numpy": "2.0"},
    }


def refused(capsys, *arguments):
    """The sentence of an expected failure."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    last = err.strip().splitlines()[-1]
    assert ended.value.code == 2 and out == "" and last.startswith("error: ") and "Traceback" not in err, err
    return last.removeprefix("error: ")
