"""Layer descriptors: 16 table words each, as docs/engines/ternary-machine.md lays them out."""

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from ..common.descriptor import DESCRIPTOR_WORDS, SHARED_LAYOUT, ArrayDescriptor, Destination

__all__ = ["Kind", "Destination", "Descriptor", "DESCRIPTOR_WORDS"]


class Kind(IntEnum):
    """What a descriptor makes the engine do."""

    END = 0
    INPUT = 1
    CONV = 2
    DENSE = 3


@dataclass(frozen=True, kw_only=True)
class Descriptor(ArrayDescriptor):
    """One descriptor of the ternary engine.

    Raises ValueError where a value does not fit its field.
    """

    LAYOUT: ClassVar[dict] = SHARED_LAYOUT | {
        "plus_minus": (0, 2, 1),
        "segments": (4, 0, 16), "words": (4, 16, 16),
        "fetch_base": (5, 0, 16), "fetch_m_stride": (5, 16, 16),
        "fetch_seg_stride": (6, 0, 16), "index_base": (6, 16, 16),
        "index_i_stride": (7, 0, 16), "index_j_stride": (7, 16, 16),
        "index_pi_stride": (8, 0, 16), "index_pj_stride": (8, 16, 16),
        "index_seg_stride": (9, 0, 16), "outputs": (9, 16, 16), "activation_bits": (15, 16, 5),
    }

    kind: Kind
    plus_minus: bool = False
    segments: int = 0
    words: int = 0
    fetch_base: int = 0
    fetch_m_stride: int = 0
    fetch_seg_stride: int = 0
    index_base: int = 0
    index_i_stride: int = 0
    index_j_stride: int = 0
    index_pi_stride: int = 0
    index_pj_stride: int = 0
    index_seg_stride: int = 0
    outputs: int = 0
    activation_bits: int = 0
