"""Shares of zeros and of non-zero digits: the published ones with their tags, and ours."""

from dataclasses import dataclass
from enum import StrEnum

from .expectation import non_zero_parts

__all__ = ["DIGITS", "PUBLISHED", "Published", "Reading", "Statistics", "statistics"]

DIGITS = 4
"""Radix-4 Booth digits of an 8-bit activation, the reading that agrees with both published shares [D]."""


@dataclass(frozen=True)
class Published:
    """A row of the paper's compression table [M-mid, arith-ok]; None where the table has no such network."""

    megabytes: float | None     #: of the network in float32
    rate: float | None          #: how many times smaller it becomes
    zeros: float                #: share of zero coefficients


PUBLISHED = {
    "VGG11": Published(845.75, 47.04, 0.860),
    "ResNet50": Published(102.40, 11.53, 0.450),
    "MobileNetV2": Published(13.92, 6.57, 0.0),
    "EfficientNet-B0": Published(20.40, 6.67, 0.0),
    "VGG19": Published(80.13, 74.19, 0.928),
    "ResNet164": Published(6.75, 8.04, 0.376),
    "DeepLabV3+": Published(None, None, 0.450),     # [ours]: as its backbone, ResNet50
}
"""By network. Where the table has two points (ResNet50, VGG19, ResNet164), the more accurate one."""


class Reading(StrEnum):
    """What the published share of zero coefficients says of rows: S coefficients that are skipped together.

    The paper prunes vector-wise. With ROWS its compressed sizes of VGG11 and ResNet50 are met within 6 %
    (comparison.stored_megabytes), with ELEMENTS they are 56 % and 20 % too large; so ROWS is the default.
    """

    ROWS = "rows"           #: zeros are whole rows: as many rows are zero as coefficients
    ELEMENTS = "elements"   #: zeros are independent: of a row all S must happen to be zero, share ** S


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """What a machine's cost depends on beside the layer's shape. Zeros are random and independent.

    Activations: 45 % are zero [ours]. Of 8 bits 20.2 % and of 4 Booth digits 34.0 % are not zero, zeros
    included [T:SEnotes, measured there on MobileNetV2; used for all networks, ours]. From them follow the
    distributions ``bits`` and ``digits`` (expectation.non_zero_parts) [ours].

    Weights: the pruned networks of SCNN and Cambricon-X are not to be had. They get as many zero weights as
    SmartExchange has zero coefficients [ours, generous to them].

    Raises ValueError with a sentence that names the share, what it must be and what it was.
    """

    weight_zeros: float = 0.0
    coefficient_zeros: float = 0.0
    reading: Reading = Reading.ROWS
    activation_zeros: float = 0.45
    activation_row_zeros: float = 0.0   #: share of rows of activations that are all zero; 0.271 at most [T]
    average_bits: float = 8 * 0.202
    average_digits: float = DIGITS * 0.34

    def __post_init__(self):
        for name in ("weight_zeros", "coefficient_zeros", "activation_zeros", "activation_row_zeros"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be between 0 and 1, not {getattr(self, name)!r}")
        if self.reading not in list(Reading):
            raise ValueError(f"reading must be one of {', '.join(Reading)}, not {self.reading!r}")
        non_zero_parts(8, self.average_bits, self.activation_zeros)     # refuses what cannot be
        non_zero_parts(DIGITS, self.average_digits, self.activation_zeros)

    @property
    def bits(self):
        """Distribution of an activation's non-zero bits, 0 to 8."""
        return non_zero_parts(8, self.average_bits, self.activation_zeros)

    @property
    def digits(self):
        """Distribution of an activation's non-zero Booth digits, 0 to 4."""
        return non_zero_parts(DIGITS, self.average_digits, self.activation_zeros)

    def row_zeros(self, size):
        """Share of coefficient rows of ``size`` that are zero."""
        return self.coefficient_zeros ** (1 if self.reading == Reading.ROWS else size)


def statistics(network, **changes):
    """Statistics of a published network; raises ValueError where its name is not in PUBLISHED."""
    if network not in PUBLISHED:
        raise ValueError(f"network must be one of {', '.join(PUBLISHED)}, not {network!r}")
    zeros = PUBLISHED[network].zeros
    return Statistics(**{"weight_zeros": zeros, "coefficient_zeros": zeros} | changes)
