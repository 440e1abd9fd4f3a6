"""The SmartExchange engine with buses."""

from amaranth.back import verilog

from ...golden.smartexchange.program import MAGIC
from ..common.top import ArrayTop

__all__ = ["SmartExchangeTop", "emit"]


class SmartExchangeTop(ArrayTop):
    """`SmartExchangeEngine` behind the ports and registers of docs/engines/smartexchange-machine.md.

    Parameters
    ----------
    config : SmartExchangeConfig
    engine : component
        What stands behind the buses; unless given, ``RebuildMachine(config)`` where the configuration says
        `rebuild`, else ``SmartExchangeEngine(config)``.
    """

    def __init__(self, config, *, engine=None):
        if engine is None:
            # Only here, so that the buses can be tested with any engine.
            from .engine import SmartExchangeEngine
            from .rebuild_control import RebuildMachine
            engine = (RebuildMachine if config.rebuild else SmartExchangeEngine)(config)
        super().__init__(config, engine, MAGIC, (config.item_depth, config.basis_depth))


def emit(config):
    """Verilog of ``SmartExchangeTop(config)``, module ``shiftwork_smartexchange``."""
    return verilog.convert(SmartExchangeTop(config), name="shiftwork_smartexchange", emit_src=False,
                           strip_internal_attrs=True)
