"""The integer network: layers whose weights are sparse powers of two times small bases."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..common.integer_network import IntegerLayer, IntegerNetwork, MapLayer

__all__ = ["ConvLayer", "DenseLayer", "FactoredLayer", "PointLayer", "SmartExchangeNetwork", "MIN_SHIFT",
           "MAX_SHIFT", "MAX_EXPONENT"]

MIN_SHIFT = 15
MAX_SHIFT = 30
MAX_EXPONENT = 7


@dataclass(frozen=True, kw_only=True)
class FactoredLayer(IntegerLayer):
    """Weights of a layer of M filters, in rows of S weights:

    W[m, i, s] = sum_j Ce[m, i, j] * B[m, k, j, s]     for bounds[k] <= i < bounds[k + 1]
    Ce = signs * 2 ** exponents
    """

    signs: np.ndarray          #: int8 (M, rows, S): -1, 0, 1
    exponents: np.ndarray      #: int8 (M, rows, S): 0 .. 7, of no meaning where the sign is 0
    bounds: tuple[int, ...]    #: slices' first rows, and the number of rows
    basis: np.ndarray          #: int8 (M, slices, S, S), the row j of a slice's basis at [j]

    @property
    def filters(self):
        """M."""
        return len(self.signs)

    @property
    def rows(self):
        """Rows of coefficients of a filter."""
        return self.signs.shape[1]

    @property
    def taps(self):
        """S."""
        return self.signs.shape[2]

    @property
    def coefficients(self):
        """Ce, int64 (M, rows, S)."""
        return self.signs.astype(np.int64) << self.exponents

    def matrices(self):
        """Ce B, int64 (M, rows, S)."""
        parts = [self.coefficients[:, start:end] @ self.basis[:, k].astype(np.int64)
                 for k, (start, end) in enumerate(zip(self.bounds, self.bounds[1:], strict=False))]
        return np.concatenate(parts, axis=1)


@dataclass(frozen=True, kw_only=True)
class ConvLayer(FactoredLayer, MapLayer):
    """A convolution of R x S kernels, max-pooled: row c*R + r of a filter holds W[m, c, r, :].

    ``depthwise``: filter m reads channel m only, and has R rows.
    """

    kernel_rows: int           #: R
    depthwise: bool = False

    @property
    def kernel(self):
        """R, S."""
        return self.kernel_rows, self.taps

    @property
    def channels(self):
        """C."""
        return self.filters if self.depthwise else self.rows // self.kernel_rows

    def integer_weights(self):
        """int64 (M, C, R, S), C = 1 of a depthwise layer."""
        return self.matrices().reshape(self.filters, -1, *self.kernel)


@dataclass(frozen=True, kw_only=True)
class PointLayer(FactoredLayer, MapLayer):
    """A 1x1 convolution, max-pooled: row i of a filter holds channels i*S .. i*S + S-1.

    Channels are those of the map before and as many of zeros as a multiple of S needs.
    """

    kernel: ClassVar[tuple[int, int]] = (1, 1)

    @property
    def channels(self):
        """C, a multiple of S."""
        return self.rows * self.taps

    def integer_weights(self):
        """int64 (M, C, 1, 1)."""
        return self.matrices().reshape(self.filters, -1, 1, 1)


@dataclass(frozen=True, kw_only=True)
class DenseLayer(FactoredLayer):
    """A fully connected layer: row i of a filter holds inputs i*S .. i*S + S-1.

    Behind a map of C x H x W pixels input (h*W + w)*C' + c is x[c, h, w], 0 for c >= C, C' the least number
    of at least C with which the inputs are a multiple of S (behind a vector H = W = 1).
    """

    @property
    def inputs(self):
        """K, a multiple of S."""
        return self.rows * self.taps

    def integer_weights(self):
        """int64 (M, K)."""
        return self.matrices().reshape(self.filters, -1)


@dataclass(frozen=True, kw_only=True)
class SmartExchangeNetwork(IntegerNetwork):
    """An IntegerNetwork of layers of powers of two times bases."""

    layers: tuple[ConvLayer | PointLayer | DenseLayer, ...]
