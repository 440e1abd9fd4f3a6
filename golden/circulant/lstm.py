"""An LSTM over time, forward and backward.

Arrays are (time, batch, entries); sequences stand from the longest to the shortest, so that those which are
still running at frame t are the first ``active[t]``. All keeps the type of its arrays, which are dense here
(`dense_matrices`).
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


def forward(cell, arrays, x, active, states):
    """Outputs (T, N, outputs), last states (y, c), and a cache for ``backward``.

    ``x`` is (T, N, inputs); ``states`` are y (N, outputs) and c (N, hidden) before the first frame. Behind a
    sequence's end its states stay and its output is 0.
    """
    n, (steps, batch, _) = cell.hidden, x.shape
    driven = x @ arrays["input"].reshape(4 * n, -1).T + arrays["bias"]
    driven[..., n:2 * n] += driven.dtype.type(cell.forget_bias)
    y, c = (np.repeat(state[None], steps + 1, axis=0) for state in states)
    gates, m = np.zeros_like(driven), np.zeros((steps, batch, n), x.dtype)
    outputs = np.zeros((steps, batch, cell.outputs), x.dtype)
    for t, rows in enumerate(active):
        y[t + 1], c[t + 1] = y[t], c[t]
        y[t + 1, :rows], c[t + 1, :rows], gates[t, :rows], m[t, :rows] = step(
            cell, arrays, driven[t, :rows], y[t, :rows], c[t, :rows])
        outputs[t, :rows] = y[t + 1, :rows]
    return outputs, (y[-1], c[-1]), {"x": x, "active": active, "y": y, "c": c, "gates": gates, "m": m}


def backward(cell, arrays, cache, dy, dstates):
    """Gradients (by x, by the first states, {part: by its dense array}) of a loss.

    ``dy`` (T, N, outputs) and ``dstates`` are those by the outputs and by the last states.
    """
    n, (dlast, dc) = cell.hidden, (state.copy() for state in dstates)
    recurrent = arrays["recurrent"].reshape(4 * n, -1)
    if cell.peephole:
        p_i, p_f, p_o = arrays["peephole"].reshape(3, n)
    da, dnew = np.zeros_like(cache["gates"]), np.zeros_like(dy)
    for t in reversed(range(len(dy))):
        rows = cache["active"][t]
        before, bent = cache["c"][t, :rows], np.tanh(cache["c"][t + 1, :rows])
        i, f, g, o = np.split(cache["gates"][t, :rows], 4, axis=1)
        dnew[t, :rows] = dy[t, :rows] + dlast[:rows]
        dm = dnew[t, :rows] @ arrays["projection"][0] if cell.projection else dnew[t, :rows]
        da_o = dm * bent * o * (1 - o)
        dnow = dc[:rows] + dm * o * (1 - bent * bent)
        if cell.peephole:
            dnow += da_o * p_o
        da_i, da_f = dnow * g * i * (1 - i), dnow * before * f * (1 - f)
        da_g = dnow * i * (1 - g * g if cell.candidate == "tanh" else g * (1 - g))
        np.concatenate([da_i, da_f, da_g, da_o], axis=1, out=da[t, :rows])
        dc[:rows] = dnow * f
        if cell.peephole:
            dc[:rows] += da_i * p_i + da_f * p_f
        dlast[:rows] = da[t, :rows] @ recurrent
    return da @ arrays["input"].reshape(4 * n, -1), (dlast, dc), _by_arrays(cell, cache, da, dnew)


def _by_arrays(cell, cache, da, dnew):
    n, c = cell.hidden, cache["c"]
    live = np.arange(da.shape[1]) < cache["active"][:, None]
    flat = da[live]
    found = {"input": (flat.T @ cache["x"][live]).reshape(cell.shapes["input"]), "bias": flat.sum(axis=0),
             "recurrent": (flat.T @ cache["y"][:-1][live]).reshape(cell.shapes["recurrent"])}
    if cell.projection:
        found["projection"] = (dnew[live].T @ cache["m"][live])[None]
    if cell.peephole:
        pairs = (da[..., :n], c[:-1]), (da[..., n:2 * n], c[:-1]), (da[..., 3 * n:], c[1:])
        found["peephole"] = np.concatenate([(a * b).sum(axis=(0, 1)) for a, b in pairs])
    return found
