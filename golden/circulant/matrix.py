"""Block-circulant matrices: k x k blocks that their first columns tell, and products by Fourier transforms.

    W (m x n) = p x q blocks of k x k, p = ceil(m / k), q = ceil(n / k), the last rows and columns cut off
    block (i, j):  M[a, b] = w[i, j, (a - b) mod k]                     w[i, j] is the first column
    (W x)[i] = IFFT( sum over j of FFT(w[i, j]) . FFT(x[j]) )           the convolution theorem

(arXiv:1708.08917, 1803.06305, 1812.07106.) The papers call w the first row; then M[a, b] = w[(b - a) mod k],
and the product needs conj(FFT(w)): `BlockCirculant.of_rows` turns it round. Functions take arrays with
further axes in front, one matrix for each (the gates of a cell, say).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

__all__ = ["BLOCK_SIZES", "BlockCirculant", "Stack", "block_counts", "columns_of_rows",
           "diagonal_sums", "expand", "project"]

BLOCK_SIZES = (2, 4, 8, 16, 32, 64)


def block_counts(shape, size):
    """(p, q) of a matrix of ``shape`` (..., m, n). Raises ValueError where ``size`` is no block size."""
    if size not in BLOCK_SIZES:
        raise ValueError(f"block size must be one of {', '.join(map(str, BLOCK_SIZES))}, not {size!r}")
    return -(-shape[-2] // size), -(-shape[-1] // size)


def columns_of_rows(rows):
    """First columns (..., k) of blocks of first rows ``rows`` (..., k): w[d] = rows[-d mod k]."""
    return rows[..., -np.arange(rows.shape[-1]) % rows.shape[-1]]


def _differences(size):
    """(a - b) mod k for row a and column b of a block."""
    return np.subtract.outer(np.arange(size), np.arange(size)) % size


def expand(columns, shape):
    """The dense matrices (..., m, n) of first columns (..., p, q, k), ``shape`` being (..., m, n)."""
    *front, p, q, size = columns.shape
    if (*front, p, q) != (*shape[:-2], *block_counts(shape, size)):
        raise ValueError(f"first columns of a matrix {tuple(shape)} must be of shape "
                         f"{(*shape[:-2], *block_counts(shape, size), size)}, not {columns.shape}")
    blocks = np.swapaxes(columns[..., _differences(size)], -3, -2)      # (..., p, a, q, b)
    return np.ascontiguousarray(blocks.reshape(*front, p * size, q * size)[..., :shape[-2], :shape[-1]])


def diagonal_sums(dense, size):
    """s[..., i, j, d], the sum of block (i, j) of ``dense`` (..., m, n) over all (a, b), (a - b) mod k = d.

    The adjoint of `expand`: the gradient by the first columns, ``dense`` being the gradient by the matrix.
    """
    *front, m, n = dense.shape
    p, q = block_counts(dense.shape, size)
    padded = np.zeros((*front, p * size, q * size), dense.dtype)
    padded[..., :m, :n] = dense
    blocks = np.swapaxes(padded.reshape(*front, p, size, q, size), -3, -2)
    b = np.arange(size)
    return blocks[..., (b[:, None] + b) % size, b].sum(axis=-1)     # [d, b] is row (d + b) mod k


def project(dense, size):
    """First columns (..., p, q, k) of the block-circulant matrix nearest to ``dense`` (..., m, n).

        w[i, j, d] = mean of the entries of block (i, j) with (a - b) mod k = d

    which has the least ||W - dense|| (Frobenius). Entries that the last blocks lack do not count; a diagonal
    that has none is 0.
    """
    counts = diagonal_sums(np.ones(dense.shape[-2:], dense.dtype), size)
    return diagonal_sums(dense, size) / np.maximum(counts, 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class BlockCirculant:
    """A matrix of ``shape`` (m, n), of first columns ``columns`` (p, q, k), float."""

    shape: tuple[int, int]
    columns: np.ndarray

    def __post_init__(self):
        if len(self.shape) != 2 or min(self.shape) < 1:
            raise ValueError(f"shape must be (rows, columns), both at least 1, not {self.shape}")
        wanted = block_counts(self.shape, self.size)
        if self.columns.ndim != 3 or self.columns.shape[:2] != wanted:
            raise ValueError(f"first columns of a matrix {self.shape} must be of shape "
                             f"{(*wanted, self.size)}, not {self.columns.shape}")

    @classmethod
    def nearest(cls, dense, size):
        """The projection of ``dense`` (m, n)."""
        return cls(shape=dense.shape, columns=project(dense, size))

    @classmethod
    def of_rows(cls, shape, rows):
        """The matrix whose blocks have the first rows ``rows`` (p, q, k): w[d] = rows[-d mod k]."""
        return cls(shape=shape, columns=columns_of_rows(rows))

    @property
    def size(self):
        """k."""
        return self.columns.shape[-1]

    @cached_property
    def spectra(self):
        """FFT(w), complex (p, q, k / 2 + 1); bins 0 and k / 2 are real, so that k reals tell all."""
        return np.fft.rfft(self.columns)

    @property
    def storage(self):
        """Real numbers stored: p * q * k, of first columns as of spectra."""
        return self.columns.size

    @property
    def multiplications(self):
        """Real multiplications of the products of spectra: 2 + 4 (k / 2 - 1) = 2 k - 2 a block."""
        return self.columns.size // self.size * (2 * self.size - 2)

    def dense(self):
        """The matrix (m, n)."""
        return expand(self.columns, self.shape)

    def accumulate(self, x):
        """sum over j of FFT(w[i, j]) . FFT(x[j]), complex (..., p, k / 2 + 1), of ``x`` (..., n).

        q forward transforms; x is padded with zeros. Raises ValueError for another length of x.
        """
        if x.shape[-1:] != self.shape[1:]:
            raise ValueError(f"vector must have {self.shape[1]} entries, not {x.shape[-1]}")
        p, q, size = self.columns.shape
        padded = np.zeros((*x.shape[:-1], q * size), x.dtype)
        padded[..., :x.shape[-1]] = x
        spectrum = np.fft.rfft(padded.reshape(*x.shape[:-1], q, size))
        return np.einsum("pqf,...qf->...pf", self.spectra, spectrum)

    def matvec(self, x):
        """W x, (..., m), of ``x`` (..., n): q forward and p inverse transforms, sums in between."""
        return _inverse(self.accumulate(x), self.size, self.shape[0])


def _inverse(spectrum, size, rows):
    found = np.fft.irfft(spectrum, size)
    return found.reshape(*found.shape[:-2], -1)[..., :rows]


@dataclass(frozen=True, kw_only=True, eq=False)
class Stack:
    """[W_1 W_2 ...], parts side by side, which may differ in block size: W_1 x_1 + W_2 x_2 + ...

    Parts of one block size share their p inverse transforms; different sizes are added behind them.
    """

    parts: tuple[BlockCirculant, ...]

    def __post_init__(self):
        rows = [part.shape[0] for part in self.parts]
        if len(set(rows)) != 1:
            raise ValueError(f"parts must have equally many rows, not {rows}")

    @property
    def shape(self):
        return self.parts[0].shape[0], sum(part.shape[1] for part in self.parts)

    @property
    def storage(self):
        """Real numbers stored."""
        return sum(part.storage for part in self.parts)

    @property
    def transforms(self):
        """Forward and inverse transforms of one product: the sum of q, and p of each block size."""
        inverse = {part.size: part.columns.shape[0] for part in self.parts}
        return sum(part.columns.shape[1] for part in self.parts), sum(inverse.values())

    def dense(self):
        """The matrix (m, n_1 + n_2 + ...)."""
        return np.concatenate([part.dense() for part in self.parts], axis=1)

    def matvec(self, *vectors):
        """W_1 x_1 + W_2 x_2 + ..., (..., m), of as many vectors (..., n_i) as there are parts."""
        sums = {}
        for part, x in zip(self.parts, vectors, strict=True):
            found = part.accumulate(x)
            sums[part.size] = sums[part.size] + found if part.size in sums else found
        return sum(_inverse(spectrum, size, self.shape[0]) for size, spectrum in sums.items())
