"""WAGEUBN's formulas in float64, as the paper has them: what the integers are held against."""

import numpy as np


def step(bits):
    return 2.0 ** (1 - bits)


def q(x, bits):
    return np.rint(x / step(bits)) * step(bits)


def r(x):
    most = np.abs(x).max(initial=0)
    return 2.0 ** np.rint(np.log2(most)) if most else 1.0


def sq(x, bits):
    return r(x) * np.clip(q(x / r(x), bits), -1 + step(bits), 1 - step(bits))


def cq(x, dr, u):
    y = dr * x / r(x)
    whole = np.floor(np.abs(y))
    rounded = np.sign(y) * (whole + (np.abs(y) - whole > u))
    return np.clip(rounded, -dr + 1, dr - 1) / 2.0 ** 14


def flag_e2(x):
    sc = r(x) / 2.0 ** 7
    great = sc * np.clip(np.rint(x / sc), -127, 127)
    return np.where(np.abs(x) >= sc, great, sc * np.clip(q(x / sc, 8), -1, 1))


def weight(master):
    return np.clip(q(master, 8), -1 + step(8), 1 - step(8))


def conv(x, w, strides, pads):
    """Loops over taps; x (C, H, W, N)."""
    x = np.pad(x, ((0, 0), (pads[0], pads[2]), (pads[1], pads[3]), (0, 0)))
    rows = (x.shape[1] - w.shape[2]) // strides[0] + 1
    columns = (x.shape[2] - w.shape[3]) // strides[1] + 1
    y = np.zeros((len(w), rows, columns, x.shape[3]))
    for i in range(rows):
        for j in range(columns):
            window = x[:, i * strides[0]:, j * strides[1]:][:, :w.shape[2], :w.shape[3]]
            y[:, i, j] = np.tensordot(w, window, ([1, 2, 3], [0, 1, 2]))
    return y


def conv_gradients(x, w, e, strides, pads):
    """(dx, dw) of ``conv``, output pixel by output pixel."""
    padded = np.pad(x, ((0, 0), (pads[0], pads[2]), (pads[1], pads[3]), (0, 0)))
    dx, dw = np.zeros_like(padded), np.zeros_like(w)
    for i in range(e.shape[1]):
        for j in range(e.shape[2]):
            rows = slice(i * strides[0], i * strides[0] + w.shape[2])
            columns = slice(j * strides[1], j * strides[1] + w.shape[3])
            dw += np.einsum("mn,crsn->mcrs", e[:, i, j], padded[:, rows, columns])
            dx[:, rows, columns] += np.einsum("mn,mcrs->crsn", e[:, i, j], w)
    return dx[:, pads[0]:pads[0] + x.shape[1], pads[1]:pads[1] + x.shape[2]], dw


def channel(vector, like):
    return vector.reshape((-1,) + (1,) * (like.ndim - 1))


def norm_error(e, x_hat, gamma, s):
    axes = tuple(range(1, e.ndim))
    mean = e.mean(axis=axes, keepdims=True)
    slope = (e * x_hat).mean(axis=axes, keepdims=True)
    return channel(gamma / s, e) * (e - mean - x_hat * slope)


def softmax(z):
    power = np.exp(z - z.max(axis=0))
    return power / power.sum(axis=0)
