"""A lane of random numbers."""

from amaranth import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from shiftwork.golden.training.config import RANDOM_BITS
from shiftwork.golden.training.lfsr import LAGS, STATE_BITS

__all__ = ["RandomLane"]


class RandomLane(wiring.Component):
    """A shift register of 32 bits that steps by 16: docs/engines/training.md, "Random numbers".

        b[n] = b[n - 32] ^ b[n - 30] ^ b[n - 26] ^ b[n - 25]

    Parameters: ``init``: int, the state after a reset, not 0.

    Members
    -------
    step : In(1)
    load : In(1), load_state : In(32)
        Goes before ``step``; a state that is not 0.
    state : Out(32)
        The last 32 bits, bit 0 the oldest; from the next cycle on.
    number : Out(16)
        The bits of the last step, the oldest its bit 0.

    Cost: 16 XORs of four bits.
    """

    def __init__(self, init):
        super().__init__({
            "step": In(1), "load": In(1), "load_state": In(STATE_BITS),
            "state": Out(STATE_BITS, init=init), "number": Out(RANDOM_BITS),
        })

    def elaborate(self, platform):
        m = Module()
        kept = STATE_BITS - RANDOM_BITS
        # Every lag is at least 16, so none of the new bits depends on another.
        new = [Cat(self.state[STATE_BITS + n - lag] for lag in LAGS).xor() for n in range(RANDOM_BITS)]
        m.d.comb += self.number.eq(self.state[kept:])
        with m.If(self.load):
            m.d.sync += self.state.eq(self.load_state)
        with m.Elif(self.step):
            m.d.sync += self.state.eq(Cat(self.state[RANDOM_BITS:], *new))
        return m
