"""From a float network of block-circulant matrices to integers: units, rounding, shifts.

Vectors are integers of V bits times 2 ** e, weights' spectra integers of ``weight_width`` bits times 2 ** e.
Products that meet in one sum have one unit: e(x) + e(W) = e(y') + e(R). A cell's outputs are within +-1, so
that e(y) = 1 - V (at least -14); those of a projection, and x, within a range that is given.
"""

import numpy as np

from .bounds import least_shift, sum_bound
from .cells import MATRICES, Lstm, dense_matrices
from .config import ACT_FRACTION, PRE_FRACTION, PRE_WIDTH
from .integer_network import IntegerLayer, IntegerNetwork, Product, Vector, gates, plans
from .layers import layer_forward
from .quantize import TRIED
from .transform import pack

__all__ = ["lower", "ranges", "to_integers"]

_COARSER = 6
"""Exponents of weights that are tried above the one that covers the greatest."""

_UNITS = 3
"""Units of y that are tried, from the finest one that holds -1 .. 1."""


def to_integers(values, exponent, bits):
    """Integers nearest to ``values`` / 2 ** exponent (ties to even), limited to ``bits`` bits, int64."""
    limit = 1 << bits - 1
    return np.clip(np.rint(np.ldexp(values, -exponent)), -limit, limit - 1).astype(np.int64)


def _covering(values, bits):
    """Least e with all magnitudes at most 2 ** e * 2 ** (bits - 1); of zeros, as of 1."""
    greatest = float(np.abs(values).max(initial=0.0)) or 1.0
    return int(np.ceil(np.log2(greatest))) - (bits - 1)


def ranges(network, sequences):
    """Greatest magnitudes of x and of each layer's y in ``sequences``, as `lower` takes them."""
    y = sequences.x.swapaxes(0, 1)
    found = [float(np.abs(sequences[np.arange(len(sequences))].x).max())]
    for number, layer in enumerate(network.layers):
        y, _, _ = layer_forward(layer, network.parts(number, network.arrays), y, sequences.lengths)
        found.append(float(np.abs(y).max()))
    return tuple(found)


def _spectra(array):
    """Slots (..., h, 2) of first columns (..., k), float64."""
    return pack(np.fft.rfft(array.astype(np.float64)))


class _Lowering:
    """A layer's way to integers; ``name`` is that in messages."""

    def __init__(self, name, cell, arrays, config, exponents):
        self.name, self.cell, self.config, self.exponents = name, cell, config, exponents
        self._check(arrays)
        self.spectra = {part: _spectra(arrays[part]) for part in MATRICES if part in arrays}
        self.vectors = self._vectors(arrays)

    def _check(self, arrays):
        size = self.config.block
        for what in ("hidden", "outputs"):
            if getattr(self.cell, what) % size:
                raise ValueError(f"{what} of {self.name} must be a multiple of the block size {size}, "
                                 f"not {getattr(self.cell, what)}")
        for part in MATRICES:
            if part in arrays and (arrays[part].ndim != 4 or arrays[part].shape[-1] != size):
                raise ValueError(f"array {part} of {self.name} must be first columns of blocks of {size}, "
                                 f"not of shape {arrays[part].shape}")

    def _vectors(self, arrays):
        """{"bias", "peephole": int64 (gates, hidden)}, {"recurrent_bias": (hidden,)}, in units of 2^-12."""
        cell = self.cell
        found = {"bias": np.array(arrays["bias"], np.float64).reshape(cell.gates, -1),
                 "recurrent_bias": arrays.get("recurrent_bias", np.zeros(cell.hidden)),
                 "peephole": np.zeros((cell.gates, cell.hidden))}
        if isinstance(cell, Lstm):
            found["bias"][1] += cell.forget_bias
            if cell.peephole:
                found["peephole"][[0, 1, 3]] = arrays["peephole"].reshape(3, -1)
        limit = 2.0 ** (PRE_WIDTH - 1 - PRE_FRACTION)
        for part, values in found.items():
            if not np.abs(values).max() <= limit:
                raise ValueError(f"array {part} of {self.name} must be within {-limit} .. {limit}, "
                                 f"not up to {np.abs(values).max()}")
        return {part: to_integers(values, -PRE_FRACTION, PRE_WIDTH) for part, values in found.items()}

    def layer(self):
        """The IntegerLayer of the weights' exponents that have the least squared error, of those that fit."""
        refused = None
        for exponents in self._candidates():
            try:
                products = tuple(self._product(plan, exponents) for plan in plans(self.cell))
            except ValueError as error:
                refused = refused or error
            else:
                return IntegerLayer(cell=self.cell, exponents=exponents, products=products)
        raise refused

    def error(self, layer):
        """Squared error of preactivations, but for a factor, by roundings of weights and of y.

        Vectors are taken as uniform over their range: those of weights' roundings' error are 4 ** V / 12
        times their unit squared, and their own rounding is 1 / 12 of it.
        """
        parts = (Vector.OLD, "recurrent"), (Vector.X, "input")
        unit = 4.0 ** (layer.exponents[Vector.OLD] - self.config.vector_width)
        return (self._error(parts, layer.exponents)
                + unit * float(np.sum(self.spectra["recurrent"] ** 2)))

    def _rounded(self, part, exponents):
        return to_integers(self.spectra[part], exponents[part], self.config.weight_width)

    def _error(self, parts, exponents):
        """Squared error of preactivations, but for a factor: of each array in units of its vector."""
        found = 0.0
        for vector, part in parts:
            wrong = np.ldexp(self._rounded(part, exponents), exponents[part]) - self.spectra[part]
            found += float(np.sum(wrong ** 2)) * 4.0 ** self.exponents[vector]
        return found

    def _candidates(self):
        """Exponents with those of weights, in ascending order of squared errors."""
        choices = self._choices(((Vector.OLD, "recurrent"), (Vector.X, "input")))
        if "projection" not in self.spectra:
            return choices
        best = self._choices(((Vector.INNER, "projection"),))
        return [{**p, **both} for both in choices for p in best]

    def _choices(self, parts):
        units = [self.exponents[vector] for vector, _ in parts]
        # Of sums: those that cover all weights of one of the arrays.
        covering = [unit + _covering(self.spectra[part], self.config.weight_width)
                    for unit, (_, part) in zip(units, parts, strict=True)]
        tried = [{**self.exponents, **{part: e - unit for unit, (_, part) in zip(units, parts, strict=True)}}
                 for e in range(max(covering) + _COARSER, min(covering) - TRIED, -1)]
        return sorted(tried, key=lambda exponents: self._error(parts, exponents))

    def _product(self, plan, exponents):
        config, numbers = self.config, [gates(self.cell)[gate][0] for gate in plan.gates]
        weights = tuple(self._rounded(part, exponents)[numbers] for _, part in plan.columns)
        vector, part = plan.columns[0]
        projection = part == "projection"
        wanted = exponents[Vector.Y] if projection else -PRE_FRACTION
        bound = float(sum(sum_bound(each, config) for each in weights).max())
        sum_shift, pre_shift = self._shifts(bound, exponents[vector] + exponents[part], wanted)
        if projection:
            nothing = np.zeros((1, self.cell.outputs), np.int64)
            bias, peephole, out_shift = nothing, nothing, 0
        else:
            bias, peephole = self.vectors["bias"][numbers], self.vectors["peephole"][numbers]
            bias = self.vectors["recurrent_bias"][None] if plan.gates == ("nr",) else bias
            out_shift = exponents[plan.makes] + ACT_FRACTION if plan.makes else 0
        return Product(plan=plan, weights=weights, bias=bias, peephole=peephole, sum_shift=sum_shift,
                       pre_shift=pre_shift, out_shift=out_shift)

    def _shifts(self, bound, unit, wanted):
        """sum_shift and pre_shift of sums up to ``bound`` in units of 2 ** ``unit`` (and the transform's)."""
        config = self.config
        if np.ceil(bound) >= 1 << config.acc_width - 1:
            raise ValueError(f"acc_width must be at least {int(np.ceil(bound)).bit_length() + 1} for "
                             f"{self.name}, not {config.acc_width}")
        sum_shift = least_shift(bound, config.sum_width)
        shifts = sum(config.forward.shifts) + sum(config.inverse.shifts) - len(config.forward.shifts)
        pre_shift = wanted - (unit + shifts + sum_shift)
        if pre_shift < 0:
            raise ValueError(f"sum_width must be at least {config.sum_width - pre_shift} for {self.name}, "
                             f"not {config.sum_width}")
        further = max(0, pre_shift - 31)
        if sum_shift + further > 31:
            raise ValueError(f"weights of {self.name} must be greater: their sums need a shift of "
                             f"{sum_shift + further}, at most 31")
        return sum_shift + further, pre_shift - further


def _best(name, cell, arrays, config, x, tried):
    """The IntegerLayer of least error, of those whose y is in units of 2 ** ``tried``.

    W and R meet in one sum, so their units follow from those of x and y: a finer y may mean a coarser R.
    """
    found, refused = [], None
    for y in tried:
        # What multiplies R is in y's unit, too: a GRU's r . y'.
        inner = max(1 - config.vector_width, -ACT_FRACTION) if isinstance(cell, Lstm) else y
        lowering = _Lowering(name, cell, arrays, config,
                             {Vector.X: x, Vector.OLD: y, Vector.INNER: inner, Vector.Y: y})
        try:
            layer = lowering.layer()
        except ValueError as error:
            refused = refused or error
        else:
            found.append((lowering.error(layer), layer))
    if not found:
        raise refused
    return min(found, key=lambda each: each[0])[1]


def lower(network, config, *, input_range=1.0, output_ranges=None):
    """The IntegerNetwork of ``network``, a RecurrentNetwork of block-circulant matrices or a Compressed.

    ``input_range`` is the greatest magnitude of x, ``output_ranges`` that of each layer's y, of which those
    of projections matter; by default it is proved: the greatest sum of magnitudes of a row of P. The head is
    left to the host. Raises ValueError with a sentence that names the layer, what must be and what it was:
    for directions other than forward, for matrices that are not of blocks of ``config.block``, for sizes
    that are no multiples of it (only x is padded), for vectors out of range and for sums that do not fit.
    """
    network = getattr(network, "network", network)
    layers, exponent = [], _covering(np.array(input_range), config.vector_width)
    for number, layer in enumerate(network.layers):
        name, cell = f"layer{number}", layer.cell
        if layer.direction != "forward":
            raise ValueError(f"direction of {name} must be forward, not {layer.direction}")
        arrays = network.parts(number, network.arrays)["forward"]
        finest = max(1 - config.vector_width, -ACT_FRACTION)
        tried = range(finest, finest + _UNITS)
        if isinstance(cell, Lstm) and cell.projection:
            if output_ranges is not None:
                most = output_ranges[number]
            else:
                most = np.abs(dense_matrices(cell, arrays)["projection"]).sum(axis=-1).max()
            tried = [_covering(np.array(most), config.vector_width)]
        layers.append(_best(name, cell, arrays, config, exponent, tried))
        exponent = layers[-1].exponents[Vector.Y]
    return IntegerNetwork(block=config.block, layers=tuple(layers))
