"""The ternary engine with buses."""

from amaranth.back import verilog

from ...golden.ternary.program import MAGIC
from ..common.top import ArrayTop

__all__ = ["TernaryTop", "emit"]


class TernaryTop(ArrayTop):
    """`TernaryEngine` behind the ports and registers of docs/engines/ternary-machine.md, "Ports".

    Parameters
    ----------
    config : TernaryConfig
    engine : component
        What stands behind the buses, of `TernaryEngine`'s interface; ``TernaryEngine(config)`` unless given.
    """

    def __init__(self, config, *, engine=None):
        if engine is None:
            # Only here, so that the buses can be tested with any engine.
            from .engine import TernaryEngine
            engine = TernaryEngine(config)
        super().__init__(config, engine, MAGIC, (config.weight_depth, config.vector_depth))


def emit(config):
    """Verilog of ``TernaryTop(config)``, module ``shiftwork_ternary``; the same text for the same config."""
    return verilog.convert(TernaryTop(config), name="shiftwork_ternary", emit_src=False,
                           strip_internal_attrs=True)
