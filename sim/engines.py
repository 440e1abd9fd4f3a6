"""The engines that can be simulated: by the class of their configuration, module, program and registers."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from shiftwork.golden.circulant.config import CirculantConfig
from shiftwork.golden.circulant.program import Program as CirculantProgram
from shiftwork.golden.common.program import EngineProgram
from shiftwork.golden.smartexchange.config import SmartExchangeConfig
from shiftwork.golden.smartexchange.program import Program as SmartExchangeProgram
from shiftwork.golden.ternary.config import TernaryConfig
from shiftwork.golden.ternary.program import Program as TernaryProgram
from shiftwork.golden.training.engine_config import EngineConfig
from shiftwork.golden.training.program import Program as TrainingProgram

__all__ = ["Engine", "SequenceEngine", "TrainingEngine", "engine_of"]


@dataclass(frozen=True)
class Engine:
    """Verilog module ``top``, which runs programs of the class ``program``; here of column arrays."""

    top: str
    program: type[EngineProgram]

    ordered: ClassVar[bool] = False
    """Whether a batch's output depends on the batches before it."""

    compilation: ClassVar[dict] = {}
    """Further arguments of `CompiledSimulator`."""

    def registers(self, config):
        """Addresses of the constant registers, and their values, uint32 (2, count)."""
        (lanes, widths), arrays = self._shape(config), getattr(config, "arrays", 1)
        depths = zip((0x24, 0x28, 0x2C, 0x30), self._depths(config), strict=True)
        return np.array([
            (0x00, self.program.MAGIC), (0x04, self.program.VERSION | config.fingerprint << 8),
            (0x08, lanes), (0x0C, widths), *depths, (0x34, arrays)], np.uint32).T

    def _depths(self, config):
        return config.depths

    def _shape(self, config):
        """The registers LANES and WIDTHS."""
        return (config.lanes | config.grid_rows << 16 | config.grid_columns << 24,
                config.drain_width | config.scatter_width << 8 | config.acc_width << 16
                | config.scale_width << 24)

    def beat(self, config):
        """Type and number of an input beat's values, and number of an output beat's."""
        return np.dtype(f"<u{config.activation_width // 8}"), config.drain_width, config.drain_width


class SequenceEngine(Engine):
    """One whose packets have any number of steps, the circulant engine."""

    def _shape(self, config):
        return (config.lanes | config.rows << 16 | config.block << 24,
                config.vector_width | config.weight_width << 8 | config.acc_width << 16
                | config.sum_width << 24)

    def beat(self, config):
        return np.dtype("<u2"), 2, 2


class TrainingEngine(Engine):
    """One that keeps what it learns: packets of words, whose order matters.

    It is compiled in minutes for being in pieces (docs/decisions/0025).
    """

    ordered = True
    compilation = {"optimization": 1, "apart": tuple(f"engine.{name}" for name in (
        "matrix.array.lane*_*", "element.lane?.line", "element.lane?.quantizer", "element.lane?.sums",
        "update.optimizer?", "update.quantizer?"))}

    def _shape(self, config):
        return config.lanes | config.multipliers << 16, config.block | config.maps << 8

    def _depths(self, c):
        return (c.left_slots | c.right_slots << 16, c.weight_depth | c.z_depth << 16,
                c.program_depth | c.data_depth << 16, c.error_depth | c.winner_depth << 16)

    def beat(self, config):
        return np.dtype("<u2"), 2, 2


_ENGINES = {
    CirculantConfig: SequenceEngine("shiftwork_circulant", CirculantProgram),
    EngineConfig: TrainingEngine("shiftwork_training", TrainingProgram),
    SmartExchangeConfig: Engine("shiftwork_smartexchange", SmartExchangeProgram),
    TernaryConfig: Engine("shiftwork_ternary", TernaryProgram),
}


def engine_of(config):
    """The Engine of a configuration. Raises ValueError where it is none of an engine."""
    if type(config) not in _ENGINES:
        *names, last = sorted(kind.__name__ for kind in _ENGINES)
        raise ValueError(f"Configuration must be a {', '.join(names)} or {last}, not {config!r}")
    return _ENGINES[type(config)]
