"""Picture of a block on its way through the circulant engine's transforms, in integers and exact."""

from typing import NamedTuple

import numpy as np
from shiftwork.golden.circulant.arithmetic import round_shift
from shiftwork.golden.circulant.bounds import block_products, least_shift, sum_bound
from shiftwork.golden.circulant.config import PRESETS
from shiftwork.golden.circulant.lower import to_integers
from shiftwork.golden.circulant.matrix import expand
from shiftwork.golden.circulant.quantize import exponent
from shiftwork.golden.circulant.transform import forward, inverse, pack, unpack
from shiftwork.golden.circulant.transform_config import bins

from .plots import FAINT, INK, OURS, figure

__all__ = ["Panel", "panels", "spectrum"]

CONFIG = PRESETS["google-lstm"]     #: blocks of 16, vectors and weights of 12 bits
HEIGHT, GAP = 1.0, 0.75             #: of a panel, and of what is above it for its title and labels


class Panel(NamedTuple):
    """k numbers of a block: what the engine has, and what it would be without roundings."""

    name: str
    of: str                 #: what is exact
    places: tuple           #: names of the numbers
    integers: np.ndarray    #: int64 (k,)
    exact: np.ndarray       #: float64 (k,)

    @property
    def residual(self):
        """Greatest distance of an integer from the exact number."""
        return float(np.abs(self.integers - self.exact).max())

    @property
    def title(self):
        """Name, and residual where there may be one."""
        return f"{self.name}; at most {self.residual:,.1f} from {self.of}" if self.of else self.name


def panels(config=CONFIG, seed=4):
    """Panels of a random block x and a random weight, whose spectrum W is rounded as the engine stores it.

        X = rfft(x),   P = X W,   y = k / 2 ** (sum_shift + all shifts) (w circularly convolved with x)

    W is part of what is given: exact are the numbers that follow from its integers.
    """
    size, rng, limit = config.block, np.random.default_rng(seed), 1 << config.vector_width - 1
    x = rng.integers(-limit, limit, size)
    wanted = pack(np.fft.rfft(rng.normal(size=size)))
    weight = to_integers(wanted, exponent(wanted, config.weight_width), config.weight_width)
    found = forward(x, config.forward)
    product = block_products(found, weight)
    sum_shift = least_shift(sum_bound(weight[None], config).max(), config.sum_width)
    y = inverse(round_shift(product, sum_shift), config.inverse)

    scale, exact = 2.0 ** -sum(config.forward.shifts), np.fft.rfft(x)
    column = np.fft.irfft(unpack(weight), size)
    convolved = expand(column[None, None], (size, size)) @ x
    back = scale * size / 2.0 ** (sum_shift + sum(config.inverse.shifts))
    slots = ("0", str(size // 2), *(f"{part} {f}" for f in bins(size)[1:] for part in ("Re", "Im")))
    entries = tuple(map(str, range(size)))
    return [
        Panel(f"x, a block of {size} integers", "", entries, x, x.astype(float)),
        Panel("its spectrum X", "numpy.fft.rfft(x)", slots, found.reshape(-1),
              scale * pack(exact).reshape(-1)),
        Panel("product with a weight's spectrum", "the exact product", slots, product.reshape(-1),
              scale * pack(exact * unpack(weight)).reshape(-1)),
        Panel("block behind the inverse transform", "the circular convolution", entries, y,
              back * convolved),
    ]


def spectrum():
    """SVG text: the panels under one another, integers as dots, exact numbers as lines from 0."""
    shown = panels()
    size, rows = CONFIG.block, len(shown) * (HEIGHT + GAP)
    axes, finish = figure(0.9 * rows, "spectrum")
    axes.spines["bottom"].set_visible(False)
    axes.set_xlim(-0.6, size - 0.4)
    axes.set_ylim(rows, 0)
    axes.set_xticks([])
    axes.tick_params(axis="y", labelsize=8)
    labels = {}
    for number, panel in enumerate(shown):
        labels |= _draw(axes, number * (HEIGHT + GAP), panel)
    axes.set_yticks(list(labels), labels.values())
    return finish()


def _draw(axes, top, panel):
    """A panel whose title begins at ``top``; {height: label} of its scale."""
    peak = max(np.abs(panel.integers).max(), np.abs(panel.exact).max())
    step = 10 ** int(np.log10(peak))
    mark = int(peak // step) * step
    middle, unit = top + GAP - 0.2 + HEIGHT / 2, HEIGHT / 2 / peak
    place = np.arange(len(panel.places))
    axes.annotate(panel.title, (-0.5, top + 0.3), weight="bold", fontsize=9, color=INK)
    axes.axhline(middle, color=FAINT, lw=0.5)
    axes.vlines(place, middle, middle - unit * panel.exact, color=FAINT, lw=0.9)
    axes.plot(place, middle - unit * panel.integers, ls="", marker="o", ms=3.6, mec="none", color=OURS)
    for n, name in enumerate(panel.places):
        axes.annotate(name, (n, middle + HEIGHT / 2 + 0.18), ha="center", fontsize=7)
    return {middle - unit * value: f"{value:,}" for value in (-mark, 0, mark)}
