"""What the commands do: the steps of the flow with progress around them and a summary behind."""

import shutil
import sys
from pathlib import Path

import numpy as np

from . import build as folders
from .engines import engine
from .errors import FlowError, choose
from .inputs import read_array, write_array
from .progress import Stages

__all__ = ["generate", "build", "run", "verify", "synth", "report", "differences", "SIMULATORS"]

SIMULATORS = ("verilator", "icarus", "compiled")


def _summary(path):
    """Says on standard output what the build folder at ``path`` holds."""
    folder, module, program = folders.loaded(path)
    manifest = folder.manifest
    config = ", ".join(f"{k} {v}" for k, v in list(manifest["config"].items())[:3])
    print(f"{path}: {manifest['engine']} engine, {config}")
    lines = folder.file(f"rtl/{module.TOP}.v").read_text().count("\n")
    print(f"  rtl/{module.TOP}.v   {lines:,} lines, module {module.TOP}")
    network = manifest["network"]
    weights = sum(layer["weights"] for layer in network["layers"])
    zero = sum(layer["zero_share"] * layer["weights"] for layer in network["layers"]) / weights
    print(
        f"  program/program.bin   {len(program.to_words()):,} words: {len(network['layers'])} layers, "
        f"{100 * zero:.1f} % {module.WORDS.saved}"
    )
    cycles = ", ".join(f"{name} {found[0]:,}" for name, found in manifest["cycles"].items())
    print(
        f"  vectors/   {len(np.load(folder.file('vectors/input.npy')))} inputs; predicted cycles of a batch: "
        f"{cycles or 'none'}"
    )
    print(f"  next: shiftwork verify {path}")


def generate(name, config, output):
    """`shiftwork generate`."""
    with Stages() as stages, stages.stage("Generating") as stage:
        folders.generate(name, config, output, stage.note)
    _summary(output)


def build(network, name, config, output, calibrate=None, **options):
    """`shiftwork build`."""
    loaded = engine(name).read(network)
    calibration = None if calibrate is None else read_array(calibrate)
    with Stages() as stages, stages.stage("Building") as stage:
        folders.build(loaded, name, config, output, calibration, stage.note, options=options)
    _summary(output)


def differences(found, expected):
    """Sentences on where two `Results` differ; none where they are equal."""
    said = []
    for what in ("values", "load_cycles", "run_cycles"):
        a, b = getattr(found, what), getattr(expected, what)
        if b is None:
            continue
        if a.shape != b.shape:
            said.append(f"{what} must have shape {b.shape}, not {a.shape}")
        elif not np.array_equal(a, b):
            at = tuple(int(v) for v in np.argwhere(a != b)[0])
            said.append(
                f"{what} must be the golden model's, but {np.count_nonzero(a != b)} of {a.size} differ, "
                f"first at {at}: {a[at]}, not {b[at]}"
            )
    return said


def run(path, inputs, output, real=False, check=False):
    """`shiftwork run`; the exit code."""
    folder, module, program = folders.loaded(path)
    x = module.inputs(program, read_array(inputs))
    with Stages() as stages:
        with stages.stage("Simulating") as stage:
            found = module.simulate(
                program, x, folder.file(f"rtl/{module.TOP}.v"), folders.cache(), stage.update, stage.note
            )
        if check:
            with stages.stage("Golden model") as stage:
                said = differences(found, module.golden(program, x, stage.update))
            for line in said:
                print(f"difference: {line}", file=sys.stderr)
            if said:
                return 1
    values = found.values * program.metadata["output_scale"] if real else found.values
    write_array(output, values)
    print(
        f"{output}: {values.shape} {values.dtype}, {'real values' if real else 'integers'} of scale "
        f"{program.metadata['output_scale']:.6g}"
    )
    print(
        f"  {len(found.run_cycles)} batches of {program.metadata['images']}, cycles of a batch: load "
        f"{found.load_cycles.max():,}, run {found.run_cycles.max():,}; simulated at "
        f"{found.rate / 1e6:.2f} million a second"
    )
    if check:
        print("  every bit and cycle as the golden model says")
    return 0


def verify(path, simulator=None):
    """`shiftwork verify`; the exit code."""
    if simulator is not None:
        choose("Simulator", simulator, SIMULATORS)
    folder, module, program = folders.loaded(path)
    x, expected = (np.load(folder.file(name)) for name in folders.VECTORS)
    work = folders.cache() / "verify" / folder.manifest["sha256"][:16]
    with Stages() as stages, stages.stage("Verifying") as stage:
        stage.note(f"golden model and {simulator or 'cocotb'}")
        if not np.array_equal(module.golden(program, x).values, expected):
            raise FlowError(
                f"{path / folders.VECTORS[1]} must be what the golden model says of the "
                "program, not otherwise"
            )
        try:
            found = module.verify(folder.file(f"rtl/{module.TOP}.v").read_text(), program, x, work, simulator)
        except AssertionError as error:
            print(f"difference: {error}", file=sys.stderr)
            return 1
    shutil.rmtree(work, ignore_errors=True)
    kept = {k: v for k, v in found.items() if k != "cycles_per_second" and v is not None}
    with folder.edit() as changed:
        changed.manifest["results"]["verify"] = changed.manifest["results"].get("verify", {}) | {
            simulator or "cocotb": kept
        }
    print(
        f"{path}: "
        + ", ".join(f"{k} {v:,}" if isinstance(v, int) else f"{k} {v}" for k, v in kept.items())
        + ": every bit and cycle as the golden model says"
    )
    return 0


def synth(path, target):
    """`shiftwork synth`."""
    from .synthesis import TARGETS, implement

    choose("Target", target, TARGETS)
    folder, module, program = folders.loaded(path)
    with Stages() as stages, stages.stage(f"Synthesis for {target}") as stage:
        result, files = implement(module, program.config, target, stage.note)
    with folder.edit() as changed:
        for name, data in files.items():
            changed.write(f"synth/{target}/{name}", data)
        changed.manifest["results"].setdefault("synth", {})[target] = result
    for row in result["resources"]:
        print(f"  {row['name']:12} {row['used']:7,} of {row['available']:,}")
    print(f"  {'clock':12} {result['fmax_mhz']:.2f} MHz")
    for name in files:
        print(f"  synth/{target}/{name}")


def report(path):
    """`shiftwork report`."""
    from .gather import results_of

    path = Path(path)
    from .report import render

    write = render(results_of(path))
    beside = path / ".report.part"
    beside.write_text(write)
    beside.replace(path / "report.html")
    print(f"{path / 'report.html'}: {len(write) // 1024} KiB, self-contained")
