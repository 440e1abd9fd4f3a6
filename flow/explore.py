"""`shiftwork explore circulant`: cell and block size, then engines for a device, as the papers' two phases.

Phase II tries what phase I has left with all numbers of rows that the device has multipliers for, and all
numbers of bits whose loss is known. Each number of rows takes an encoding of its own, anywhere: in a process
of this machine or on a cluster.
"""

import json
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, fields
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from shiftwork.golden.circulant.config import CirculantConfig
from shiftwork.golden.circulant.explore import (
    BLOCKS,
    NETWORKS,
    Losses,
    as_cell,
    best,
    candidates,
    pareto,
    phase_one,
    proposal,
    rows_within,
    segment_bits,
)
from shiftwork.golden.circulant.files import load
from shiftwork.golden.circulant.resources import DEVICES, LOGIC

from . import artifacts
from .errors import FlowError, choose
from .progress import Stages

__all__ = ["RECIPES", "explore"]

RECIPES = ("rows", "spoken")
"""Recipes whose losses `--losses` may ask for."""


def _losses(text, stages):
    """The Losses that --losses asks for: a file's, or those of a recipe, which is trained; None without."""
    if text is None:
        return None
    if text in RECIPES:
        return _trained(text, stages)
    path = Path(text)
    if not path.is_file():
        raise FlowError(f"Losses {text} must be a JSON file or one of {', '.join(RECIPES)}, not absent")
    try:
        found = json.loads(path.read_text())
    except ValueError:
        raise FlowError(f"Losses {path} must be a JSON file, not something else") from None
    return Losses.read(found)


def _trained(name, stages):
    """Losses of a recipe's network by block size, points of its held-out part, one seed."""
    from . import recipes_circulant

    with stages.stage(f"Training, {name}") as stage:
        found = getattr(recipes_circulant, f"train_{name}")(
            0, lambda part, epoch, epochs, loss: stage.note(f"{part}, loss {loss:.3f}"), sizes=BLOCKS[1:4])
    return Losses(block={"gru": {size: round(100 * (found.accuracy - accuracy), 2)
                                 for size, accuracy in found.accuracies.items()}})


def _layers(text):
    """The layers that --network names, or those of a file."""
    if text in NETWORKS:
        return NETWORKS[text]
    if not Path(text).is_file():
        raise FlowError(f"Network must be one of {', '.join(NETWORKS)}, or a file, not {text!r}")
    return load(text).layers


@contextmanager
def executor(cluster):
    """An executor on all cores, or on the Dask cluster whose scheduler has the address ``cluster``."""
    if cluster is None:
        with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
            yield pool
        return
    try:
        from distributed import Client
    except ImportError:
        raise FlowError("--cluster must have Dask installed (pip install 'shiftwork[dask]'), "
                        "and it is missing") from None
    try:
        client = Client(cluster, timeout=10)
    except (OSError, ValueError) as error:
        raise FlowError(f"--cluster must be the address of a Dask scheduler that answers, "
                        f"not {cluster!r} ({error})") from None
    with client:
        yield client.get_executor()


def _second(layers, choices, device, bits, error, pool, update):
    """All candidates of phase II."""
    jobs = [pool.submit(partial(candidates, as_cell(layers, choice.cell), choice=choice, rows=rows, bits=bits,
                                device=device, most_error=error, logic=LOGIC))
            for choice in choices for rows in rows_within(choice.block, device)]
    found = []
    for done, job in enumerate(jobs, 1):
        found += job.result()
        update(done, len(jobs))
    return found


def explore(target, network, output, *, losses=None, most_loss=None, memory_kibit=None, blocks=None,
            error=0.01, cluster=None):
    """The command. ``memory_kibit``: kibibits for weights, None: those of all block RAMs of ``target``;
    ``blocks``: the block sizes that come into question, None: all.
    """
    device, layers, output = choose("Target", target, DEVICES), _layers(network), Path(output)
    for block in blocks or ():
        if block not in BLOCKS:
            raise FlowError(f"Block size must be one of {', '.join(map(str, BLOCKS))}, not {block}")
    if most_loss is not None and losses is None:
        raise FlowError("--max-loss must come with --losses, not without it")
    if output.exists() and not (output / "explore.json").is_file() and (
            output.is_file() or any(output.iterdir())):
        raise FlowError(f"Output {output} must be a new folder or one of an exploration before, "
                        "not something else")
    segment_bits(error)
    block_ram = device.rams * max(words * bits for words, bits in device.shapes)
    memory_bits = 1024 * memory_kibit if memory_kibit is not None else block_ram
    with Stages() as stages:
        known = _losses(losses, stages)
        choices = phase_one(layers, known, memory_bits=memory_bits, most_loss=most_loss,
                            blocks=blocks or BLOCKS)
        proposed = proposal(choices)
        print(_first_table(choices, proposed))
        if proposed is None:
            raise FlowError(f"Cell and block size must fit {memory_bits // 1024:,} kibibits of weights"
                            + (f" and lose at most {most_loss:g} points" if most_loss is not None else "")
                            + ", and none does")
        good = [one for one in choices if one.fits and one.accurate]
        bits = known.bits if known and known.bits else {12: 0.0}
        with stages.stage("Engines") as stage, executor(cluster) as pool:
            found = _second(layers, good, device, bits, error, pool, stage.update)
    if most_loss is not None:
        found = [one for one in found if one.loss <= most_loss]
    front, chosen = pareto([one for one in found if one.fits]), best(found)
    if chosen is None:
        raise FlowError(f"Engine must fit {target}, and none of {len(found)} does")
    print(f"\n{len(front)} of {len(found)} engines fit and are beaten by no other:\n"
          + _second_table(front, device))
    _write(output, target, network, choices, found, front, chosen, device)
    print(f"\nfastest: {_settings(chosen.config)}\n{output}/explore.json, {output}/pareto.svg")


def _settings(config):
    """What makes ``config`` on the command line."""
    plain = CirculantConfig()
    changed = [(f.name, getattr(config, f.name)) for f in fields(config)
               if getattr(config, f.name) != getattr(plain, f.name)]
    return "shiftwork generate circulant " + " ".join(f"--set {name}={value}" for name, value in changed)


def _table(head, rows):
    """Columns of equal width, numbers to the right."""
    cells = [head, *rows]
    widths = [max(len(row[n]) for row in cells) for n in range(len(head))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
                     for row in cells)


def _first_table(choices, chosen):
    rows = [[one.cell, str(one.block), f"{one.weights:,}", f"{one.memory_bits / 1024:,.0f}",
             f"{one.multiplications:,}", "" if one.loss is None else f"{one.loss:.2f}",
             "yes" if one.fits else "no", "yes" if one.accurate else "no", "<-" if one is chosen else ""]
            for one in choices]
    return _table(["cell", "k", "weights", "Kibit", "multiplications", "loss", "fits", "accurate", ""], rows)


def _second_table(front, device):
    rows = [[one.choice.cell, str(one.config.block), str(one.config.rows), str(one.config.weight_width),
             f"{one.cycles:,}", f"{one.cycles / device.clock:,.1f}", f"{one.resources.multipliers:,}",
             f"{one.resources.rams:,}", f"{one.resources.luts:,}",
             f"{one.loss:.2f}" if one.choice.loss is not None else ""] for one in front]
    return _table(["cell", "k", "rows", "bits", "cycles", f"us at {device.clock:g} MHz", "multipliers",
                   "block RAM", "logic", "loss"], rows)


def _write(folder, target, network, choices, found, front, chosen, device):
    """explore.json and pareto.svg, whole or not at all."""
    from .explore_plot import front as picture

    listed = [asdict(one) | {"pareto": one in front, "chosen": one == chosen} for one in found]
    with artifacts.replaced(folder) as beside:
        (beside / "explore.json").write_text(json.dumps(
            {"target": target, "network": str(network), "phase1": [asdict(one) for one in choices],
             "phase2": listed}, indent=1, sort_keys=True) + "\n")
        (beside / "pareto.svg").write_text(picture([one for one in found if one.fits], front, chosen, device))
