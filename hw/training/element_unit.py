"""The element unit: batch normalization, activation, pool and their errors, S elements a cycle."""

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from shiftwork.golden.training.config import WIDE_BITS
from shiftwork.golden.training.engine_config import ERROR_BITS, SUM_BITS
from shiftwork.golden.training.registers import REGISTER_BITS, Element

from ..common.delay import delay
from .element_lane import CYCLES, RAW_EARLIER, STATIC, TIMED, ElementLane
from .element_walk import ERROR_LATER, ElementWalk
from .error_line import ERROR_LIFT
from .lane_parameters import MEMORIES, PARAMETER_BITS, PARAMETERS, SLOT_BITS
from .lane_sums import QUANTITIES
from .layouts import PASS, Z_CYCLES, vector

__all__ = ["ElementUnit"]

_MADE = {Element.SUMS: 0b011, Element.MOST: 0b100, Element.RAW: 0b001}     # of `QUANTITIES`


class ElementUnit(wiring.Component):
    """Passes over one block of channels: docs/engines/training-machine.md, "Element unit".

    Parameters: ``config``: EngineConfig.

    Members
    -------
    registers : In(PASS), constant from ``start`` until ``busy`` falls
        ``groups``, ``rows``, ``columns`` (with a pool, their halves) are at least 1, all are below 2^16;
        ``error_shift`` is -7 .. 40, ``product_shift`` 0 .. 46.
    start : In(1), busy : Out(1)
        From the cycle after ``start`` until all outputs have been given and all sums made.
    z_address, error_address, winner_address : Out(24); z_data, error_data, winner_data : In(vector)
        Numbers of 24 bits, Z_CYCLES later; of 40 and 2 bits, MEMORY_CYCLES later.
    winner_write_address : Out(24), winner_write_data : Out(vector), winner_write : Out(1)
    parameter_address : In, parameter_data : In(signed(25)), parameter_write : In(1)
        (slot * 2 + half) * S + lane. Not while busy.
    probe_address : In, probe_data : Out(signed(40))
        (quantity * 2 + half) * S + lane; 4 cycles later. Not while busy.
    room : In(1), reserve : Out(1)
        In a cycle with ``room`` a tile is begun, which will be given to the packer; ``room`` must be right
        again in the next cycle.
    o_valid : Out(1), o : Out(vector(S, 16))
        2 B vectors a tile: ACTIVATE 0 .. 255, ERROR and RAW signed. Nothing in SUMS and MOST.

    Timing: a vector of z or errors each cycle while there is room: 2 B cycles a tile (pooled ACTIVATE 8 B),
    and fewer than 40 a pass. Reset ends a pass; parameters and sums are not reset.
    Cost: 6 S + 1 multipliers of 18 bits.
    """

    def __init__(self, config):
        self._config = config
        side = config.side
        self._lane_bits = (side - 1).bit_length()
        address, winners = Out(REGISTER_BITS), vector(side, 2, signed=False)
        super().__init__({
            "registers": In(PASS), "start": In(1), "busy": Out(1),
            "z_address": address, "z_data": In(vector(side, WIDE_BITS)),
            "error_address": address, "error_data": In(vector(side, SUM_BITS)),
            "winner_address": address, "winner_data": In(winners),
            "winner_write_address": address, "winner_write_data": Out(winners), "winner_write": Out(1),
            "parameter_address": In(SLOT_BITS + 1 + self._lane_bits),
            "parameter_data": In(signed(PARAMETER_BITS)), "parameter_write": In(1),
            "probe_address": In(3 + self._lane_bits), "probe_data": Out(signed(SUM_BITS)),
            "room": In(1), "reserve": Out(1), "o_valid": Out(1), "o": Out(vector(side, ERROR_BITS))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.walk = walk = ElementWalk(self._config.block)
        m.d.comb += [
            walk.registers.eq(self.registers), walk.start.eq(self.start), walk.room.eq(self.room),
            self.reserve.eq(walk.reserve), self.z_address.eq(walk.z_address),
            self.error_address.eq(walk.error_address), self.winner_address.eq(walk.winner_address)]
        static, windows = self._static(m)
        self._probe = delay(m, self.probe_address, 1, name="probe")     # where it comes from is far
        # Marks and vectors of each cycle of an element; cycle 0 is that in which z is there.
        marks, valid = {-Z_CYCLES: walk.mark}, {-Z_CYCLES: walk.valid}
        for cycle in range(1 - Z_CYCLES, CYCLES["e2"] + 1):
            marks[cycle] = delay(m, marks[cycle - 1], 1, name="mark")
            valid[cycle] = delay(m, valid[cycle - 1], 1, reset_less=False, name="valid")
        timed = self._timed(m, marks, valid, windows)
        self._lanes(m, static, timed, Cat(valid[CYCLES[name] - 1] for name in QUANTITIES))

        closes = ~windows | marks[CYCLES["pooled"]].number.all()
        mode = self.registers.element_mode[:3]
        leaves = Signal()
        for kind, there in ((Element.ACTIVATE, valid[CYCLES["pooled"]] & closes),
                            (Element.RAW, valid[CYCLES["e2"] - RAW_EARLIER]),
                            (Element.ERROR, valid[CYCLES["e2"]])):
            with m.If(delay(m, mode == kind, 1, name=f"is_{kind.name.lower()}")):
                m.d.comb += leaves.eq(there)
        since = CYCLES["pooled"] - (ERROR_LATER - Z_CYCLES)
        m.d.comb += [
            self.o_valid.eq(delay(m, leaves, 1, reset_less=False, name="leaves")),
            self.winner_write.eq(valid[CYCLES["pooled"]] & closes & windows),
            self.winner_write_address.eq(delay(m, walk.winner_address, since, name="winner_address")),
            self.busy.eq(walk.busy | Cat(valid.values()).any() | self.o_valid)]
        return m

    def _static(self, m):
        """What the registers say to lanes, and whether z goes by the windows of a pool."""
        registers = self.registers
        mode, pooled = registers.element_mode[:3], registers.pooled[0]
        static = Signal(STATIC, reset_less=True)
        m.d.sync += [
            static.raw.eq(mode == Element.RAW), static.activate.eq(mode == Element.ACTIVATE),
            static.spread.eq(pooled), static.flagged.eq(registers.flagged),
            static.error_shift.eq(delay(m, registers.error_shift + ERROR_LIFT, 1, name="error_shift")),
            static.product_shift.eq(registers.product_shift + registers.flagged), static.clear.eq(0)]
        for kind, made in _MADE.items():
            with m.If(self.start & (mode == kind)):
                m.d.sync += static.clear.eq(made)
        return static, delay(m, pooled & (mode == Element.ACTIVATE), 1, name="windows")

    def _timed(self, m, marks, valid, windows):
        """What goes with elements. Without a pass, halves of sums are those that are asked for."""
        timed = Signal(TIMED)
        for n, slots in enumerate(MEMORIES):
            begun = [marks[PARAMETERS[slot][1] - 2] for slot in slots]
            half = Cat(mark.first & mark.half for mark in begun).any()
            m.d.comb += timed.load_half[n].eq(delay(m, half, 1, name=f"load_half{n}_"))
        m.d.comb += [
            timed.load.eq(Cat(marks[cycle - 1].first for _, cycle in PARAMETERS.values())),
            timed.number.eq(marks[CYCLES["error"]].number), timed.inside.eq(marks[CYCLES["error"]].inside),
            timed.pool_number.eq(marks[CYCLES["pool"]].number),
            timed.pool_first.eq(~windows | ~marks[CYCLES["pool"]].number.any())]
        mode, probe_half = self.registers.element_mode[:3], self._probe[self._lane_bits]
        for n, name in enumerate(QUANTITIES):
            cycle, kinds = CYCLES[name], [kind for kind, made in _MADE.items() if made >> n & 1]
            wanted = delay(m, Cat(mode == kind for kind in kinds).any(), 1, name=f"makes_{name}")
            # Many flip-flops hang on these: they are registers, made a cycle ahead.
            there, half = valid[cycle - 1], marks[cycle - 1].half
            m.d.comb += [
                timed.half[n].eq(delay(m, Mux(there, half, probe_half), 1, name=f"half_{name}")),
                timed.take[n].eq(delay(m, there & wanted, 1, reset_less=False, name=f"take_{name}"))]
        return timed

    def _lanes(self, m, static, timed, summed):
        """The lanes, and the way to and from what they keep; ``summed``: where a term of a sum comes next."""
        lane_bits, side = self._lane_bits, self._config.side
        address = delay(m, self.parameter_address, 1, name="parameter_address")
        value = delay(m, self.parameter_data, 1, name="parameter_data")
        write = delay(m, self.parameter_write, 1, reset_less=False, name="parameter_write")
        probe_lane, quantity = self._probe[:lane_bits], self._probe[lane_bits + 1:]
        probed = more = Const(0, 1)
        for n in range(side):
            lane = ElementLane()
            shown = Cat(at | ((probe_lane == n) & (quantity == k)) for k, at in enumerate(summed))
            probed, more = probed | lane.sum, more | lane.sum_more
            m.submodules[f"lane{n}"] = lane
            m.d.comb += [
                lane.static.eq(static), lane.timed.eq(timed), lane.z.eq(self.z_data[n]),
                lane.error.eq(self.error_data[n]), lane.winner.eq(self.winner_data[n]),
                self.o[n].eq(lane.o), self.winner_write_data[n].eq(lane.best_winner),
                lane.parameter_half.eq(address[lane_bits]), lane.parameter_slot.eq(address[lane_bits + 1:]),
                lane.parameter_data.eq(value),
                lane.parameter_write.eq(write & (address[:lane_bits] == n)),
                lane.shown.eq(delay(m, shown, 1, name="shown"))]
        # A lane that is not shown has 0.
        m.d.comb += self.probe_data.eq(delay(m, probed + more, 1, name="probe_data"))
