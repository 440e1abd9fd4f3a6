"""What the controller reads of units and memories."""

from amaranth import Const, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...golden.training.config import WIDE_BITS
from ...golden.training.engine_config import TILE_SUM_BITS
from ...golden.training.isa import WORD_BITS
from ...golden.training.registers import REGISTER_BITS, Get
from ..common.delay import delay
from .layouts import vector
from .update import weights

__all__ = ["GetPort", "shapes"]


def shapes(config):
    """{port: shape of what it yields}; Z, STORED, ACCUMULATOR: a vector, of which one lane counts."""
    z, stored = vector(config.side, WIDE_BITS), weights(config.side)
    return {Get.MATRIX: signed(WORD_BITS), Get.ELEMENT: signed(WORD_BITS), Get.RANDOM: 16, Get.Z: z,
            Get.LENGTH: 5, Get.SUM: TILE_SUM_BITS, Get.PLANES: 3, Get.STORED: stored,
            Get.ACCUMULATOR: stored, Get.CYCLES: 32, Get.LOSS: 32}


class GetPort(wiring.Component):
    """The value of port ``kind``: docs/engines/training-machine.md, "Controller".

    Parameters: ``config``: EngineConfig.

    Members
    -------
    kind : In(4), address : In(24), data : Out(signed(88))
    get_NAME : In, for each `Get`
        What the port's memory or unit yields at the address, 4 cycles later at the most.

    Timing: ``data`` follow what the ports yield by 2 cycles.
    """

    def __init__(self, config):
        self._config = config
        ports = {f"get_{kind.name.lower()}": In(shape) for kind, shape in shapes(config).items()}
        super().__init__({
            "kind": In(4), "address": In(REGISTER_BITS), "data": Out(signed(WORD_BITS)), **ports})

    def elaborate(self, platform):
        m = Module()
        lane = delay(m, self.address[:self._config.side.bit_length() - 1], 1, name="lane")
        found = Const(0, 1)
        for kind in shapes(self._config):
            name = kind.name.lower()
            value = getattr(self, f"get_{name}")
            if isinstance(value, data.View):
                value = value[lane]
            if kind in (Get.STORED, Get.ACCUMULATOR):
                value = value[name]
            near = Signal(WORD_BITS, name=f"near_{name}", reset_less=True)
            m.d.sync += near.eq(value)
            found |= near & delay(m, self.kind == kind, 1, name=f"is_{name}").replicate(WORD_BITS)
        m.d.comb += self.data.eq(delay(m, found, 1, name="chosen"))
        return m
