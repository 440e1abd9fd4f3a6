"""What the columns of the bit-serial array do in each cycle, and for how many cycles."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["WordLength", "SerialControl", "row_range", "step_layout"]


def row_range(config):
    """Numbers of an accumulator's bit rows: ``acc_width``, a copy of the last one, and one never written."""
    return range(2 ** (config.acc_width + 1).bit_length())


def step_layout(config):
    """One step of all columns.

    ``index``: bit row that is written, of what ``write_p``, ``write_n``, ``write_s`` (sums) or ``write_c``
    (carries) name. ``p_row``, ``n_row``: rows that are read, the last one of all if the accumulator counts as
    0. ``bit``: of the activation, if ``use_x``. ``begins``, ``ends``: first or last bit of the operation;
    ``difference``: it is P - N. ``done``: the last step of a dot product.
    """
    rows = row_range(config)
    flags = ("use_x", "write_p", "write_n", "write_s", "write_c", "begins", "ends", "difference", "done")
    return data.StructLayout({
        "index": rows, "p_row": rows, "n_row": rows, "bit": range(config.activation_width),
        **dict.fromkeys(flags, 1)})


class WordLength(wiring.Component):
    """Bits of an accumulator's word, from the interval that its sum of n terms lies in.

        width = w(n)        top = w(n + 1) - 1        w(0) = 0, w(n) = bits of r(n)
        r(n) = n * (2**k - 1) for unsigned activations of k bits, n * 2**k - 1 for signed ones

    up to one bit more than ``acc_width``, where a word grows no more.

    Members
    -------
    bits : In, k; ones : In, 2**k - 1; signed : In(1); constant from three cycles before the first ``add``
    add : In(1), a term is added; clear : In(1), the accumulator is empty again, even with ``add``
    empty, width, top : Out, registered

    Timing: outputs follow ``add`` and ``clear`` in the next cycle. Between two ``add`` there is at least one
    other cycle (a second term has two bits or more), in which r(n + 2) becomes the next growth: so no cycle
    has an addition and a comparison.
    """

    def __init__(self, config):
        self._width = config.acc_width
        super().__init__({
            "bits": In(range(config.activation_width + 1)), "ones": In(config.activation_width),
            "signed": In(1), "add": In(1), "clear": In(1),
            "empty": Out(1, init=1), "width": Out(row_range(config)), "top": Out(row_range(config)),
        })

    def elaborate(self, platform):
        m = Module()
        bound = Signal(self._width + 1)  # r(n + 2)
        grows = Signal()                 # w(n + 2) > w(n + 1)
        following = Signal.like(self.top)
        m.d.comb += following.eq(self.top + 1)
        with m.If(self.add & ~self.clear):
            m.d.sync += [
                self.empty.eq(0), self.width.eq(following), bound.eq(bound + self.ones + self.signed)]
            with m.If(grows):
                m.d.sync += self.top.eq(following)
        with m.Elif(self.clear | self.empty):
            m.d.sync += [
                self.empty.eq(1), self.width.eq(0), self.top.eq(self.bits - 1),
                bound.eq(self.ones * 2 + self.signed), grows.eq(1)]
        with m.Else():
            m.d.sync += grows.eq(bound.bit_select(following, 1))
        return m


class SerialControl(wiring.Component):
    """Turns items into steps, as docs/engines/ternary-serial.md says.

    Members
    -------
    dense, signed : In(1), bits : In; of the layer, constant from three cycles before its first item on
    valid : In(1), an item is here; it stays, with all that follows, until ``ready``
    subtract, zero, null, last : In(1); of the first three one alone, but ``dense`` ignores ``subtract``
    ready : Out(1), there is no item, or this is its last cycle
    step : Out(step_layout), registered: one cycle after the item's cycle

    Timing: an item takes the cycles of its operations; the next one may follow without a gap.
    """

    def __init__(self, config):
        self._config = config
        super().__init__({
            "dense": In(1), "signed": In(1), "bits": In(range(config.activation_width + 1)),
            "valid": In(1), "subtract": In(1), "zero": In(1), "null": In(1), "last": In(1),
            "ready": Out(1), "step": Out(step_layout(config)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.plus = plus = WordLength(self._config)
        m.submodules.minus = minus = WordLength(self._config)
        index = Signal.like(plus.width)
        difference = Signal()
        first, ends, item_ends = Signal(init=1), Signal(), Signal()
        advance = self._phase(m)                 # the last cycle of a bit

        # Ends come from registers, for much waits for `ready`, but for an operation of one bit: nothing, or
        # the first term of an accumulator if activations have one bit.
        subtract, term, follows, unit, single = Signal(), Signal(), Signal(), Signal(), Signal()
        last_bit, over, following = Signal(), Signal(), Signal.like(index)
        m.d.sync += unit.eq(~self.dense & (self.bits == 1))
        m.d.comb += [
            subtract.eq(self.subtract & ~self.dense), term.eq(~difference & ~self.null),
            follows.eq(term & self.last & ~self.dense & (subtract | ~minus.empty)),
            single.eq(self.null | (unit & Mux(subtract, minus.empty, plus.empty))),
            last_bit.eq(Mux(first, single, ends)),
            over.eq(Mux(first, single & ~follows, item_ends)),
            self.ready.eq(~self.valid | (advance & over)),
            following.eq(index + 1),
        ]
        with m.If(advance):
            longest = following == self._config.acc_width - 1
            sum_ends = Mux(self.dense, index, following) == Mux(subtract, minus.top, plus.top)
            difference_ends = (following >= plus.width) & (following >= minus.width)
            reached = longest | Mux(difference, difference_ends, sum_ends)
            m.d.sync += [
                index.eq(following), first.eq(0), ends.eq(reached), item_ends.eq(reached & ~follows)]
            with m.If(last_bit):
                m.d.sync += [
                    index.eq(0), ends.eq(0), item_ends.eq(0), difference.eq(follows), first.eq(~follows)]
        self._lengths(m, plus, minus, advance & last_bit & term, subtract, advance & over & self.last)
        self._step(m, plus, minus, index, difference, subtract, term)
        step = self.step
        m.d.sync += [
            step.begins.eq(index == 0), step.ends.eq(last_bit), step.difference.eq(difference),
            step.write_s.eq(advance & (difference | (self.last & ~follows))),
            step.write_p.eq(advance & term & ~subtract), step.write_n.eq(advance & term & subtract),
            step.write_c.eq(self.valid & ~advance), step.done.eq(advance & over & self.last),
        ]
        return m

    def _phase(self, m):
        """Whether this is the last cycle of a bit: of one, or of two with the carry's own step."""
        if not self._config.carry_write_back:
            return self.valid
        summing = Signal()
        m.d.sync += summing.eq(self.valid & ~summing)
        return summing

    def _lengths(self, m, plus, minus, added, subtract, clear):
        ones = Signal(self._config.activation_width)
        m.d.sync += ones.eq((1 << self.bits) - 1)
        for length, mine in ((plus, ~subtract), (minus, subtract)):
            m.d.comb += [
                length.bits.eq(self.bits), length.ones.eq(ones), length.signed.eq(self.signed),
                length.add.eq(added & mine), length.clear.eq(clear),
            ]

    def _step(self, m, plus, minus, index, difference, subtract, term):
        """What is read. A word that ends before the addition goes on with its sign or, unsigned, with 0."""
        step = self.step
        zero_row = row_range(self._config)[-1]
        for length, mine, row in ((plus, ~subtract, step.p_row), (minus, subtract, step.n_row)):
            past = index >= length.width
            m.d.sync += row.eq(index)
            with m.If(length.empty | ~(difference | (term & mine)) | (past & ~self.signed & ~self.dense)):
                m.d.sync += row.eq(zero_row)
            with m.Elif(difference & past):
                m.d.sync += row.eq(length.width)  # the copy of the sign
        beyond = index >= self.bits
        m.d.sync += [
            step.index.eq(index), step.bit.eq(Mux(beyond, self.bits - 1, index)),
            step.use_x.eq(term & ~self.zero & (self.signed | ~beyond)),
        ]
