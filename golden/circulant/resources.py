"""What an engine takes of a device: multipliers and block RAMs counted, logic estimated.

Multipliers follow from the parts' own counts:

    R (3 h - 1)  lanes: 3 of a complex product, 2 of slot 0's two real ones
    4 + 2 [peepholes]  element unit: of both its elements a slope, a product, a peephole weight
    transforms: `TRANSFORMS`

A memory takes the fewest block RAMs of one shape; memories of at most ``shallow`` words are logic. Logic is a
model of three numbers, fitted to `MEASURED`:

    logic = fixed + bit * R (3 h - 1) acc_width + mux * (bits that are chosen among RAMs of one memory)
            + transforms
"""

from dataclasses import dataclass

import numpy as np

from . import timing
from .config import PRESETS, RESULT_WIDTH, CirculantConfig

__all__ = ["DEVICES", "LOGIC", "MEASURED", "TRANSFORMS", "Device", "Logic", "Resources", "lane_multipliers",
           "memories", "multipliers", "resources"]

TRANSFORMS = {4: (455, 0), 8: (1031, 0), 16: (2130, 0), 32: (2669, 6), 64: (3318, 12)}
"""TRELLIS_COMB and multipliers of both transforms by block size, 16 bits in: measured, packed, by
`shiftwork bench circulant` (docs/results/circulant.json)."""


@dataclass(frozen=True, kw_only=True)
class Device:
    """An FPGA: what it has of each resource, and the shapes (words, bits) of its block RAMs."""

    multipliers: int
    rams: int
    luts: int
    shapes: tuple[tuple[int, int], ...]
    clock: float            #: MHz of the engine on its board
    shallow: int = 32       #: words up to which synthesis makes a memory of logic

    def blocks(self, depth, width):
        """(number, layers) of a memory's block RAMs: how many, and how many one below the other.

        ``depth`` words of ``width`` bits, one port to write and one to read.
        """
        if depth <= self.shallow:
            return 0, 1
        layers = [(-(-depth // words), -(-width // bits)) for words, bits in self.shapes]
        return min((deep * wide, deep) for deep, wide in layers)


DEVICES = {
    "ulx3s-85f": Device(multipliers=156, rams=208, luts=83640, clock=50.0,
                        shapes=((16384, 1), (8192, 2), (4096, 4), (2048, 9), (1024, 18), (512, 36))),
    "icebreaker": Device(multipliers=8, rams=30, luts=5280, clock=24.0,
                         shapes=((2048, 2), (1024, 4), (512, 8), (256, 16))),
}
"""Devices by the names of their boards: LFE5U-85F and iCE40UP5K."""


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What an engine takes: multipliers, block RAMs, bits of all memories, logic cells (estimated)."""

    multipliers: int
    rams: int
    memory_bits: int
    luts: int

    def fits(self, device):
        """Whether ``device`` has as much of each."""
        return (self.multipliers <= device.multipliers and self.rams <= device.rams
                and self.luts <= device.luts)


def lane_multipliers(config):
    """Multipliers of all lanes."""
    return config.rows * (3 * config.slots - 1)


def multipliers(config):
    """Multipliers of the whole engine."""
    return timing.multipliers(config) + TRANSFORMS[config.block][1]


def memories(config):
    """{name: (words, bits of a word)} of all memories."""
    return {
        "weights": (config.weight_depth, config.weight_word),
        "spectra": (config.spectrum_depth, config.block * config.spectrum_width),
        "phases": (config.phase_depth, 192), "rows": (config.row_depth, 96),
        "coefficients": (config.coefficient_depth, 64),
        "states": (config.state_depth, 2 * RESULT_WIDTH),
        "scratch 0": (config.state_depth, 32), "scratch 1": (config.state_depth, 32),
        "output": (config.output_depth, 2 * config.vector_width),
    }


@dataclass(frozen=True, kw_only=True)
class Logic:
    """The model of logic cells: ``fixed``, ``bit`` for an accumulator's bit, ``mux`` for a chosen one."""

    fixed: float
    bit: float
    mux: float

    @classmethod
    def fitted(cls, measured, device):
        """By least squares to ``measured``, pairs (config, logic cells) on ``device``.

        Raises ValueError where they do not tell the three numbers.
        """
        rows = np.array([_parts(config, device) for config, _ in measured], float)
        wanted = np.array([cells - TRANSFORMS[config.block][0] for config, cells in measured], float)
        if np.linalg.matrix_rank(rows) < 3:
            raise ValueError("measured configurations must be three at least that differ in lanes and in "
                             f"memories, not {len(rows)} alike")
        fixed, bit, mux = np.linalg.lstsq(rows, wanted, rcond=None)[0]
        return cls(fixed=float(fixed), bit=float(bit), mux=float(mux))

    def __call__(self, config, device):
        """Logic cells of the engine on ``device``, estimated."""
        found = np.dot((self.fixed, self.bit, self.mux), _parts(config, device))
        return round(found) + TRANSFORMS[config.block][0]


def _blocks(config):
    """Shapes of memories as they are in block RAM: each row's weights stand apart."""
    found = memories(config)
    depth, width = found.pop("weights")
    return [*found.values(), *[(depth, width // config.rows)] * config.rows]


def _parts(config, device):
    """What the model's numbers are multiplied by."""
    chosen = sum(width * (device.blocks(depth, width)[1] - 1) for depth, width in _blocks(config))
    return 1, lane_multipliers(config) * config.acc_width, chosen


def resources(config, device, logic):
    """`Resources` of the engine on ``device``; ``logic``: a `Logic`."""
    found = memories(config)
    return Resources(
        multipliers=multipliers(config), luts=logic(config, device),
        rams=sum(device.blocks(*shape)[0] for shape in _blocks(config)),
        memory_bits=sum(depth * width for depth, width in found.values()))

MEASURED = (
    (PRESETS["tiny"], 5675),
    (CirculantConfig(rows=1), 6384),
    (PRESETS["default"], 8928),
    (CirculantConfig(block=16, rows=2, weight_depth=512, row_depth=512, coefficient_depth=2560,
                     state_depth=512), 10459),
    (PRESETS["google-lstm"], 18084),
)
"""TRELLIS_COMB of whole engines with their buses, packed for the LFE5U-85F (`boards.synthesis.pack`)."""

LOGIC = Logic.fitted(MEASURED, DEVICES["ulx3s-85f"])
"""The model fitted to `MEASURED`."""
