"""The training engine with buses."""

from amaranth.back import verilog

from ...golden.training.program import MAGIC
from ..common.top import EngineTop

__all__ = ["TrainingTop", "emit"]


class TrainingTop(EngineTop):
    """`TrainingEngine` behind the ports and registers of docs/engines/training-machine.md, "Ports".

    Parameters
    ----------
    config : EngineConfig
    engine : component
        What stands behind the buses, of `TrainingEngine`'s interface; ``TrainingEngine(config)`` unless
        given.
    """

    def __init__(self, config, *, engine=None):
        if engine is None:
            # Only here, so that the buses can be tested with any engine.
            from .engine import TrainingEngine
            engine = TrainingEngine(config)
        c = config
        super().__init__(
            config, engine, MAGIC, streams=(32, 32), registers=(
                c.lanes | c.multipliers << 16, c.block | c.maps << 8,
                c.left_slots | c.right_slots << 16, c.weight_depth | c.z_depth << 16,
                c.program_depth | c.data_depth << 16, c.error_depth | c.winner_depth << 16, 1))


def emit(config):
    """Verilog of ``TrainingTop(config)``, module ``shiftwork_training``."""
    return verilog.convert(TrainingTop(config), name="shiftwork_training", emit_src=False,
                           strip_internal_attrs=True)
