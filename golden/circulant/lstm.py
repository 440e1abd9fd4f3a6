"""An LSTM over time, forward and backward.

Arrays are (time, batch, entries). All keeps the type of its arrays, which are dense here (`dense_matrices`).
"""

import numpy as np

from .cells import sigmoid

__all__ = ["backward", "forward", "step"]


def _squash(cell, a):
    return np.tanh(a) if cell.candidate == "tanh" else sigmoid(a)


def step(cell, arrays, driven, y, c):
    """One step: (y, c, gates (batch, 4 * hidden), m) of ``driven``, W x + b with the forget bias."""
    n = cell.hidden
    a = driven + y @ arrays["recurrent"].reshape(4 * n, -1).T
    if cell.peephole:
        p_i, p_f, p_o = arrays["peephole"].reshape(3, n)
        a[:, :n] += p_i * c
        a[:, n:2 * n] += p_f * c
    i, f, g = sigmoid(a[:, :n]), sigmoid(a[:, n:2 * n]), _squash(cell, a[:, 2 * n:3 * n])
    c = f * c + g * i
    o = sigmoid(a[:, 3 * n:] + p_o * c if cell.peephole else a[:, 3 * n:])
    m = o * np.tanh(c)
    y = m @ arrays["projection"][0].T if cell.projection else m
    return y, c, np.concatenate([i, f, g, o], axis=1), m


def forward(cell, arrays, x, valid, states):
    """Outputs (T, N, outputs), last states (y, c), and a cache for ``backward``.

    ``x`` is (T, N, inputs), ``valid`` (T, N, 1) is 1 where a frame counts: elsewhere the states stay and the
    output is 0. ``states`` are y (N, outputs) and c (N, hidden) before the first frame.
    """
    n, (y, c) = cell.hidden, states
    driven = x @ arrays["input"].reshape(4 * n, -1).T + arrays["bias"]
    driven[..., n:2 * n] += driven.dtype.type(cell.forget_bias)
    outputs, cache = [], {"x": x, "valid": valid, "y": [y], "c": [c], "gates": [], "m": []}
    for now, counts in zip(driven, valid, strict=True):
        new_y, new_c, gates, m = step(cell, arrays, now, y, c)
        y, c = np.where(counts, new_y, y), np.where(counts, new_c, c)
        outputs.append(counts * new_y)
        for name, value in (("y", y), ("c", c), ("gates", gates), ("m", m)):
            cache[name].append(value)
    return np.stack(outputs), (y, c), cache


def backward(cell, arrays, cache, dy, dstates):
    """Gradients (by x, by the first states, {part: by its dense array}) of a loss.

    ``dy`` (T, N, outputs) and ``dstates`` are those by the outputs and by the last states.
    """
    n, (dlast, dc) = cell.hidden, dstates
    recurrent = arrays["recurrent"].reshape(4 * n, -1)
    if cell.peephole:
        p_i, p_f, p_o = arrays["peephole"].reshape(3, n)
    da, dnew = np.empty((len(dy), dy.shape[1], 4 * n), dy.dtype), np.empty_like(dy)
    for t in reversed(range(len(dy))):
        counts, before = cache["valid"][t], cache["c"][t]
        i, f, g, o = (cache["gates"][t][:, k * n:(k + 1) * n] for k in range(4))
        dnew[t] = counts * (dy[t] + dlast)
        dlast = dlast - counts * dlast
        kept, dc = dc - counts * dc, counts * dc
        dm = dnew[t] @ arrays["projection"][0] if cell.projection else dnew[t]
        # c behind a frame that does not count is the one before; then all that flows here is 0.
        bent = np.tanh(cache["c"][t + 1])
        da_o = dm * bent * o * (1 - o)
        dc = dc + dm * o * (1 - bent * bent)
        if cell.peephole:
            dc = dc + da_o * p_o
        da_i, da_f = dc * g * i * (1 - i), dc * before * f * (1 - f)
        da_g = dc * i * (1 - g * g if cell.candidate == "tanh" else g * (1 - g))
        np.concatenate([da_i, da_f, da_g, da_o], axis=1, out=da[t])
        dc = dc * f + kept
        if cell.peephole:
            dc = dc + da_i * p_i + da_f * p_f
        dlast = dlast + da[t] @ recurrent
    return da @ arrays["input"].reshape(4 * n, -1), (dlast, dc), _by_arrays(cell, cache, da, dnew)


def _by_arrays(cell, cache, da, dnew):
    n, flat, c = cell.hidden, da.reshape(-1, da.shape[-1]), np.stack(cache["c"])

    def by_matrix(gradient, source, shape):
        return (gradient.reshape(-1, gradient.shape[-1]).T @ source.reshape(len(flat), -1)).reshape(shape)

    found = {"input": by_matrix(da, cache["x"], cell.shapes["input"]), "bias": flat.sum(axis=0),
             "recurrent": by_matrix(da, np.stack(cache["y"][:-1]), cell.shapes["recurrent"])}
    if cell.projection:
        found["projection"] = by_matrix(dnew, np.stack(cache["m"]), cell.shapes["projection"])
    if cell.peephole:
        pairs = (da[..., :n], c[:-1]), (da[..., n:2 * n], c[:-1]), (da[..., 3 * n:], c[1:])
        found["peephole"] = np.concatenate([(a * b).sum(axis=(0, 1)) for a, b in pairs])
    return found
