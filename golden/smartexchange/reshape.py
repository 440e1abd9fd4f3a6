"""A layer's weights as one matrix of S columns for each filter, cut into slices of rows, and back.

    convolution of C x R x S weights a filter, S > 1:     row c*R + r, column s holds W[c, r, s]
    C weights a filter (fully connected, 1x1, or C*R):    row i // S, column i % S holds W[i], then zeros

S is the kernel's width, or for the second kind whatever ``Options.size`` says. A depthwise layer is a
convolution of one channel a filter. (arXiv:2005.03403; papers.md 1.3)
"""

from dataclasses import dataclass
from math import prod

import numpy as np

__all__ = ["Layout"]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where each weight of an array of ``shape`` (filters, ...) stands in (filters, rows, size)."""

    shape: tuple[int, ...]      #: (filters, inputs) or (filters, channels / groups, kernel rows, columns)
    size: int                   #: S
    bounds: tuple[int, ...]     #: slice k has rows bounds[k] to bounds[k + 1] - 1
    groups: int = 1

    def __post_init__(self):
        if len(self.shape) not in (2, 4) or not all(type(n) is int and n >= 1 for n in self.shape):
            raise ValueError(f"weights must be of 2 or 4 dimensions, none of them empty, not of {self.shape}")
        if type(self.groups) is not int or self.groups < 1 or self.shape[0] % self.groups:
            raise ValueError(f"groups must divide the {self.shape[0]} filters, not be {self.groups}")
        if self.convolution and self.size != self.shape[3]:
            raise ValueError(f"size must be the kernel's width {self.shape[3]}, not {self.size}")
        steps = [b - a for a, b in zip(self.bounds, self.bounds[1:], strict=False)]
        if not steps or min(steps) < 1 or (self.bounds[0], self.bounds[-1]) != (0, self.rows):
            raise ValueError(f"bounds must grow from 0 to the {self.rows} rows, not be {self.bounds}")

    @classmethod
    def of(cls, shape, *, size=3, height=64, groups=1):
        """Layout of an array of ``shape`` in as few slices of at most height * S rows as there can be.

        Slices differ by at most one row; the longer ones come first. ``height`` None: one slice.
        """
        shape = tuple(shape)
        size = shape[3] if len(shape) == 4 and shape[3] > 1 else size
        whole = prod(shape[1:])
        rows = -(-whole // size)
        count = 1 if height is None else max(-(-rows // (height * size)), 1)
        short, longer = divmod(rows, count)
        bounds = tuple(k * short + min(k, longer) for k in range(count + 1))
        return cls(shape=shape, size=size, bounds=bounds, groups=groups)

    @property
    def convolution(self):
        """Whether a row is a kernel's row, and not a piece of a vector."""
        return len(self.shape) == 4 and self.shape[3] > 1

    @property
    def kind(self):
        return "convolution" if self.convolution else "vector"

    @property
    def filters(self):
        return self.shape[0]

    @property
    def rows(self):
        return -(-prod(self.shape[1:]) // self.size)

    @property
    def slices(self):
        return len(self.bounds) - 1

    @property
    def heights(self):
        """Rows of each slice, int64 (slices,)."""
        return np.diff(self.bounds)

    @property
    def channel_rows(self):
        """Rows that are one channel: R of a convolution; of a vector each row, S inputs, counts as one."""
        return self.shape[2] if self.convolution else 1

    def matrices(self, weights):
        """``weights`` (``shape``) as (filters, rows, size)."""
        if weights.shape != self.shape:
            raise ValueError(f"weights must be of shape {self.shape}, not {weights.shape}")
        flat = weights.reshape(self.filters, -1)
        padded = np.pad(flat, ((0, 0), (0, self.rows * self.size - flat.shape[1])))
        return padded.reshape(self.filters, self.rows, self.size)

    def weights(self, matrices):
        """The inverse of ``matrices``; what stands in the padding is dropped."""
        if matrices.shape != (self.filters, self.rows, self.size):
            raise ValueError(f"matrices must be of shape {(self.filters, self.rows, self.size)}, "
                             f"not {matrices.shape}")
        flat = matrices.reshape(self.filters, -1)[:, :prod(self.shape[1:])]
        return np.ascontiguousarray(flat).reshape(self.shape)

    def product(self, coefficients, basis):
        """C B: (filters, rows, size) of (filters, rows, size) and (filters, slices, size, size)."""
        out = np.empty(coefficients.shape, np.result_type(coefficients, basis))
        for k, (start, end) in enumerate(zip(self.bounds, self.bounds[1:], strict=False)):
            np.matmul(coefficients[:, start:end], basis[:, k], out=out[:, start:end])
        return out
