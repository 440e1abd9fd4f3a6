"""How far a step in integers is from the same step in floats: a bound, derived, and measured errors.

Both steps start from the same state and have the same weights, the rounded ones. What differs: the factors
of the transforms, whose errors make other matrices W' of W; roundings of transforms, sums, preactivations,
products and vectors; the sigmoid and tanh (`max_error`). Each is carried on by what the cell makes of it:

    preactivation   d <= roundings + |(W' - W) v| + |W'| dv + what saturates      dv: error of v in this step
    gates           d / 4 + E(sig), or d + E(tanh)                                greatest slopes
    products        |a b - a' b'| <= |b| |a - a'| + |a'| |b - b'|

For many steps no useful bound follows: the greatest row sum of |R| is far above 1, so that it would grow
without limit, though cells forget. So the bound is that of one step, from the integers' state; drift is
measured.
"""

from dataclasses import dataclass

import numpy as np

from . import gru, lstm
from .activation import max_error
from .bounds import block_products, error_of_sums
from .cells import Lstm, dense_matrices
from .config import ACT_FRACTION, PRE_FRACTION, PRE_WIDTH, RESULT_WIDTH
from .encode import encode
from .integer_network import Vector, gates
from .interpreter import Machine
from .lower import lower, ranges, to_integers
from .network import RecurrentNetwork, Sequences
from .transform import error_bound, responses

__all__ = ["Snr", "StepBound", "snr"]

_PRE = -PRE_FRACTION
_HALF_PRE, _HALF_ACT = 2.0 ** (_PRE - 1), 2.0 ** (-ACT_FRACTION - 1)


def _beyond(values, exponent, bits):
    """By how much ``values`` exceed integers of ``bits`` bits times 2 ** exponent."""
    return np.maximum(np.abs(values) - ((1 << bits - 1) - 1) * 2.0 ** exponent, 0)


class _Gate:
    """A gate's product in integers: its linear map, and what roundings add at most.

    ``dense`` are the matrices (entries, columns) of its vectors, whose units are 2 ** ``exponents``; results
    are in units of 2 ** ``unit``.
    """

    def __init__(self, product, gate, dense, exponents, unit, config):
        weights = [each[gate] for each in product.weights]
        back = responses(config.inverse)[0]
        self.dense, self.unit, self.linear = dense, unit, []
        for each, exact, exponent in zip(weights, dense, exponents, strict=True):
            sums = block_products(responses(config.forward)[0], each[:, :, None])
            blocks = sums.reshape(*sums.shape[:3], -1) @ back                   # (blocks, columns, k, k)
            matrix = blocks.transpose(0, 3, 1, 2).reshape(len(exact), -1)[:, :exact.shape[1]]
            scale = unit - exponent - product.sum_shift - product.pre_shift
            self.linear.append(matrix * 2.0 ** scale)
        error = sum(error_of_sums(each, error_bound(config.forward, 0)) for each in weights)
        error = error / 2.0 ** product.sum_shift + 0.5 * (product.sum_shift > 0)
        error = error.reshape(len(error), -1) @ np.abs(back) + error_bound(config.inverse, 0)
        error = error.reshape(-1) / 2.0 ** product.pre_shift + 0.5 * (product.pre_shift > 0)
        self.rounding = error * 2.0 ** unit

    def __call__(self, *vectors):
        """Greatest error (n, entries) of the product, of 16 bits, for pairs of vectors and their errors."""
        exact, other, carried = 0.0, 0.0, 0.0
        for (v, error), dense, linear in zip(vectors, self.dense, self.linear, strict=True):
            exact, other = exact + v @ dense.T, other + v @ linear.T
            carried = carried + error @ np.abs(linear).T
        return self.rounding + np.abs(other - exact) + carried + _beyond(exact, self.unit, PRE_WIDTH)


class StepBound:
    """The float step of an IntegerLayer's cell, and bounds of the integer step's distance from it.

    `__call__` takes states and inputs of many steps side by side, all (n, entries).
    """

    def __init__(self, layer, config):
        self.config, self.cell, self.exponents = config, layer.cell, layer.exponents
        self.arrays, self.gates = dense_matrices(layer.cell, layer.arrays()), {}
        for product in layer.products:
            for n, gate in enumerate(product.plan.gates):
                number, unit = gates(self.cell)[gate][0], self.exponents[Vector.Y] if gate == "p" else _PRE
                dense = [self.arrays[part][number] for _, part in product.plan.columns]
                exponents = [self.exponents[vector] for vector, _ in product.plan.columns]
                self.gates[gate] = _Gate(product, n, dense, exponents, unit, config)
        sigmoid, tanh = max_error(config.segment_bits)
        self._sigmoid, self._tanh = (0.25, sigmoid), (1.0, tanh)
        self._candidate = self._tanh if self.cell.candidate == "tanh" else self._sigmoid

    def __call__(self, x, y, c):
        """(y, its bound, state, its bound) behind a step, of x, y' and the state c' before it.

        y' is that of the integers, of V bits; a GRU's state is y' before its rounding.
        """
        weights = self.arrays["input"]
        driven = x @ weights.reshape(-1, weights.shape[-1]).T + self.arrays["bias"]
        return (self._lstm if isinstance(self.cell, Lstm) else self._gru)(driven, (x, 0 * x), y, c)

    def _rounded(self, values, vector):
        """Greatest error of ``values`` as a vector."""
        exponent = self.exponents[vector]
        half = 2.0 ** (exponent - 1) if exponent > -ACT_FRACTION else 0.0
        return half + _beyond(values, exponent, self.config.vector_width)

    def _lstm(self, driven, x, y, c):
        cell, n = self.cell, self.cell.hidden
        driven[:, n:2 * n] += cell.forget_bias
        exact_y, exact_c, found, m = lstm.step(cell, self.arrays, driven, y, c)
        i, f, g, o = np.split(found, 4, axis=1)
        peephole = np.abs(self.arrays.get("peephole", np.zeros(3 * n))[2 * n:])
        d = {gate: self.gates[gate]((y, 0 * y), x) + (_HALF_PRE if cell.peephole and gate != "g" else 0)
             for gate in "ifgo"}
        di, df, dg = (slope * d[gate] + error for gate, (slope, error) in zip(
            "ifg", (self._sigmoid, self._sigmoid, self._candidate), strict=True))
        dc = (np.abs(c) * df + np.minimum(i + di, 1) * dg + np.abs(g) * di + 2 * _HALF_ACT
              + _beyond(exact_c, -ACT_FRACTION, RESULT_WIDTH))
        do = self._sigmoid[0] * (d["o"] + peephole * dc) + self._sigmoid[1]
        dt = dc + _HALF_PRE + self._tanh[1]
        dm = np.minimum(o + do, 1) * dt + np.abs(np.tanh(exact_c)) * do + _HALF_ACT
        dm = dm + self._rounded(m, Vector.INNER)
        if not cell.projection:
            return exact_y, dm, exact_c, dc
        beyond = _beyond(exact_y, self.exponents[Vector.Y], self.config.vector_width)
        return exact_y, self.gates["p"]((m, dm)) + beyond, exact_c, dc

    def _gru(self, driven, x, y, c):
        cell = self.cell
        exact, found, inner = gru.step(cell, self.arrays, driven, c)
        z, r, new = np.split(found, 3, axis=1)
        old = c, np.abs(y - c)
        dz, dr = (self._sigmoid[0] * self.gates[gate](old, x) + self._sigmoid[1] for gate in "zr")
        if cell.reset == "before":
            dv = np.abs(c) * dr + _HALF_ACT + self._rounded(r * c, Vector.INNER)
            d = self.gates["n"](x, (r * c, dv))
        else:
            d_inner = self.gates["nr"](old) + _beyond(inner, _PRE, PRE_WIDTH)
            d = self.gates["nx"](x) + np.minimum(r + dr, 1) * d_inner + np.abs(inner) * dr + _HALF_PRE
        dn = self._candidate[0] * d + self._candidate[1]
        share = z if cell.update == "updates" else 1 - z
        dc = np.minimum(share + dz, 1) * dn + np.abs(new - c) * dz + _HALF_ACT
        return exact, dc + self._rounded(exact, Vector.Y), exact, dc


@dataclass(frozen=True)
class Snr:
    """Signal to noise in dB of a cell's outputs y, integers against floats of the same weights.

    ``first`` and ``second``: over the first and the second half of a sequence that floats compute alone;
    ``step``: of one step from the integers' state; ``bound``: what it is at least; ``share``: the greatest
    error of one step's y or state, as a share of its own bound.
    """

    first: float
    second: float
    step: float
    bound: float
    share: float


def _decibels(signal, noise):
    return float(10 * np.log10(np.sum(signal ** 2) / np.sum(noise ** 2)))


def snr(config, cell, steps=100, seed=0):
    """Snr of ``cell`` with random weights, on a sequence of ``steps`` with entries uniform within +-1."""
    network = RecurrentNetwork.random_circulant([cell], config.block, seed)
    x = np.random.default_rng([seed, 1]).uniform(-1, 1, (1, steps, cell.inputs))
    length = np.array([steps])
    integers = lower(network, config, output_ranges=ranges(network, Sequences(x, length))[1:])
    (layer,), program = integers.layers, encode(integers, config)
    x = to_integers(x, layer.exponents[Vector.X], config.vector_width)
    found, states = _traced(program, x, layer)
    x = np.ldexp(x.astype(float), layer.exponents[Vector.X])
    y = np.concatenate([np.zeros((1, cell.outputs)), found[:-1]])
    exact, bound, state, state_bound = StepBound(layer, config)(x[0], y, states[:-1])
    share = max((np.abs(found - exact) / bound).max(), (np.abs(states[1:] - state) / state_bound).max())
    arrays = {f"layer0.forward.{part}": array for part, array in layer.arrays().items()}
    free = RecurrentNetwork(layers=network.layers, classes=1, arrays=network.arrays | arrays)
    free, half = free.outputs(Sequences(x, length))[0], steps // 2
    return Snr(first=_decibels(free[:half], (found - free)[:half]), step=_decibels(exact, found - exact),
               second=_decibels(free[half:], (found - free)[half:]), bound=_decibels(exact, bound),
               share=float(share))


def _traced(program, x, layer):
    """Outputs (steps, outputs) and states (steps + 1, hidden), the first one zeros, of a layer's program."""
    machine = Machine(program.config)
    machine.load(program.to_words())
    beats, states = [], [np.zeros(layer.cell.hidden)]
    for step in machine.steps(program.pack_input(x)):
        beats.append(step)
        states.append(np.ldexp(machine.state.reshape(-1)[:layer.cell.hidden].astype(float), -ACT_FRACTION))
    y = program.unpack_output(np.concatenate(beats))[0]
    return np.ldexp(y.astype(float), layer.exponents[Vector.Y]), np.array(states)
