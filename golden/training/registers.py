"""Numbers that the controller, its program and the units agree on: pass registers, ports, parameters."""

import enum

__all__ = ["COUNTERS", "REGISTERS", "REGISTER_BITS", "Element", "Get", "Matrix", "Put", "Slot", "Unit",
           "Update"]

REGISTER_BITS = 24
"""Bits of a pass register; shifts are two's complement."""

REGISTERS = (
    # Of several units.
    "groups", "left_base", "right_base", "wide", "map_base",
    # Matrix unit.
    "matrix_mode", "blocks", "left_stride", "right_stride", "height", "width", "out_height", "out_width",
    "kernel_height", "kernel_width", "stride", "pad_top", "pad_left", "out_base", "sums_base", "keep_most",
    # Element unit.
    "element_mode", "z_base", "z_half", "error_base", "error_half", "winner_base", "rows", "columns",
    "pooled", "error_shift", "product_shift", "flagged",
    # Update unit.
    "update_mode", "weight_base", "tiles", "gradient_shift", "levels", "rate", "momentum",
    # Input unit.
    "channels", "pixels",
    # Loss unit.
    "classes",
)
"""Names of the pass registers; a register's number is its place. docs/engines/training-machine.md."""


class Unit(enum.IntEnum):
    """What START starts."""

    MATRIX = 0
    ELEMENT = 1
    UPDATE = 2
    INPUT = 3
    LOSS = 4


COUNTERS = len(Unit) + 1
"""Counters of cycles: of each unit, and of all of a run."""


class Matrix(enum.IntEnum):
    """Products."""

    FORWARD = 0
    INPUT = 1       #: the input's gradient
    WEIGHT = 2      #: the weight's gradient


class Element(enum.IntEnum):
    """Passes over the outputs of a product."""

    ACTIVATE = 0    #: normalize, scale, rectify, pool, pack
    SUMS = 1        #: sums of E1 and E1 * x_hat
    MOST = 2        #: the greatest dx
    ERROR = 3       #: dx, quantized to E2 and packed
    RAW = 4         #: the wide errors themselves, quantized to E2 and packed; sums of E2


class Update(enum.IntEnum):
    """Passes over weights."""

    ROUND = 0       #: stored parameters to 8 bits, packed
    STEP = 1        #: CQ, momentum, step


class Get(enum.IntEnum):
    """What GET reads; addresses in docs/engines/training-machine.md."""

    MATRIX = 0
    ELEMENT = 1
    RANDOM = 2
    Z = 3
    LENGTH = 4
    SUM = 5
    PLANES = 6
    STORED = 7
    ACCUMULATOR = 8
    CYCLES = 9      #: busy cycles of unit `address` since the run's start; address 5: all cycles
    LOSS = 10


class Put(enum.IntEnum):
    """What PUT writes."""

    REGISTER = 0
    PARAMETER = 1
    ERROR = 2
    PLANES = 3
    RANDOM = 4
    LABEL = 5


class Slot(enum.IntEnum):
    """Parameters of a channel that lanes of the element unit hold; BIAS is the matrix unit's."""

    MEAN = 0        #: 25 bits, grid 2^-15
    MANTISSA = 1    #: 17 bits, unsigned
    SHIFT = 2       #: 6 bits, L + 15 - F
    GAMMA = 3       #: 8 bits
    BETA = 4        #: 8 bits
    P = 5           #: 18 bits
    Q = 6           #: 20 bits
    FACTOR = 7      #: 18 bits
    BIAS = 8        #: 8 bits
