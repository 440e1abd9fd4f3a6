"""Random numbers of all lanes, and the controller's access to them."""

from amaranth import Array, Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from shiftwork.golden.training.config import RANDOM_BITS
from shiftwork.golden.training.lfsr import STATE_BITS
from shiftwork.golden.training.lfsr import RandomLanes as States

from ..common.delay import delay
from .random_lane import RandomLane

__all__ = ["RandomLanes"]


class RandomLanes(wiring.Component):
    """``lanes`` registers, of the states of golden ``RandomLanes(0, lanes)`` after a reset.

    Parameters
    ----------
    lanes, part : int
        Of ``lanes`` numbers, ``part`` at a time are chosen: powers of two.

    Members
    -------
    step : In(1)
        Of all lanes.
    load : In(1), load_address : In(range(lanes)), load_state : In(32)
        Lane ``load_address``, as it was in the cycle before, takes a state.
    numbers : Out(16 bits of each lane)
        Of the last step; they follow ``step`` and ``load`` in the next cycle.
    address : In(range(lanes)), chosen : Out(16 bits of each of ``part`` lanes), data : Out(16)
        The numbers of lane ``address``'s part, among them its own, ``latency`` = 2 cycles later: those that
        ``numbers`` has 1 cycle later.

    Cost: `RandomLane`, and a multiplexer.
    """

    latency = 2

    def __init__(self, lanes, part=1):
        self._lanes, self._part = lanes, part
        super().__init__({
            "step": In(1), "load": In(1), "load_address": In(range(lanes)), "load_state": In(STATE_BITS),
            "numbers": Out(data.ArrayLayout(RANDOM_BITS, lanes)), "address": In(range(lanes)),
            "chosen": Out(data.ArrayLayout(RANDOM_BITS, part)), "data": Out(RANDOM_BITS),
        })

    def elaborate(self, platform):
        m = Module()
        for n, state in enumerate(States(0, self._lanes).states.tolist()):
            m.submodules[f"lane{n}"] = lane = RandomLane(state)
            loads = delay(m, self.load_address == n, 1, name=f"loads{n}_")
            m.d.comb += [
                lane.step.eq(self.step), lane.load.eq(self.load & loads),
                lane.load_state.eq(self.load_state), self.numbers[n].eq(lane.number),
            ]
        address, within = delay(m, self.address, 1, name="asked"), self._part.bit_length() - 1
        starts = range(0, self._lanes, self._part)
        for n in range(self._part):
            number = Array(self.numbers[k + n] for k in starts)[address >> within]
            m.d.comb += self.chosen[n].eq(delay(m, number, 1, name=f"number{n}_"))
        m.d.comb += self.data.eq(Array(self.chosen)[delay(m, address[:within], 1, name="within")])
        return m
