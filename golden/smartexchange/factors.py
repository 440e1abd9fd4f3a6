"""One layer as sparse powers of two times small integer bases, and what that costs to store."""

from dataclasses import dataclass

import numpy as np

from .options import COEFFICIENT_BITS, MAX_EXPONENTS
from .reshape import Layout

__all__ = ["Factors", "Storage"]

BASIS_BITS = 8


@dataclass(frozen=True, kw_only=True)
class Storage:
    """Bits of a layer's weights in one accounting; scales and biases are not in it."""

    accounting: str         #: name of the accounting, as in ``Factors.accountings``
    coefficients: int       #: of the stored coefficients
    index: int              #: of bitmaps
    basis: int              #: of B

    @property
    def bits(self):
        return self.coefficients + self.index + self.basis


@dataclass(frozen=True, kw_only=True)
class Factors:
    """W[m] = scale[m] * reshaped(C[m] B[m, slice]),  C[m, i, j] = signs[m, i, j] * 2 ** exponents[m, i, j].

    Rows i, slices and the reshaping are those of ``layout``. Raises ValueError with a sentence that says what
    an array must be and what it was.
    """

    layout: Layout
    signs: np.ndarray           #: int8 (filters, rows, S): -1, 0, 1
    exponents: np.ndarray       #: int8 (filters, rows, S): 0 .. 7, 0 where the sign is 0
    basis: np.ndarray           #: int8 (filters, slices, S, S): -127 .. 127; row j goes with column j of C
    scale: np.ndarray           #: float64 (filters,), positive

    def __post_init__(self):
        layout = self.layout
        size = (layout.size, layout.size)
        shapes = {"signs": (layout.filters, layout.rows, layout.size),
                  "exponents": (layout.filters, layout.rows, layout.size),
                  "basis": (layout.filters, layout.slices, *size), "scale": (layout.filters,)}
        kinds = {"signs": np.int8, "exponents": np.int8, "basis": np.int8, "scale": np.float64}
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype != kinds[name]:
                raise ValueError(f"{name} must be {kinds[name].__name__} of shape {shape}, "
                                 f"not {array.dtype} of shape {array.shape}")
        for name, least, most in (("signs", -1, 1), ("exponents", 0, MAX_EXPONENTS - 1),
                                  ("basis", -127, 127)):
            array = getattr(self, name)
            if array.min() < least or array.max() > most:
                raise ValueError(f"{name} must be from {least} to {most}, "
                                 f"not from {array.min()} to {array.max()}")
        if np.any(self.exponents[self.signs == 0]):
            raise ValueError("exponents must be 0 where the sign is 0, not "
                             f"{self.exponents[self.signs == 0].max()}")
        bad = self.scale[~((self.scale > 0) & np.isfinite(self.scale))]
        if bad.size:
            raise ValueError(f"scale must be positive and finite, not {bad[0]}")

    @property
    def kind(self):
        return self.layout.kind

    @property
    def coefficients(self):
        """C, int64 (filters, rows, S)."""
        return self.signs.astype(np.int64) << self.exponents

    def integer_weights(self):
        """C B in the layer's shape, int64, exact: at most S * 127 * 2**7 in magnitude."""
        return self.layout.weights(self.layout.product(self.coefficients, self.basis.astype(np.int64)))

    def weights(self):
        """The layer's weights, float64."""
        scale = self.scale.reshape((-1,) + (1,) * (len(self.layout.shape) - 1))
        return self.integer_weights() * scale

    @property
    def non_zeros(self):
        """Coefficients that are not zero."""
        return int(np.count_nonzero(self.signs))

    @property
    def zero_share(self):
        """Share of zero coefficients (those of the padding are zeros)."""
        return 1 - self.non_zeros / self.signs.size

    @property
    def zero_rows(self):
        """Which rows are zero, bool (filters, rows)."""
        return ~self.signs.any(axis=2)

    @property
    def zero_filters(self):
        """Which filters are zero, bool (filters,)."""
        return self.zero_rows.all(axis=1)

    @property
    def zero_channels(self):
        """Which channels are zero in all filters, bool; a channel of a vector is S inputs."""
        return self.zero_rows.all(axis=0).reshape(-1, self.layout.channel_rows).all(axis=1)

    def accountings(self):
        """The layer's Storage by accounting. A coefficient has 4 bits, an element of B has 8.

        * ``elements``: the coefficients that are not zero, and a bitmap of all coefficients (the paper's).
        * ``rows``: all coefficients of rows that are not zero, and a bitmap of all rows. A zero within such a
          row needs a code, so it is not there if a coefficient of the layer has the exponent 7 and such a
          zero exists.
        * ``rows, elements``: the coefficients that are not zero, a bitmap of all rows, and one of the
          coefficients of rows that are not zero.
        * each of them as ``channels, ...``: a bitmap of filters and one of channels, and then the accounting
          of what is left when zero filters and channels, and bases of zero filters, are not stored.

        ``scale`` and biases belong to requantizing, one of each a filter, and are counted by nobody.
        """
        size, filters, rows = self.layout.size, self.layout.filters, self.layout.rows
        kept = int(np.count_nonzero(~self.zero_rows))
        index = {"elements": (0, size), "rows": (1, 0), "rows, elements": (1, size)}
        live_filters = int(np.count_nonzero(~self.zero_filters))
        live_rows = int(np.count_nonzero(~self.zero_channels)) * self.layout.channel_rows
        coded = self.exponents.max() < MAX_EXPONENTS - 1 or self.non_zeros == kept * size
        found = {}
        for prefix, vectors, bases, header in (
                ("", filters * rows, filters, 0),
                ("channels, ", live_filters * live_rows, live_filters, filters + self.zero_channels.size)):
            basis = BASIS_BITS * size * size * self.layout.slices * bases
            for name, (row_bits, element_bits) in index.items():
                if name == "rows" and not coded:
                    continue
                stored = self.non_zeros if element_bits else kept * size
                mapped = kept if row_bits else vectors
                found[prefix + name] = Storage(
                    accounting=prefix + name, coefficients=COEFFICIENT_BITS * stored, basis=basis,
                    index=header + row_bits * vectors + element_bits * mapped)
        return found

    def storage(self):
        """The Storage of least bits; of equals the first of ``accountings``."""
        return min(self.accountings().values(), key=lambda storage: storage.bits)

    def storage_bits(self):
        return self.storage().bits
