"""Pictures of signals over cycles: an addition in the three column arrays, and lists through an engine."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from shiftwork.golden.ternary.config import TernaryConfig

from .addition_bench import addition_signals
from .list_bench import CONFIG, list_network, list_signals
from .plots import FAINT, OURS, figure

__all__ = ["Lane", "addition", "addition_lanes", "list_lanes", "lists", "waveforms"]

PARALLEL = TernaryConfig(lanes=8, grid_rows=2, grid_columns=2, scatter_width=4, row_depth=32)
ARRAYS = {
    "word-parallel": PARALLEL,
    "bit-serial, carry in a latch": replace(PARALLEL, bit_serial=True),
    "bit-serial, carry written back": replace(PARALLEL, bit_serial=True, carry_write_back=True),
}
"""Parameters of each array, by the title of its picture."""

ITEM = "row", "negative", "shift", "last"
"""What of an item is shown."""

FIRST = 4    #: cycle in which the adders see a term that is offered in cycle 0


class Lane(NamedTuple):
    """A signal: what it is in each cycle, None where it does not matter; of one ``bit``, or a number."""

    name: str
    values: list
    bit: bool = False


def addition_lanes(config, a, b):
    """Lanes of column 0 of an array that adds b to a, sampled in simulation of its RTL; a list of Lane.

    From the cycle in which b is offered to one cycle after the adder's last.
    """
    found = addition_signals(config, a, b)
    end = found["ready"].index(1) + FIRST + 2
    found = {name: values[:end] for name, values in found.items()}
    offered = [Lane(name, found[name], True) for name in ("valid", "ready")]
    if not config.bit_serial:
        names = {"sum so far": "acc_0", "term": "term_0", "sum": "total_0", "snapshot": "snapshot_0"}
        return offered + [Lane(name, found[signal]) for name, signal in names.items()]
    step = {name: found[f"step4.{name}"] for name in ("index", "write_p", "write_s", "write_c")}
    works = [p or c for p, c in zip(step["write_p"], step["write_c"], strict=True)]

    def only(flags, values):
        return [value if flag else None for flag, value in zip(flags, values, strict=True)]

    def column(name, signal):
        return Lane(name, only(works, [value & 1 for value in found[f"adders.{signal}"]]), True)

    index = step["index"]
    lanes = [
        *offered, Lane("bit i", only(works, index)), column("$a_i$", "p"), column("$b_i$", "x"),
        column("$c_i$", "carry_in"), column("$s_i$", "total"), column("$c_{i+1}$", "carry"),
        Lane("row of P written", only(step["write_p"], index)),
        Lane("row of S written", only(step["write_s"], index)),
    ]
    if config.carry_write_back:
        lanes.append(Lane("row of C written", only(step["write_c"], found["adders.carries.write__addr"])))
    return lanes


def addition(a=93, b=58):
    """SVG text: a + b in each array."""
    panels = {title: addition_lanes(config, a, b) for title, config in ARRAYS.items()}
    return waveforms(panels, "addition")


COEFFICIENTS, BASIS, IMAGE = ((8, 1), (-2, 1)), ((3, -2), (5, 7)), ((1, 5, 2), (4, 3, 6))
"""Of the picture of lists: Ce and B of its filter, and the map of the image whose lane it shows."""


def list_lanes(coefficients=COEFFICIENTS, basis=BASIS, image=IMAGE, cycles=24):
    """What becomes of column 1's lists of a `list_network`, in lane 0, that of ``image``: {part: lanes}.

    Sampled in simulation of the RTL, from the cycle in which the first item is taken.
    """
    images = np.zeros((CONFIG.batch, 1, len(coefficients), len(image[0])), int)
    images[0, 0] = image
    found = list_signals(list_network(coefficients, basis, len(image[0])), images, len(coefficients[0]))
    found = {name: values[:cycles] for name, values in found.items()}

    def where(flags, values, late=0):
        """``values`` in the cycles in which ``late`` cycles before a flag was set."""
        flags = [0] * late + flags[:cycles - late]
        return [value if flag else None for flag, value in zip(flags, values, strict=True)]

    def number(values, width):
        return [value - (value >> width - 1 << width) for value in values]

    queue, lane, combiner = ({name: found[f"{part}{name}"] for name in names} for part, names in (
        ("lists.queue.o__", ("valid", "ready", *(f"payload.{name}" for name in ITEM))),
        ("unit0.array.lanes0.", ("rows.x", "acc_0", "total_0", "snapshot_0")),
        ("unit0.combiner.", ("t[0]", "coefficient", "total[0]", "combine", "finish", "write_sum"))))
    taken = [v & r for v, r in zip(queue["valid"], queue["ready"], strict=True)]
    # the steps of lane 0 are those of vector 0, the even ones of a combination
    steps = [n & 1 for n in _runs(combiner["combine"])]
    x = [value & (1 << CONFIG.activation_width) - 1 for value in lane["rows.x"]]
    return {
        "items": [Lane("taken", taken, True), Lane("row", where(taken, queue["payload.row"])), *(
            Lane(name, where(taken, queue[f"payload.{name}"]), True) for name in ITEM[1:])],
        "shift and add": [
            Lane("x", where(taken, x, 4)), Lane("accumulator", number(lane["acc_0"], CONFIG.acc_width)),
            Lane("sum", where(taken, number(lane["total_0"], CONFIG.acc_width), 4)),
            Lane("snapshot T", number(lane["snapshot_0"], CONFIG.acc_width))],
        "combination": [
            Lane("step", combiner["combine"], True),
            Lane("sum", where(steps, number(combiner["total[0]"], CONFIG.sum_width))),
            Lane("complete", where(steps, combiner["finish"]), True)],
    }


def _runs(flags):
    """For each flag its number, from 1, in a run of those that are set; 0 where it is not."""
    found = []
    for flag in flags:
        found.append((found[-1] if found else 0) + 1 if flag else 0)
    return found


def lists():
    """SVG text: two lists of a column, through shift-add and combination."""
    return waveforms(list_lanes(), "lists")


def waveforms(panels, salt):
    """SVG text of panels under one another, {title: list of Lane}; cycles stand above."""
    cycles = max(len(lane.values) for lanes in panels.values() for lane in lanes)
    rows = sum(len(lanes) + 1.2 for lanes in panels.values())
    axes, finish = figure(0.5 + 0.22 * rows, salt)
    axes.spines["bottom"].set_visible(False)
    axes.set_xlim(0, cycles)
    axes.set_ylim(rows, 0)
    axes.xaxis.tick_top()
    axes.tick_params(axis="x", length=0, labelsize=8)
    axes.tick_params(axis="y", labelsize=9)
    axes.set_xticks([n + 0.5 for n in range(cycles)], range(cycles))
    axes.vlines(range(cycles + 1), 0, rows, color=FAINT, lw=0.3, alpha=0.5)
    labels, top = {}, 0
    for title, lanes in panels.items():
        axes.annotate(title, (0, top + 0.85), weight="bold", fontsize=9)
        for place, lane in enumerate(lanes, 1):
            labels[top + place + 0.6] = lane.name
            (_draw_bit if lane.bit else _draw_number)(axes, top + place + 0.2, lane.values)
        top += len(lanes) + 1.2
    axes.set_yticks(list(labels), labels.values())
    return finish()


def _draw_bit(axes, top, values):
    """A step curve, faint in the middle where the value does not matter, and each value."""
    points, idle = [], []
    for n, value in enumerate(values):
        if value is None:
            idle += [(n, top + 0.4), (n + 1, top + 0.4), (n + 1, None)]
            continue
        level = top + 0.75 - 0.7 * value
        points += [(n, level), (n + 1, level)]
        if values[n + 1:n + 2] == [None]:
            points.append((n + 1, None))
        axes.annotate(value, (n + 0.5, top + 0.4), ha="center", va="center", fontsize=6.5)
    _draw(axes, points, color=OURS, lw=1.1)
    _draw(axes, idle, color=FAINT, lw=0.6)


def _draw_number(axes, top, values):
    """A box with the value over all cycles that have it."""
    start, points, idle = 0, [], []
    for n in range(1, len(values) + 1):
        if n < len(values) and values[n] == values[start]:
            continue
        if values[start] is None:
            idle += [(start, top + 0.4), (n, top + 0.4), (n, None)]
        else:
            ends = (start, start + 0.12, n - 0.12, n, n - 0.12, start + 0.12, start)
            points += [*zip(ends, [top + y for y in (0.4, 0.05, 0.05, 0.4, 0.75, 0.75, 0.4)], strict=True),
                       (n, None)]
            axes.annotate(values[start], ((start + n) / 2, top + 0.4), ha="center", va="center", fontsize=6.5)
        start = n
    _draw(axes, points, color=OURS, lw=1.1)
    _draw(axes, idle, color=FAINT, lw=0.6)


def _draw(axes, points, **style):
    """One curve through ``points``, interrupted at each whose height is None."""
    if points:
        x, y = zip(*points, strict=True)
        axes.plot(x, [float("nan") if level is None else level for level in y], **style)
