"""Random numbers of all lanes, and the controller's access to them."""

from amaranth import Array, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from shiftwork.golden.training.config import RANDOM_BITS
from shiftwork.golden.training.lfsr import STATE_BITS
from shiftwork.golden.training.lfsr import RandomLanes as States

from .random_lane import RandomLane

__all__ = ["RandomLanes"]


class RandomLanes(wiring.Component):
    """``lanes`` registers, of the states of golden ``RandomLanes(0, lanes)`` after a reset.

    Members
    -------
    step : In(1)
        Of all lanes.
    load : In(1), address : In(range(lanes)), load_state : In(32)
        Lane ``address`` takes a state.
    numbers : Out(16 bits of each lane)
        Of the last step; they follow ``step`` and ``load`` in the next cycle.
    data : Out(16)
        The number of lane ``address``, ``latency`` = 2 cycles later.

    Cost: `RandomLane`, and a multiplexer.
    """

    latency = 2

    def __init__(self, lanes):
        self._lanes = lanes
        super().__init__({
            "step": In(1), "load": In(1), "address": In(range(lanes)), "load_state": In(STATE_BITS),
            "numbers": Out(data.ArrayLayout(RANDOM_BITS, lanes)), "data": Out(RANDOM_BITS),
        })

    def elaborate(self, platform):
        m = Module()
        address = Signal.like(self.address)
        for n, state in enumerate(States(0, self._lanes).states.tolist()):
            m.submodules[f"lane{n}"] = lane = RandomLane(state)
            m.d.comb += [
                lane.step.eq(self.step), lane.load.eq(self.load & (self.address == n)),
                lane.load_state.eq(self.load_state), self.numbers[n].eq(lane.number),
            ]
        m.d.sync += [address.eq(self.address), self.data.eq(Array(self.numbers)[address])]
        return m
