"""The engines that can be simulated: by the class of their configuration, module and program."""

from dataclasses import dataclass

import numpy as np
from shiftwork.golden.common.program import ArrayProgram
from shiftwork.golden.smartexchange.config import SmartExchangeConfig
from shiftwork.golden.smartexchange.program import Program as SmartExchangeProgram
from shiftwork.golden.ternary.config import TernaryConfig
from shiftwork.golden.ternary.program import Program as TernaryProgram

__all__ = ["Engine", "engine_of"]


@dataclass(frozen=True)
class Engine:
    """Verilog module ``top``, which runs programs of the class ``program``."""

    top: str
    program: type[ArrayProgram]

    def registers(self, config):
        """Addresses of the constant registers, and their values, uint32 (2, count)."""
        rows, weights, table, vector = config.depths
        return np.array([
            (0x00, self.program.MAGIC),
            (0x04, self.program.VERSION | config.fingerprint << 8),
            (0x08, config.lanes | config.grid_rows << 16 | config.grid_columns << 24),
            (0x0C, config.drain_width | config.scatter_width << 8 | config.acc_width << 16
             | config.scale_width << 24),
            (0x24, rows),
            (0x28, weights),
            (0x2C, table),
            (0x30, vector),
            (0x34, config.arrays),
        ], np.uint32).T


_ENGINES = {
    SmartExchangeConfig: Engine("shiftwork_smartexchange", SmartExchangeProgram),
    TernaryConfig: Engine("shiftwork_ternary", TernaryProgram),
}


def engine_of(config):
    """The Engine of a configuration. Raises ValueError where it is none of an engine."""
    if type(config) not in _ENGINES:
        names = " or ".join(sorted(kind.__name__ for kind in _ENGINES))
        raise ValueError(f"Configuration must be a {names}, not {config!r}")
    return _ENGINES[type(config)]
