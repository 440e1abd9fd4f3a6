"""The element unit: what becomes of the rows that the inverse transform yields."""

from amaranth import Cat, Const, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from shiftwork.golden.circulant.config import ELEMENT_LATENCY, PRE_WIDTH, RESULT_WIDTH
from shiftwork.golden.circulant.transform import widths

from ..common.delay import delay
from .element_line import FIELD_CYCLES, RESULT_CYCLE, ElementLine, element_fields
from .layouts import COEFFICIENTS, ROW
from .pairs import pairs
from .swap import lines

__all__ = ["ElementUnit"]


class ElementUnit(wiring.Component):
    """Rows of h pairs of elements, one row word each: docs/engines/circulant-machine.md, "Row".

    Parameters: ``config``: CirculantConfig.

    Members
    -------
    i : In(lines(bits of what the inverse transform yields))
        A row's pairs, in its cycles 0 .. h - 1.
    early_first : In(1)
        A row begins h cycles later. Not sooner than h cycles after the one before.
    first_step, parity : In(1)
        Of the step that the row belongs to, from ``early_first`` to the row's cycle 16: it is the sequence's
        first; alternating addresses are in their other half.
    restart : In(1)
        The next row is that of row word 0; two cycles before the row's ``early_first`` or earlier, and h
        cycles behind that of the one before.
    vector : Out(lines(V))
        vec of the row, in its cycles 16 .. 16 + h - 1. With the first pair
    vector_first : Out(1), target : Out
        the row is for the forward transform, and its address in the spectrum memory.
    coming : Out(1)
        ``vector_first``, h cycles ahead.
    output_valid : Out(1)
        ``vector`` is for the output stream.
    write_rows_address, write_rows_data, write_rows_enable, write_coefficients_... : In
        Write ports; not while rows are on their way.

    Timing: nothing stalls. C, T0 and T1 are read in cycle 0 of an element and written in cycle 14, so rows
    from 15 cycles later on read what was written. Reset forgets rows that are under way, not memories.
    Cost: two `ElementLine`, block RAM of five memories, flip-flops for fields that wait.
    """

    def __init__(self, config):
        self._config, self._width = config, widths(config.inverse)["sums", 2]
        super().__init__({
            "i": In(lines(self._width)), "early_first": In(1), "first_step": In(1), "parity": In(1),
            "restart": In(1), "vector": Out(lines(config.vector_width)), "vector_first": Out(1),
            "target": Out(range(config.spectrum_depth)), "coming": Out(1), "output_valid": Out(1),
            "write_rows_address": In(range(config.row_depth)), "write_rows_data": In(ROW),
            "write_rows_enable": In(1),
            "write_coefficients_address": In(range(config.coefficient_depth)),
            "write_coefficients_data": In(COEFFICIENTS), "write_coefficients_enable": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        cycles = self._config.slots
        #: cycle of a row from which its word is there: addresses and what comes ahead need it before the row
        self._since = min(-1, ELEMENT_LATENCY - cycles)
        self._marks = {-cycles: self.early_first}   # of each cycle: it is that of a row's first pair
        for cycle in range(1 - cycles, ELEMENT_LATENCY + 1):
            self._marks[cycle] = delay(m, self._marks[cycle - 1], 1, reset_less=False, name="mark")
        row, zero, target = self._word(m)

        # The coefficients' memory is deep, and so late in its cycle: it is read one cycle before the others.
        index, _ = pairs(m, self._marks[-1], cycles, name="early_index")
        block = Cat(index, self._held(m, row.coefficient, -1, "coefficient"))
        write, coefficients = _memory(m, "coefficients", COEFFICIENTS, self._config.coefficient_depth, block)
        coefficients = delay(m, coefficients, 1, name="coefficients")
        self._connect(m, "coefficients", write)
        result_lines = [ElementLine(self._config, self._width) for _ in range(2)]
        fields = Signal(element_fields())
        for name, cycle in FIELD_CYCLES.items():
            value = zero if name == "zero" else row[name]
            m.d.comb += fields[name].eq(self._held(m, value, cycle, name))
        for n, line in enumerate(result_lines):
            m.submodules[f"line{n}"] = line
            m.d.comb += [
                line.v.eq(self.i[n]), line.fields.eq(fields), line.bias.eq(coefficients.bias[n]),
                line.peephole.eq(coefficients.peephole[n]), self.vector[n].eq(line.vec),
            ]
        active = self._states(m, row, delay(m, index, 1, name="index"), result_lines)

        to_output = self._held(m, row.to_output, ELEMENT_LATENCY, "to_output")
        to_vector = {cycle: self._held(m, row.to_vector, cycle, "to_vector")
                     for cycle in (ELEMENT_LATENCY, ELEMENT_LATENCY - cycles)}
        late = ELEMENT_LATENCY - RESULT_CYCLE
        m.d.comb += [
            self.output_valid.eq(delay(m, active, late, reset_less=False, name="active") & to_output),
            self.vector_first.eq(self._marks[ELEMENT_LATENCY] & to_vector[ELEMENT_LATENCY]),
            self.coming.eq(self._marks[ELEMENT_LATENCY - cycles] & to_vector[ELEMENT_LATENCY - cycles]),
            self.target.eq(self._held(m, target, ELEMENT_LATENCY, "target")),
        ]
        return m

    def _word(self, m):
        """The row's word, C counts as 0, and the target; for its first pair from cycle ``_since`` on."""
        address = Signal(range(self._config.row_depth))
        write, following = _memory(m, "rows", ROW, self._config.row_depth, address)
        self._connect(m, "rows", write)
        row = Signal(ROW, reset_less=True)
        with m.If(self._marks[self._since - 1]):
            m.d.sync += [address.eq(address + 1), row.eq(following)]
        with m.If(self.restart):
            m.d.sync += address.eq(0)
        # Not before the register, as the memory is late in its cycle.
        target, half = row.target[:len(self.target)], Const(0, len(self.target) - 1)
        return row, row.old & self.first_step, target ^ Cat(half, row.alternate & self.parity)

    def _states(self, m, row, index, result_lines):
        """State and scratch memories; whether a result is there, in cycle `RESULT_CYCLE`."""
        read = Cat(index, self._held(m, row.state, 0, "read_state"))
        index, active = pairs(m, self._marks[RESULT_CYCLE], self._config.slots, name="result_index")
        written = Cat(index, self._held(m, row.state, RESULT_CYCLE, "state"))
        for name, result in (("c", "res"), ("t0", "t"), ("t1", "t")):
            shape = data.ArrayLayout(signed(RESULT_WIDTH if name == "c" else PRE_WIDTH), 2)
            write, elements = _memory(m, name, shape, self._config.state_depth, read)
            wanted = self._held(m, row[f"to_{name}"], RESULT_CYCLE, f"to_{name}_")
            m.d.comb += [write.addr.eq(written), write.en.eq(active & wanted)]
            for n, line in enumerate(result_lines):
                m.d.comb += [
                    getattr(line, name).eq(elements[n]), write.data[n].eq(getattr(line, result))]
        return active

    def _held(self, m, value, cycle, name):
        """A part of the row's word as it was in cycle ``_since``, for pairs in their ``cycle``.

        It takes a register only every h cycles, as no row's first pair comes sooner after another's.
        """
        since = self._since
        while since < cycle:
            since = min(since + self._config.slots, cycle)
            register = Signal(value.shape(), name=name, reset_less=True)
            with m.If(self._marks[since - 1]):
                m.d.sync += register.eq(value)
            value = register
        return value

    def _connect(self, m, name, write):
        """The write port ``write`` to the members of that name."""
        m.d.comb += [write.addr.eq(getattr(self, f"write_{name}_address")),
                     write.data.eq(getattr(self, f"write_{name}_data")),
                     write.en.eq(getattr(self, f"write_{name}_enable"))]


def _memory(m, name, shape, depth, address):
    """A block RAM's write port, and what it has at ``address``, one cycle later."""
    # What is read in the cycle in which it is written does not count.
    memory = Memory(shape=shape, depth=depth, init=[], attrs={"no_rw_check": 1})
    m.submodules[name] = memory
    read = memory.read_port()
    m.d.comb += read.addr.eq(address)
    return memory.write_port(), read.data
