"""Pictures of signals over cycles, and the one of an addition in the three column arrays."""

from dataclasses import replace
from typing import NamedTuple

from shiftwork.golden.ternary.config import TernaryConfig

from .addition_bench import addition_signals
from .plots import FAINT, OURS, figure

__all__ = ["Lane", "addition", "addition_lanes", "waveforms"]

PARALLEL = TernaryConfig(lanes=8, grid_rows=2, grid_columns=2, scatter_width=4, row_depth=32)
ARRAYS = {
    "word-parallel": PARALLEL,
    "bit-serial, carry in a latch": replace(PARALLEL, bit_serial=True),
    "bit-serial, carry written back": replace(PARALLEL, bit_serial=True, carry_write_back=True),
}
"""Parameters of each array, by the title of its picture."""

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
