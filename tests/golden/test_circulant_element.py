"""The element unit with any row word, against the specification's formulas in plain Python."""

import numpy as np
import pytest
from shiftwork.golden.circulant import element
from shiftwork.golden.circulant.activation import sigmoid, tanh
from shiftwork.golden.circulant.arithmetic import round_shift, saturate, wrap
from shiftwork.golden.circulant.config import CirculantConfig
from shiftwork.golden.circulant.words import Row


def sat(v, bits):
    return max(-2 ** (bits - 1), min(2 ** (bits - 1) - 1, v))


def rounded(v, g):
    return (v + 2 ** (g - 1)) >> g if g else v


def plain(row, v, c, t0, t1, bias, peephole, config):
    """(res, vec) of one element."""
    bits = config.segment_bits
    pre = sat(rounded(v, row.pre_shift), 16)
    pre += bias + (t1 if row.add else 0)
    pre = sat(pre + (rounded(peephole * c, 14) if row.peephole and config.peepholes else 0), 16)
    a = [pre, int(sigmoid(np.int64(pre), bits)), int(tanh(np.int64(pre), bits))][row.act]
    p = [a, sat(a - c, 18), sat(c - a, 18)][row.left]
    q = [2 ** 14, t0, t1, c,
         int(tanh(np.int64(sat(rounded(c, 2), 16)), bits)) if config.cell_tanh else 0][row.right]
    res = sat([0, c, a][row.addend] + rounded(p * q, 14), 18)
    return res, sat(rounded(res, row.out_shift), config.vector_width)


def some(rng, bits, shape=8):
    """Integers of up to ``bits`` bits, of all magnitudes, both ends among them."""
    limit = 2 ** (bits - 1)
    values = rng.integers(-limit, limit, shape) >> rng.integers(0, bits, shape)
    return np.where(rng.random(shape) < 0.2, rng.choice([-limit, limit - 1], shape), values)


@pytest.mark.parametrize("settings", [{}, {"vector_width": 16, "segment_bits": 5}, {"peepholes": False},
                                      {"cell_tanh": False, "vector_width": 8}])
def test_any_row(settings):
    config, rng = CirculantConfig(**settings), np.random.default_rng(len(settings))
    limits = {"act": 3, "left": 3, "right": 5, "addend": 3, "pre_shift": 20, "out_shift": 16}
    for _ in range(150):
        row = Row(**{name: int(rng.integers(limit)) for name, limit in limits.items()},
                  peephole=bool(rng.integers(2)), add=bool(rng.integers(2)))
        v, c, t0, t1, bias, peephole = (some(rng, bits) for bits in (26, 18, 16, 16, 16, 16))
        res = element.result(row, v, (c, t0, t1), (bias, peephole), config)
        vec = element.vector(row, res, config)
        wanted = [plain(row, *map(int, values), config)
                  for values in zip(v, c, t0, t1, bias, peephole, strict=True)]
        assert list(zip(res.tolist(), vec.tolist(), strict=True)) == wanted


def test_shifts_saturation_and_wrapping():
    values = np.array([-5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5])
    assert round_shift(values, 0).tolist() == values.tolist()
    assert round_shift(values, 1).tolist() == [-2, -2, -1, -1, 0, 0, 1, 1, 2, 2, 3]
    assert saturate(values, 3).tolist() == [-4, -4, -3, -2, -1, 0, 1, 2, 3, 3, 3]
    assert wrap(values, 3).tolist() == [3, -4, -3, -2, -1, 0, 1, 2, 3, -4, -3]
