"""A GRU over time, forward and backward; arrays and arguments as in `lstm`."""

import numpy as np

from .cells import sigmoid

__all__ = ["backward", "forward", "step"]


def step(cell, arrays, driven, y):
    """One step: (y, gates z, r, n (batch, 3 * hidden), R_n y' + d_n or None) of ``driven``, W x + b."""
    n = cell.hidden
    recurrent = arrays["recurrent"]
    a = driven[:, :2 * n] + y @ recurrent[:2].reshape(2 * n, -1).T
    gates = sigmoid(a)
    z, r = gates[:, :n], gates[:, n:]
    if cell.reset == "before":
        inner, a = None, driven[:, 2 * n:] + (r * y) @ recurrent[2].T
    else:
        inner = y @ recurrent[2].T + arrays["recurrent_bias"]
        a = driven[:, 2 * n:] + r * inner
    new = np.tanh(a) if cell.candidate == "tanh" else sigmoid(a)
    y = y + z * (new - y) if cell.update == "updates" else new + z * (y - new)
    return y, np.concatenate([gates, new], axis=1), inner


def forward(cell, arrays, x, valid, states):
    """Outputs (T, N, hidden), last states (y,), and a cache for ``backward``; arguments as in `lstm`."""
    (y,) = states
    driven = x @ arrays["input"].reshape(3 * cell.hidden, -1).T + arrays["bias"]
    outputs, cache = [], {"x": x, "valid": valid, "y": [y], "gates": [], "inner": []}
    for now, counts in zip(driven, valid, strict=True):
        new, gates, inner = step(cell, arrays, now, y)
        y = np.where(counts, new, y)
        outputs.append(counts * new)
        for name, value in (("y", y), ("gates", gates), ("inner", inner)):
            cache[name].append(value)
    return np.stack(outputs), (y,), cache


def backward(cell, arrays, cache, dy, dstates):
    """Gradients (by x, by the first state, {part: by its dense array}) of a loss, as in `lstm`."""
    n, (dlast,) = cell.hidden, dstates
    recurrent = arrays["recurrent"]
    da, dinner = np.empty((len(dy), dy.shape[1], 3 * n), dy.dtype), np.empty_like(dy)
    for t in reversed(range(len(dy))):
        counts, before = cache["valid"][t], cache["y"][t]
        z, r, new = (cache["gates"][t][:, k * n:(k + 1) * n] for k in range(3))
        dnow = counts * (dy[t] + dlast)
        kept = dlast - counts * dlast
        taken = z if cell.update == "updates" else 1 - z
        dz = dnow * (new - before) if cell.update == "updates" else dnow * (before - new)
        da_n = dnow * taken * (1 - new * new if cell.candidate == "tanh" else new * (1 - new))
        dlast = kept + dnow * (1 - taken)
        if cell.reset == "before":
            dinner[t] = da_n
            dreset = da_n @ recurrent[2]
            dr, dlast = dreset * before, dlast + dreset * r
        else:
            dinner[t] = da_n * r
            dr, dlast = da_n * cache["inner"][t], dlast + dinner[t] @ recurrent[2]
        np.concatenate([dz * z * (1 - z), dr * r * (1 - r), da_n], axis=1, out=da[t])
        dlast = dlast + da[t][:, :2 * n] @ recurrent[:2].reshape(2 * n, -1)
    return da @ arrays["input"].reshape(3 * n, -1), (dlast,), _by_arrays(cell, cache, da, dinner)


def _by_arrays(cell, cache, da, dinner):
    n, flat, y = cell.hidden, da.reshape(-1, da.shape[-1]), np.stack(cache["y"][:-1])
    r = np.stack(cache["gates"])[..., n:2 * n]
    reset = (r * y if cell.reset == "before" else y).reshape(-1, n)
    recurrent = [flat[:, k * n:(k + 1) * n].T @ y.reshape(-1, n) for k in range(2)]
    recurrent.append(dinner.reshape(-1, n).T @ reset)
    found = {"input": (flat.T @ cache["x"].reshape(len(flat), -1)).reshape(cell.shapes["input"]),
             "bias": flat.sum(axis=0), "recurrent": np.stack(recurrent)}
    if cell.reset == "after":
        found["recurrent_bias"] = dinner.sum(axis=(0, 1))
    return found
