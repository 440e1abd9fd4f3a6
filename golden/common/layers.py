"""Float layers, forward and backward, batch last.

Inside, an activation of N images is an array (C, H, W, N) or (K, N): with the batch as the last axis patches
are copied in long runs, Flatten is a reshape in (channel, row, column) order, and channels are always axis 0.
All functions keep the dtype they are given. ``forward(node, arrays, training, x)`` returns (y, cache), Add
taking two activations; ``backward(node, arrays, dy, cache)`` returns ((dx of each), {tensor name: gradient}).
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

__all__ = ["FORWARD", "BACKWARD", "conv_geometry", "patches", "per_channel", "softmax_cross_entropy",
           "unpatch"]


def patches(x, kernel, strides, pads):
    """img2col: x (C, H, W, N) to (C, R, S, OH, OW, N), zeros where the window leaves the map."""
    top, left, bottom, right = pads
    if any(pads):
        x = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    windows = sliding_window_view(x, kernel, axis=(1, 2))[:, ::strides[0], ::strides[1]]
    return np.ascontiguousarray(windows.transpose(0, 4, 5, 1, 2, 3))


def unpatch(columns, shape, strides, pads):
    """Adjoint of ``patches``: sums (C, R, S, OH, OW, N) back into an array of ``shape`` (C, H, W, N)."""
    top, left, bottom, right = pads
    channels, rows, cols, batch = shape
    out = np.zeros((channels, rows + top + bottom, cols + left + right, batch), columns.dtype)
    _, kr, ks, oh, ow, _ = columns.shape
    for r in range(kr):
        for s in range(ks):
            out[:, r:r + strides[0] * oh:strides[0], s:s + strides[1] * ow:strides[1]] += columns[:, r, s]
    return out[:, top:top + rows, left:left + cols]


def per_channel(vector, like):
    """``vector`` (C,) in a shape that broadcasts with ``like`` (C, ...)."""
    return vector.reshape((-1,) + (1,) * (like.ndim - 1))


def conv_geometry(node):
    """Strides and pads of a Conv."""
    return node.attributes.get("strides", (1, 1)), node.attributes.get("pads", (0, 0, 0, 0))


def _grouped(node, weight, columns):
    """Weights (groups, filters of one, inputs) and ``patches`` (groups, inputs, outputs): matrices."""
    groups = node.attributes.get("group", 1)
    return (weight.reshape(groups, len(weight) // groups, -1),
            columns.reshape(groups, weight[0].size, -1))


def _conv(node, arrays, training, x):
    weight = arrays[node.inputs[1]]
    strides, pads = conv_geometry(node)
    columns = patches(x, weight.shape[2:], strides, pads)
    y = np.matmul(*_grouped(node, weight, columns)).reshape((len(weight),) + columns.shape[3:])
    if len(node.inputs) > 2:
        y += per_channel(arrays[node.inputs[2]], y)
    return y, (columns, x.shape)


def _conv_backward(node, arrays, dy, cache):
    columns, shape = cache
    weight = arrays[node.inputs[1]]
    strides, pads = conv_geometry(node)
    matrices, inputs = _grouped(node, weight, columns)
    flat = dy.reshape(*matrices.shape[:2], -1)
    grads = {node.inputs[1]: (flat @ inputs.transpose(0, 2, 1)).reshape(weight.shape)}
    if len(node.inputs) > 2:
        grads[node.inputs[2]] = dy.reshape(len(weight), -1).sum(axis=1)
    dcolumns = (matrices.transpose(0, 2, 1) @ flat).reshape(columns.shape)
    return (unpatch(dcolumns, shape, strides, pads),), grads


def _gemm(node, arrays, training, x):
    weight = arrays[node.inputs[1]]
    y = (weight if node.attributes.get("transB", 0) else weight.T) @ x
    if len(node.inputs) > 2:
        y += arrays[node.inputs[2]].reshape(-1, 1)
    return y, x


def _gemm_backward(node, arrays, dy, x):
    weight = arrays[node.inputs[1]]
    rows = node.attributes.get("transB", 0)
    grads = {node.inputs[1]: dy @ x.T if rows else x @ dy.T}
    if len(node.inputs) > 2:
        grads[node.inputs[2]] = dy.sum(axis=1).reshape(arrays[node.inputs[2]].shape)
    return ((weight.T if rows else weight) @ dy,), grads


def _batch_norm(node, arrays, training, x):
    gamma, beta, mean, var = (arrays[name] for name in node.inputs[1:])
    if training:
        axes = tuple(range(1, x.ndim))
        mean, var = x.mean(axis=axes), x.var(axis=axes)
    inverse = 1 / np.sqrt(var + var.dtype.type(node.attributes.get("epsilon", 1e-5)))
    if not training:
        factor = gamma * inverse
        return x * per_channel(factor, x) + per_channel(beta - mean * factor, x), None
    normal = (x - per_channel(mean, x)) * per_channel(inverse, x)
    return normal * per_channel(gamma, x) + per_channel(beta, x), (normal, inverse, mean, var)


def _batch_norm_backward(node, arrays, dy, cache):
    normal, inverse, _, _ = cache
    axes = tuple(range(1, dy.ndim))
    dbeta, dgamma = dy.sum(axis=axes), (dy * normal).sum(axis=axes)
    count = dy.dtype.type(dy[0].size)
    dx = dy - per_channel(dbeta / count, dy) - normal * per_channel(dgamma / count, dy)
    dx *= per_channel(arrays[node.inputs[1]] * inverse, dy)
    return (dx,), {node.inputs[1]: dgamma, node.inputs[2]: dbeta}


def _relu(node, arrays, training, x):
    return np.maximum(x, 0), x > 0


def _relu_backward(node, arrays, dy, positive):
    return (dy * positive,), {}


def _pool_slices(node, shape):
    (pr, pc), (tr, tc) = node.attributes["kernel_shape"], node.attributes.get("strides", (1, 1))
    oh, ow = (shape[1] - pr) // tr + 1, (shape[2] - pc) // tc + 1
    return [(slice(None), slice(r, r + tr * (oh - 1) + 1, tr), slice(s, s + tc * (ow - 1) + 1, tc))
            for r in range(pr) for s in range(pc)]


def _max_pool(node, arrays, training, x):
    first, *others = _pool_slices(node, x.shape)
    y = x[first].copy()
    winner = np.zeros(y.shape, np.uint16)
    for n, window in enumerate(others, 1):
        if training:
            winner[x[window] > y] = n
        np.maximum(y, x[window], out=y)
    return y, (winner, x.shape)


def _max_pool_backward(node, arrays, dy, cache):
    winner, shape = cache
    dx = np.zeros(shape, dy.dtype)
    for n, window in enumerate(_pool_slices(node, shape)):
        dx[window] += dy * (winner == n)
    return (dx,), {}


def _flatten(node, arrays, training, x):
    return x.reshape(-1, x.shape[-1]), x.shape


def _flatten_backward(node, arrays, dy, shape):
    return (dy.reshape(shape),), {}


def _add(node, arrays, training, x, other):
    return x + other, None


def _add_backward(node, arrays, dy, cache):
    return (dy, dy), {}


FORWARD = {"Conv": _conv, "Gemm": _gemm, "BatchNormalization": _batch_norm, "Relu": _relu,
           "MaxPool": _max_pool, "Flatten": _flatten, "Add": _add}
BACKWARD = {"Conv": _conv_backward, "Gemm": _gemm_backward, "BatchNormalization": _batch_norm_backward,
            "Relu": _relu_backward, "MaxPool": _max_pool_backward, "Flatten": _flatten_backward,
            "Add": _add_backward}


def softmax_cross_entropy(logits, labels):
    """Mean of -log softmax(logits)[label] over the batch; logits (K, N). Returns (loss, its gradient)."""
    shifted = logits - logits.max(axis=0)
    exponential = np.exp(shifted)
    total = exponential.sum(axis=0)
    batch = np.arange(len(labels))
    loss = float(np.mean(np.log(total) - shifted[labels, batch]))
    gradient = exponential / total
    gradient[labels, batch] -= 1
    return loss, gradient / logits.dtype.type(len(labels))
