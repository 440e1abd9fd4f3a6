"""Layer descriptors: 16 table words each, as docs/engines/smartexchange-machine.md lays them out."""

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


@dataclass(frozen=True, kw_only=True)
class Descriptor(ArrayDescriptor):
    """One descriptor of the SmartExchange engine.

    Raises ValueError where a value does not fit its field.
    """

    LAYOUT: ClassVar[dict] = SHARED_LAYOUT | {
        "lists": (4, 0, 16), "item_base": (4, 16, 16),
        "basis_base": (5, 0, 16), "run_count": (5, 16, 16),
        "column_count": (6, 0, 16), "index_base": (6, 16, 16),
        "index_m_stride": (7, 0, 16), "index_i_stride": (7, 16, 16),
        "index_pi_stride": (8, 0, 16), "index_run_stride": (8, 16, 16),
        "index_column_stride": (9, 0, 16), "tap_count": (9, 16, 3), "hop": (9, 20, 3), "skip": (9, 24, 3),
        "run_outputs": (9, 27, 5),
    }
    LESS_ONE: ClassVar[tuple] = ("run_outputs",)

    kind: Kind
    lists: int = 0
    item_base: int = 0
    basis_base: int = 0
    run_count: int = 0
    column_count: int = 0
    index_base: int = 0
    index_m_stride: int = 0
    index_i_stride: int = 0
    index_pi_stride: int = 0
    index_run_stride: int = 0
    index_column_stride: int = 0
    tap_count: int = 0
    hop: int = 0
    skip: int = 0
    run_outputs: int = 1
