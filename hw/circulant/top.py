"""The circulant engine with buses."""

from amaranth.back import verilog

from ...golden.circulant.program import MAGIC
from ..common.top import EngineTop

__all__ = ["CirculantTop", "emit"]


class CirculantTop(EngineTop):
    """`CirculantEngine` behind the ports and registers of docs/engines/circulant-machine.md, "Ports".

    Parameters
    ----------
    config : CirculantConfig
    engine : component
        What stands behind the buses, of `CirculantEngine`'s interface; ``CirculantEngine(config)`` unless
        given.
    """

    def __init__(self, config, *, engine=None):
        if engine is None:
            # Only here, so that the buses can be tested with any engine.
            from .engine import CirculantEngine
            engine = CirculantEngine(config)
        c = config
        super().__init__(
            config, engine, MAGIC, streams=(32, 32), registers=(
                c.lanes | c.rows << 16 | c.block << 24,
                c.vector_width | c.weight_width << 8 | c.acc_width << 16 | c.sum_width << 24,
                *c.depths, 1))


def emit(config):
    """Verilog of ``CirculantTop(config)``, module ``shiftwork_circulant``."""
    return verilog.convert(CirculantTop(config), name="shiftwork_circulant", emit_src=False,
                           strip_internal_attrs=True)
