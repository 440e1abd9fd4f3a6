"""Convolution and matrix product of integers, and the two products of their backward pass."""

import numpy as np
from shiftwork.golden.common.layers import conv_geometry, patches, unpatch

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


def _columns(node, x, weight):
    """What each output reads: patches (C, R, S, OH, OW, N) for a convolution, x itself for Gemm."""
    return x if node.op_type == "Gemm" else patches(x, weight.shape[2:], *conv_geometry(node))


def forward(node, x, weight):
    """z[m, p, n] = sum over c, r, s of weight[m, c, r, s] * x[c, p at tap (r, s), n]; Gemm: weight @ x.

    x is (C, H, W, N) or (K, N), weight (M, C, R, S) or (M, K); int64 (M, OH, OW, N) or (M, N).
    """
    columns = _columns(node, x, weight)
    z = exact_product(weight.reshape(len(weight), -1), columns.reshape(weight[0].size, -1))
    return z.reshape(len(weight), *columns.shape[-1 if node.op_type == "Gemm" else -3:])


def weight_gradient(node, x, error, weight):
    """dw[m, c, r, s] = sum over p, n of error[m, p, n] * x[c, p at tap (r, s), n]; of ``weight``'s shape."""
    columns = _columns(node, x, weight).reshape(weight[0].size, -1)
    return exact_product(error.reshape(len(error), -1), columns.T).reshape(weight.shape)


def input_gradient(node, error, weight, shape):
    """dx[c, q, n] = sum of weight[m, c, r, s] * error[m, p, n] over m and taps (r, s) at which p reads q."""
    matrix = weight.reshape(len(weight), -1)
    columns = exact_product(matrix.T, error.reshape(len(error), -1))
    if node.op_type == "Gemm":
        return columns
    return unpatch(columns.reshape(*weight.shape[1:], *error.shape[1:]), shape, *conv_geometry(node))
