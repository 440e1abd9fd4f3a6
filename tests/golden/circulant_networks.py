"""Networks of the circulant engine for tests, and their cells in plain integers."""

import numpy as np
from shiftwork.golden.circulant.activation import sigmoid, tanh
from shiftwork.golden.circulant.arithmetic import round_shift, saturate
from shiftwork.golden.circulant.cells import Gru, Lstm
from shiftwork.golden.circulant.config import PRESETS, CirculantConfig
from shiftwork.golden.circulant.encode import encode
from shiftwork.golden.circulant.interpreter import Machine
from shiftwork.golden.circulant.lower import lower
from shiftwork.golden.circulant.network import RecurrentNetwork
from shiftwork.golden.circulant.transform import forward, inverse

__all__ = ["CELLS", "WIDE", "integers", "plain_outputs", "program_of", "ran", "random_input"]

CELLS = {
    "lstm": Lstm(inputs=5, hidden=16),
    "lstm, peephole": Lstm(inputs=8, hidden=16, peephole=True),
    "lstm, projection": Lstm(inputs=3, hidden=16, projection=8, peephole=True, forget_bias=1.0),
    "lstm, sigmoid": Lstm(inputs=9, hidden=8, candidate="sigmoid", forget_bias=-0.5),
    "gru, before, updates": Gru(inputs=6, hidden=16),
    "gru, before, keeps": Gru(inputs=8, hidden=8, update="keeps"),
    "gru, after, updates": Gru(inputs=5, hidden=16, reset="after", candidate="sigmoid"),
    "gru, after, keeps": Gru(inputs=12, hidden=8, reset="after", update="keeps"),
}
"""All options of the cells, in sizes for blocks of 4 and 8."""


WIDE = CirculantConfig(block=8, rows=3, vector_width=16, weight_width=16, acc_width=44, sum_width=24,
                       factor_bits=14, segment_bits=4)
"""An engine of so many bits that almost all is exact."""


def ran(program, x):
    """Outputs (S, steps, outputs) of ``program`` for integers ``x`` (S, steps, inputs)."""
    machine = Machine(program.config)
    machine.load(program.to_words())
    return program.unpack_output(machine.run(program.pack_input(x)))


def random_input(rng, program, steps):
    """Integers (S, steps, inputs) for ``program``, some of them at the ends of their range."""
    limit = 1 << program.config.vector_width - 1
    shape = program.metadata["sequences"], steps, program.metadata["inputs"]
    return np.clip(np.rint(rng.normal(0, limit / 2, shape)), -limit, limit - 1).astype(int)


def integers(cells, config, seed=0, scale=1.5, **settings):
    """A random IntegerNetwork, by default of great weights; ``settings`` are those of `lower`."""
    return lower(RecurrentNetwork.random_circulant(cells, config.block, seed, scale), config, **settings)


def program_of(cells, config=PRESETS["default"], sequences=1, **settings):
    """The program of such a network."""
    return encode(integers(cells, config, **settings), config, sequences)


class _Products:
    """Preactivations of a layer's gates, product by product."""

    def __init__(self, layer, config):
        self.config, self.gates = config, {}
        for product in layer.products:
            for n, gate in enumerate(product.plan.gates):
                self.gates[gate] = (product, np.concatenate([each[n] for each in product.weights], axis=1),
                                    product.bias[n], product.peephole[n])

    def __call__(self, gate, *vectors, c=None, more=0):
        """The preactivation (entries,): peephole weights times ``c``, and ``more`` added."""
        config, (product, weights, bias, peephole) = self.config, self.gates[gate]
        blocks = np.concatenate([np.pad(v, (0, -len(v) % config.block)) for v in vectors])
        x = forward(blocks.reshape(-1, config.block), config.forward)
        sums = np.zeros((len(weights), config.slots, 2), np.int64)
        for j, block in enumerate(x):
            w = weights[:, j]
            both = (block[:, 0] + 1j * block[:, 1]) * (w[..., 0] + 1j * w[..., 1])
            both[:, 0] = block[0, 0] * w[:, 0, 0] + 1j * block[0, 1] * w[:, 0, 1]
            # Below 2 ** 53 floats are exact.
            sums += np.stack([both.real, both.imag], axis=-1).astype(np.int64)
        assert np.abs(sums).max() < 1 << config.acc_width - 1
        halved = round_shift(sums, product.sum_shift)
        assert np.abs(halved).max() < 1 << config.sum_width - 1
        v = inverse(halved, config.inverse).reshape(-1)
        pre = saturate(round_shift(v, product.pre_shift), 16) + bias + more
        return saturate(pre + (round_shift(peephole * c, 14) if c is not None else 0), 16)


def _times(p, q):
    return p * q + (1 << 13) >> 14


class _Cell:
    """A layer's states over a sequence, its equations in integers."""

    def __init__(self, layer, config):
        self.layer, self.cell, self.config = layer, layer.cell, config
        self.pre = _Products(layer, config)
        self.y, self.c = np.zeros((2, max(layer.cell.hidden, layer.cell.outputs)), np.int64)
        self.y = self.y[:layer.cell.outputs]

    def _vector(self, values):
        shift = self.layer.exponents["y" if self.layer.cell.outputs == len(values) else "m"] + 14
        return saturate(round_shift(values, shift), self.config.vector_width)

    def step(self, x):
        bits, cell = self.config.segment_bits, self.cell
        squash = tanh if cell.candidate == "tanh" else sigmoid
        self.y = (self._lstm if isinstance(cell, Lstm) else self._gru)(
            x, lambda v: sigmoid(v, bits), lambda v: squash(v, bits))
        return self.y

    def _lstm(self, x, sig, squash):
        pre, c, y = self.pre, self.c, self.y
        seen = (lambda c: {"c": c}) if self.cell.peephole else (lambda c: {})
        i, f = sig(pre("i", y, x, **seen(c))), sig(pre("f", y, x, **seen(c)))
        self.c = c = saturate(saturate(_times(f, c), 18) + _times(squash(pre("g", y, x)), i), 18)
        o = sig(pre("o", y, x, **seen(c)))
        m = _times(o, tanh(saturate(c + 2 >> 2, 16), self.config.segment_bits))
        if not self.cell.projection:
            return self._vector(m)
        shift = self.layer.exponents["m"] + 14
        m = saturate(round_shift(m, shift), self.config.vector_width)
        return saturate(pre("p", m), self.config.vector_width)

    def _gru(self, x, sig, squash):
        pre, c, y = self.pre, self.c, self.y
        z, r = sig(pre("z", y, x)), sig(pre("r", y, x))
        if self.cell.reset == "before":
            n = squash(pre("n", x, self._vector(_times(r, c))))
        else:
            inner = saturate(_times(pre("nr", y), r), 16)
            n = squash(pre("nx", x, more=inner))
        if self.cell.update == "updates":
            self.c = saturate(c + _times(saturate(n - c, 18), z), 18)
        else:
            self.c = saturate(n + _times(saturate(c - n, 18), z), 18)
        return self._vector(self.c)


def plain_outputs(network, config, x):
    """Outputs int64 (steps, outputs) of an IntegerNetwork for integers ``x`` (steps, inputs)."""
    for layer in network.layers:
        cell = _Cell(layer, config)
        x = np.array([cell.step(v) for v in x])
    return x
