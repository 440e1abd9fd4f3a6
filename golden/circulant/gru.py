"""A GRU over time, forward and backward; arrays and arguments as in `lstm`."""

import numpy as np

from .cells import sigmoid

__all__ = ["backward", "forward", "step"]


def step(cell, arrays, driven, y):
    """One step: (y, gates z, r, n (batch, 3 * hidden), R_n y' + d_n) of ``driven``, W x + b.

    The last one is None with reset "before".
    """
    n = cell.hidden
    recurrent, inner = arrays["recurrent"], None
    gates = sigmoid(driven[:, :2 * n] + y @ recurrent[:2].reshape(2 * n, -1).T)
    z, r = gates[:, :n], gates[:, n:]
    if cell.reset == "before":
        a = driven[:, 2 * n:] + (r * y) @ recurrent[2].T
    else:
        inner = y @ recurrent[2].T + arrays["recurrent_bias"]
        a = driven[:, 2 * n:] + r * inner
    new = np.tanh(a) if cell.candidate == "tanh" else sigmoid(a)
    y = y + z * (new - y) if cell.update == "updates" else new + z * (y - new)
    return y, np.concatenate([gates, new], axis=1), inner


def forward(cell, arrays, x, active, states):
    """Outputs (T, N, hidden), last states (y,), and a cache for ``backward``; arguments as in `lstm`."""
    n, (steps, batch, _) = cell.hidden, x.shape
    driven = x @ arrays["input"].reshape(3 * n, -1).T + arrays["bias"]
    y, gates = np.repeat(states[0][None], steps + 1, axis=0), np.zeros_like(driven)
    outputs, inner = np.zeros((2, steps, batch, n), x.dtype)
    for t, rows in enumerate(active):
        y[t + 1] = y[t]
        y[t + 1, :rows], gates[t, :rows], found = step(cell, arrays, driven[t, :rows], y[t, :rows])
        outputs[t, :rows] = y[t + 1, :rows]
        if cell.reset == "after":
            inner[t, :rows] = found
    return outputs, (y[-1],), {"x": x, "active": active, "y": y, "gates": gates, "inner": inner}


def backward(cell, arrays, cache, dy, dstates):
    """Gradients (by x, by the first state, {part: by its dense array}) of a loss, as in `lstm`."""
    n, recurrent, dlast = cell.hidden, arrays["recurrent"], dstates[0].copy()
    da, dinner = np.zeros_like(cache["gates"]), np.zeros_like(dy)
    for t in reversed(range(len(dy))):
        rows = cache["active"][t]
        before = cache["y"][t, :rows]
        z, r, new = np.split(cache["gates"][t, :rows], 3, axis=1)
        dnow = dy[t, :rows] + dlast[:rows]
        updates = cell.update == "updates"
        taken, dz = (z, dnow * (new - before)) if updates else (1 - z, dnow * (before - new))
        da_n = dnow * taken * (1 - new * new if cell.candidate == "tanh" else new * (1 - new))
        if cell.reset == "before":
            dinner[t, :rows] = da_n
            dreset = da_n @ recurrent[2]
            dr, inside = dreset * before, dreset * r
        else:
            dinner[t, :rows] = da_n * r
            dr, inside = da_n * cache["inner"][t, :rows], dinner[t, :rows] @ recurrent[2]
        np.concatenate([dz * z * (1 - z), dr * r * (1 - r), da_n], axis=1, out=da[t, :rows])
        dlast[:rows] = dnow * (1 - taken) + inside + da[t, :rows, :2 * n] @ recurrent[:2].reshape(2 * n, -1)
    return da @ arrays["input"].reshape(3 * n, -1), (dlast,), _by_arrays(cell, cache, da, dinner)


def _by_arrays(cell, cache, da, dinner):
    n, live = cell.hidden, np.arange(da.shape[1]) < cache["active"][:, None]
    flat, y = da[live], cache["y"][:-1][live]
    reset = cache["gates"][live][:, n:2 * n] * y if cell.reset == "before" else y
    first = (flat[:, :2 * n].T @ y).reshape(2, n, n)
    found = {"input": (flat.T @ cache["x"][live]).reshape(cell.shapes["input"]), "bias": flat.sum(axis=0),
             "recurrent": np.concatenate([first, (dinner[live].T @ reset)[None]])}
    if cell.reset == "after":
        found["recurrent_bias"] = dinner[live].sum(axis=0)
    return found
