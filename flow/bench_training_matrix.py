"""Utilization of the training engine's matrix unit: each of the three products of a layer, in the RTL."""

from dataclasses import dataclass

import numpy as np
from shiftwork.golden.common.layers import patches
from shiftwork.golden.common.program import Section
from shiftwork.golden.training.engine_config import PLANES, EngineConfig
from shiftwork.golden.training.isa import INSTRUCTION_BITS
from shiftwork.golden.training.macros import MacroAssembler
from shiftwork.golden.training.program import MAP_BITS, Memory, Program
from shiftwork.golden.training.registers import Get, Matrix, Unit, Update

from . import build as folders
from . import rtl_training, training
from .bench import at_least
from .training_program import beats, words

__all__ = ["ENTRIES", "PRODUCTS", "Shape", "pass_program"]

PRODUCTS = {"forward": Matrix.FORWARD, "backward": Matrix.INPUT, "gradient": Matrix.WEIGHT}

_LEAST = 0.90


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A convolution of one tile of channels and one of filters, kernel 3 by 3, padding 1."""

    channels: int = 16
    size: int = 8       #: rows and columns of the map
    groups: int = 2     #: of as many images as a tile has

    @property
    def tiles(self):
        return self.size ** 2 * self.groups

    @property
    def useful(self):
        """Multiplications of each product: what the padding would need is none."""
        inside = np.ones((1, self.size, self.size, 1), np.int64)
        pairs = int(patches(inside, (3, 3), (1, 1), (1, 1, 1, 1)).sum())
        return self.channels ** 2 * pairs * self.groups * self.channels

    @property
    def config(self):
        """An engine whose tiles are ``channels`` wide, with room for this."""
        vectors = self.tiles * self.channels
        return EngineConfig(
            side=self.channels // 2, left_slots=self.tiles, right_slots=self.tiles, maps=self.tiles,
            z_depth=vectors, error_depth=vectors, winner_depth=16, weight_depth=2 * vectors,
            program_depth=128, data_depth=16)


def _section(memory, values, width):
    return Section.from_bits(memory, 0, np.array([[value >> n & 1 for n in range(width)]
                                                  for value in values], bool))


def pass_program(shape, mode, config):
    """The Program for an engine of ``config`` that does one product, both halves, on operands of 8 bits.

    It answers its cycles.

    Operands are zeros: both memories are filled with tiles, which serve as weights, errors and activations.
    """
    asm = MacroAssembler()
    count, = asm.registers("count")
    for name, value in {
        "groups": shape.groups, "channels": shape.channels, "pixels": shape.size ** 2, "blocks": 1,
        "update_mode": Update.ROUND, "tiles": shape.tiles, "height": shape.size, "width": shape.size,
        "out_height": shape.size, "out_width": shape.size, "kernel_height": 3, "kernel_width": 3,
        "stride": 1, "pad_top": 1, "pad_left": 1,
        **dict.fromkeys(("left_base", "right_base", "wide", "map_base", "left_stride", "right_stride",
                         "out_base", "sums_base", "keep_most", "weight_base"), 0),
    }.items():
        asm.register(name, value)
    asm.run(Unit.UPDATE)
    asm.run(Unit.INPUT)
    asm.check()
    for half in (0, 1):
        asm.register("matrix_mode", mode | half << 2)
        asm.run(Unit.MATRIX)
    asm.get(count, Get.CYCLES, Unit.MATRIX)
    asm.out(count, last=True)
    asm.halt()
    instructions = [one.word for one in asm.program(config)]
    return Program(config, (
        _section(Memory.PROGRAM, instructions, INSTRUCTION_BITS),
        _section(Memory.MAP, [PLANES - 1] * shape.config.maps, MAP_BITS)))


def utilization(bench):
    """Useful multiplications of 8 by 8 bits a cycle in which the matrix unit is busy, by the multipliers."""
    from .bench_training_rtl import engine

    shape, config = Shape(), engine()
    rtl = bench.once(("rtl", config), lambda: training.verilog(config))
    bytes_ = shape.tiles * shape.channels ** 2
    with rtl_training.hardware(rtl, folders.cache(), bench.note) as session:
        for name, mode in PRODUCTS.items():
            bench.note(f"{name} of {shape.channels} channels")
            packet = beats(np.zeros(bytes_ // 4, np.uint32))
            found = session.run(packet, pass_program(shape, mode, config).to_words(), f"Product {name}")
            cycles = int(words(found.values)[0])
            yield at_least(f"matrix/utilization-{name}", f"of {config.multipliers} multiplications a cycle, "
                           f"{shape.channels} channels", shape.useful / (config.multipliers * cycles), _LEAST)


ENTRIES = {"matrix/utilization": utilization}
