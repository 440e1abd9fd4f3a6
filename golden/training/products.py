"""Convolution and matrix product of integers, and the two products of their backward pass."""

import numpy as np
from shiftwork.golden.common.layers import patches, unpatch

__all__ = ["exact_product", "forward", "input_gradient", "weight_gradient"]


def exact_product(a, b):
    """a @ b of integer matrices, int64.

    Computed in floating point, which is faster, where no sum can leave the integers that it holds: any order
    of summation is then exact. Raises OverflowError beyond 2 ** 53.
    """
    bound = int(np.abs(a).max(initial=0)) * int(np.abs(b).max(initial=0)) * a.shape[1]
    if bound > 1 << 53:
        raise OverflowError(f"sums of products must be at most 2**53, not {bound}")
    real = np.float32 if bound <= 1 << 24 else np.float64
    return (a.astype(real) @ b.astype(real)).astype(np.int64)


def _geometry(node):
    return node.attributes.get("strides", (1, 1)), node.attributes.get("pads", (0, 0, 0, 0))


def _columns(node, x, weight):
    """x as a matrix (inputs of an output, outputs): patches for a convolution, itself for Gemm."""
    if node.op_type == "Gemm":
        return x
    return patches(x, weight.shape[2:], *_geometry(node)).reshape(weight[0].size, -1)


def _output_shape(node, x, weight):
    if node.op_type == "Gemm":
        return len(weight), x.shape[1]
    (down, right), (top, left, bottom, after) = _geometry(node)
    rows = (x.shape[1] + top + bottom - weight.shape[2]) // down + 1
    columns = (x.shape[2] + left + after - weight.shape[3]) // right + 1
    return len(weight), rows, columns, x.shape[3]


def forward(node, x, weight):
    """z[m, p, n] = sum over c, r, s of weight[m, c, r, s] * x[c, p at tap (r, s), n]; Gemm: weight @ x.

    x is (C, H, W, N) or (K, N), weight (M, C, R, S) or (M, K); int64 (M, OH, OW, N) or (M, N).
    """
    matrix = weight.reshape(len(weight), -1)
    return exact_product(matrix, _columns(node, x, weight)).reshape(_output_shape(node, x, weight))


def weight_gradient(node, x, error, weight):
    """dw[m, c, r, s] = sum over p, n of error[m, p, n] * x[c, p at tap (r, s), n]; of ``weight``'s shape."""
    return exact_product(error.reshape(len(error), -1), _columns(node, x, weight).T).reshape(weight.shape)


def input_gradient(node, error, weight, shape):
    """dx[c, q, n] = sum of weight[m, c, r, s] * error[m, p, n] over m and taps (r, s) at which p reads q."""
    matrix = weight.reshape(len(weight), -1)
    columns = exact_product(matrix.T, error.reshape(len(error), -1))
    if node.op_type == "Gemm":
        return columns
    return unpatch(columns.reshape(*weight.shape[1:], *error.shape[1:]), shape, *_geometry(node))
