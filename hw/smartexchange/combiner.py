"""The basis combination: dot products times coefficients of the basis, added up to sums."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .layouts import COEFFICIENT_BITS, Widths

__all__ = ["Combiner"]

PART = 18  # bits of a factor that every FPGA's multiplier takes, two's complement


class Combiner(wiring.Component):
    """Sums of E lanes a cycle, and the memories that they stand in.

        sum = (0 if restart else sums[read_sum]) + coefficient * (~t if flip else t)    modulo 2 ** sum_width
        sums[write_sum] = sum where ``combine``, finished[write_finished] = sum where ``finish``

    Members
    -------
    t : In, E dot products; flip : In(1): one cycle after the step that selects them
    coefficient : In; read_sum : In (``read``): two cycles after the step
    restart : In(1): three cycles after the step
    write_sum, write_finished, combine, finish : In: ``write`` cycles after the step
    read_finished : In, a vector of E complete sums; part : In, D of them, one cycle later
    result : Out(ArrayLayout(signed(sum_width), D)), two cycles after ``read_finished``

    Timing: one step a cycle. A vector of sums that a step writes is read by one ``write - read + 1`` = 4
    cycles later or more. No step comes earlier: two steps of one vector of a sum are of two dot products, so
    (rule 2, X at least GAP = 6 or K times the number of taps) 6 cycles apart, or 4 where the sum is one tap
    earlier in the second one: that has K less than the first one's X, which is then at least 2 K; K is at
    least 2.

    Cost: for each of the E lanes one multiplier of 18 x 15 bits, the rest of t by gates; an adder of
    ``sum_width`` bits; memories of ``taps`` * P (rounded up) and of FINISHED * P sums.
    """

    read = 2
    write = 5

    def __init__(self, config):
        self._config = config
        w = Widths(config)
        super().__init__({
            "t": In(data.ArrayLayout(signed(config.acc_width), config.combine_width)), "flip": In(1),
            "coefficient": In(signed(COEFFICIENT_BITS)), "read_sum": In(w.sum), "restart": In(1),
            "write_sum": In(w.sum), "write_finished": In(w.finished), "combine": In(1), "finish": In(1),
            "read_finished": In(w.finished), "part": In(w.part),
            "result": Out(data.ArrayLayout(signed(config.sum_width), config.drain_width)),
        })

    def elaborate(self, platform):
        m = Module()
        config, w = self._config, Widths(self._config)
        word = data.ArrayLayout(config.sum_width, config.combine_width)
        # never is a vector read in the cycle in which it is written
        m.submodules.sums = sums = Memory(shape=word, depth=2 ** w.sum, init=[], attrs={"no_rw_check": 1})
        m.submodules.finished = finished = Memory(shape=word, depth=2 ** w.finished, init=[])
        sums_w, sums_r = sums.write_port(), sums.read_port()
        finished_w, finished_r = finished.write_port(), finished.read_port(domain="comb")
        before = Signal(word, reset_less=True)
        total = Signal(word, reset_less=True)
        m.d.sync += before.eq(sums_r.data)
        with m.If(self.restart):
            m.d.sync += before.eq(0)
        m.d.comb += [
            sums_r.addr.eq(self.read_sum),
            sums_w.addr.eq(self.write_sum), sums_w.data.eq(total), sums_w.en.eq(self.combine),
            finished_w.addr.eq(self.write_finished), finished_w.data.eq(total),
            finished_w.en.eq(self.finish), finished_r.addr.eq(self.read_finished),
        ]
        for e in range(config.combine_width):
            m.d.sync += total[e].eq(before[e] + self._product(m, e))

        vector, result = Signal(word, reset_less=True), Signal.like(self.result, reset_less=True)
        m.d.comb += self.result.eq(result)
        m.d.sync += [
            vector.eq(finished_r.data),
            result.eq(vector.as_value().word_select(self.part, len(result.as_value()))),
        ]
        return m

    def _product(self, m, e):
        """coefficient * t[e], three cycles after ``t``, modulo 2 ** sum_width."""
        config = self._config

        def stage(value, name, width=config.sum_width):
            register = Signal(width, name=f"{name}_{e}", reset_less=True)
            m.d.sync += register.eq(value)
            return register

        flip = self.flip.replicate(config.acc_width)
        t = stage(self.t[e] ^ flip, "t", config.acc_width).as_signed()
        low = stage(t[:PART].as_signed() * self.coefficient, "low")
        if config.acc_width <= PART:
            return stage(low, "product")
        # what is left of t, a carry for the sign of the lower part included
        upper = (t >> PART) + t[PART - 1]
        if config.acc_width <= PART + 2:
            # -2 .. 2
            one, two, negative = upper[0], upper[1] & ~upper[0], upper[2]
            high = (Mux(one, self.coefficient, 0) | Mux(two, self.coefficient << 1, 0))
            high = stage(Mux(negative, ~high, high), "high", config.sum_width - PART)
            negative = stage(negative, "negative", 1)
        else:
            high, negative = stage(upper * self.coefficient, "high", config.sum_width - PART), 0
        above = (low[PART:] + high + negative)[:config.sum_width - PART]
        return stage(Cat(low[:PART], above), "product")
