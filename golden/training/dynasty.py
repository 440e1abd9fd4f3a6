"""Dynamic precision, block by block, after DYNASTY's idea (arXiv:2210.17047): which tile has how many bits.

The paper's formulas are not public; all rules here are ours (docs/decisions/0022-integer-training.md).
"""

from dataclasses import dataclass, field, fields

import numpy as np

from .arithmetic import bit_length
from .precision_control import Controller
from .quantize import Scaled
from .tile_cost import BRICKS, layer_steps
from .tiles import WIDTHS, as_tiles, kernel_shape, magnitude_bits, round_tiles, tile_sums

__all__ = ["DynastySettings", "Precision", "WidthMap", "wanted_widths"]


@dataclass(frozen=True, kw_only=True)
class DynastySettings:
    """Raises ValueError with a sentence that names the setting, what it must be and what it was."""

    interval: int = 8       #: maps and tolerance change each so many steps; 0: never
    hold: int = 2           #: times in a row that fewer bits must be enough before a tile gets fewer
    start: int = 4          #: tolerance at first; tiles begin with 8 - start bits, the next even number
    limit: int = 4          #: greatest tolerance, in bits
    reach: int = 2          #: bits by which importance makes tiles of one tensor differ at most

    def __post_init__(self):
        for f in fields(self):
            if type(getattr(self, f.name)) is not int:
                raise ValueError(f"{f.name} must be an integer, not {getattr(self, f.name)!r}")
        for name, least, most in (("interval", 0, 1024), ("hold", 1, 16), ("start", 0, self.limit),
                                  ("limit", 0, 6), ("reach", 0, 6)):
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} must be between {least} and {most}, not {getattr(self, name)}")


def wanted_widths(lengths, importance, tolerance, reach, signed):
    """The least of 2, 4, 6, 8 bits at which each tile of a tensor loses no more than it may, int64.

        max(0, lengths - B) <= max(0, max lengths - B8 + tolerance) + min(reach, max importance - importance)

    ``lengths``: bit length of a tile's greatest number; B: bits of magnitude of a width, B8 those of 8 bits.
    Without tolerance a tile loses what 8 bits of one grid for the whole tensor would lose. ``importance``:
    bit length of the sum of the gradients' magnitudes in the tile. A change of the tile's numbers by up to
    half a step changes the loss, to first order, by up to half a step times that sum: a gradient half as
    great pays for a step twice as great. Signed numbers have 4 bits at least: of 2 only a sign and one step
    would be left.
    """
    most = lengths.max(initial=0) - magnitude_bits(WIDTHS[-1], signed) + tolerance
    allowed = max(most, 0) + np.minimum(importance.max(initial=0) - importance, reach)
    found = np.full(lengths.shape, WIDTHS[-1], np.int64)
    for width in (6, 4) if signed else (6, 4, 2):
        enough = np.maximum(lengths - magnitude_bits(width, signed), 0) <= allowed
        found = np.where(enough, width, found)
    return found


@dataclass(eq=False)
class WidthMap:
    """Widths of a tensor's tiles: more bits at once, two fewer after ``hold`` wishes in a row."""

    widths: np.ndarray
    hold: int

    def __post_init__(self):
        self._wishes = np.zeros(self.widths.shape, np.int64)

    def follow(self, wanted):
        self._wishes = np.where(wanted < self.widths, self._wishes + 1, 0)
        fewer = self._wishes >= self.hold
        self.widths = np.where(wanted > self.widths, wanted, self.widths - 2 * fewer)
        self._wishes[fewer] = 0


@dataclass(eq=False)
class Precision:
    """Widths of the operands of all products of ``net`` (IntegerNetwork), learned from what a training step
    computes anyway.

    ``steps`` and ``full`` count bricks' steps so far, and how many 8 bits throughout take: `speedup`.
    """

    net: object
    settings: DynastySettings = field(default_factory=DynastySettings)

    def __post_init__(self):
        self.controller = Controller(self.settings.start, self.settings.limit)
        self.maps, self.steps, self.full, self._number = {}, 0, 0, 0
        self._rate_bits = 0
        self._rounded, self._lengths, self._layers = {}, {}, {}
        self._block = self.net.config.block

    @property
    def speedup(self):
        return self.full / self.steps

    def mean_widths(self):
        """{tensor: mean of its tiles' widths}."""
        return {name: float(found.widths.mean()) for name, found in self.maps.items()}

    def operands(self, product, node, tensors):
        """Integers of ``tensors`` (two of "x", "weight", "error": Scaled), rounded to their tiles' widths."""
        names, kernel, products = self._layer(node)
        products.add(product)
        return [self._operand(names[kind], kind, tensor.integers, kernel) for kind, tensor in tensors.items()]

    def stored_error(self, node, error, random):
        """``error`` (Scaled) at the output of ``node``, rounded at random to its tiles' widths."""
        names, kernel, _ = self._layer(node)
        return Scaled(self._operand(names["error"], "error", error.integers, kernel, random), error.exponent)

    def _layer(self, node):
        if node.name not in self._layers:
            names = {"x": node.sources[0], "weight": node.inputs[1], "error": f"E2 {node.outputs[0]}"}
            self._layers[node.name] = node, names, kernel_shape(self.net.network, node), set()
        return self._layers[node.name][1:]

    def _operand(self, name, kind, integers, kernel, random=None):
        # A tensor is an operand of up to two products in a step; it is rounded once, when it is stored.
        if name not in self._rounded:
            weight, signed, block = kind == "weight", kind != "x", self._block
            whole = self._shaped(kind, integers, kernel)
            if name not in self.maps:
                tiles = as_tiles(whole, block, weight).shape
                shape = (tiles[0], tiles[2], tiles[3] if weight else 1)
                first = WIDTHS[-1] - self.settings.start // 2 * 2
                self.maps[name] = WidthMap(np.full(shape, first, np.int64), self.settings.hold)
            found, lengths = round_tiles(whole, self.maps[name].widths, block, signed=signed, weight=weight,
                                         random=random)
            self._rounded[name] = found.reshape(integers.shape)
            # Of all images the greatest: they share a width.
            self._lengths[name] = kind, kernel, lengths if weight else lengths.max(axis=2, keepdims=True)
        return self._rounded[name]

    @staticmethod
    def _shaped(kind, integers, kernel):
        """What a Gemm has flattened in the shape of a map: (C, H, W, N), weights (M, C, R, S)."""
        if kind == "weight":
            return integers.reshape(kernel)
        return integers.reshape(*kernel[1:], -1) if kind == "x" and integers.ndim == 2 else integers

    def _importance(self, error, kernel):
        """Bit lengths of the sums of an activation's ``error`` (Scaled) in each tile, over all images."""
        tiles = as_tiles(self._shaped("x", error.integers, kernel), self._block)
        return bit_length(tile_sums(tiles).sum(axis=2, keepdims=True))

    def learn(self, tensors, batch, rate):
        """After a step with a learning ``rate``, an integer: counts its time; each ``interval`` steps moves
        the tolerance and the maps.
        """
        self._count(tensors, batch)
        self._rate_bits = max(self._rate_bits, rate.bit_length())
        spent = max(self._rate_bits - rate.bit_length() - 1, 0)
        self.controller.see(tensors["miss"] // batch)
        self._number += 1
        if self.settings.interval and self._number % self.settings.interval == 0:
            self.controller.move()
            for name, (kind, kernel, lengths) in self._lengths.items():
                error, tolerance = tensors.get(f"error {name}"), max(self.controller.tolerance - spent, 0)
                # Of an activation behind a Relu.
                importance = (np.zeros(lengths.shape, np.int64) if error is None
                              else self._importance(error, kernel))
                self.maps[name].follow(wanted_widths(lengths, importance, tolerance, self.settings.reach,
                                                     signed=kind != "x"))
        self._rounded, self._lengths = {}, {}

    def _count(self, tensors, batch):
        groups = -(-batch // self._block)
        for node, names, kernel, products in self._layers.values():
            x, weight, error = (self.maps[names[kind]].widths for kind in ("x", "weight", "error"))
            size = tensors[names["x"]].integers.shape[1:-1] or kernel[2:]
            outputs = tensors[names["error"]].integers.shape[1:-1] or (1, 1)
            steps, pairs = layer_steps(node, x.reshape(len(x), *size), weight,
                                       error.reshape(len(error), *outputs), kernel[2:])
            self.steps += groups * sum(steps[product] for product in products)
            self.full += groups * pairs * BRICKS * len(products)
