"""Plots of a training: curves, tiles' widths over the steps, cycles of the units; SVG text as in `plots`."""

import numpy as np

from .plots import FAINT, IDEAL, INK, OURS, figure

__all__ = ["WIDTH_COLORS", "curves", "units", "widths"]

FLOAT, GOLDEN = "#d98e2b", IDEAL

WIDTH_COLORS = {2: "#dbe9f9", 4: "#9cc3ee", 6: "#5a97d9", 8: "#1d4f91"}
"""Of tiles, by bits."""

_STYLE = {
    "float": {"color": FLOAT, "lw": 1.6, "marker": "o", "ms": 5},
    "golden": {"color": GOLDEN, "lw": 2.2},
    "hardware": {"color": OURS, "lw": 0, "marker": "o", "ms": 3.5, "mec": "none"},
}


def curves(name, lines, what, salt):
    """Values over steps: ``lines`` {"float", "golden", "hardware": [(step, value)]}; ``what``: of the y axis.

    ``name`` is the picture's, in its title.
    """
    axes, finish = figure(2.5, f"curves-{salt}")
    for kind, points in lines.items():
        if points:
            steps, values = zip(*points, strict=True)
            axes.plot(steps, values, label=kind, **_STYLE[kind])
    axes.set_xlabel(f"training steps; {what}")
    axes.set_title(name, fontsize=10, loc="left", color=INK)
    axes.grid(axis="y", color=FAINT, alpha=0.25, lw=0.6)
    axes.legend(frameon=False, ncols=3, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0,
                labelcolor=INK)
    return finish()


def widths(history):
    """Bits of each tile over the steps: ``history`` {"steps": [..], "tensors": [[name, [[bits of a tile at
    each step]]]]}, a row a tile.
    """
    from matplotlib.colors import BoundaryNorm, ListedColormap
    from matplotlib.patches import Patch

    steps, tensors = history["steps"], history["tensors"]
    rows = np.concatenate([np.asarray(tiles) for _, tiles in tensors])
    axes, finish = figure(1.1 + 0.42 * len(tensors), "widths")
    colors = ListedColormap(list(WIDTH_COLORS.values()))
    norm = BoundaryNorm([1, 3, 5, 7, 9], colors.N)
    # Each tensor has as much room as another one, however many tiles it has.
    edges, ticks, at = [0.0], [], 0.0
    for _, tiles in tensors:
        edges += [at + (n + 1) / len(tiles) for n in range(len(tiles))]
        ticks.append(at + 0.5)
        at += 1
    wide = np.append(np.array(steps) - 0.5, steps[-1] + 0.5)
    axes.pcolormesh(wide, edges, rows, cmap=colors, norm=norm, rasterized=True)
    for line in range(1, len(tensors)):
        axes.axhline(line, color="white", lw=1.5)
    axes.set_yticks(ticks, [name for name, _ in tensors])
    axes.set_ylim(len(tensors), 0)
    axes.set_xlabel("training steps; a row a tile of 16 by 16 numbers, all tensors equally high")
    axes.legend(handles=[Patch(color=color, label=f"{bits} bits") for bits, color in WIDTH_COLORS.items()],
                frameon=False, ncols=4, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0,
                labelcolor=INK)
    return finish()


def units(shares):
    """Share of the cycles in which each unit works: [[name, share]]."""
    axes, finish = figure(0.7 + 0.36 * len(shares), "units")
    for place, (_, share) in enumerate(shares):
        axes.barh(place, 100 * share, color=OURS, height=0.6)
        axes.annotate(f"{100 * share:.1f} %", (100 * share, place), xytext=(5, 0),
                      textcoords="offset points", va="center", fontsize=9)
    axes.set_yticks(range(len(shares)), [name for name, _ in shares])
    axes.set_ylim(len(shares) - 0.4, -0.6)
    axes.set_xlim(0, 110)
    axes.set_xlabel("percent of the cycles of all training steps")
    return finish()
