"""The training engine's controller."""

from amaranth import Const, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from ...golden.common.program import ErrorCode
from ...golden.training.isa import INSTRUCTION_BITS, WORD_BITS, Op
from ...golden.training.registers import REGISTER_BITS, Put, Unit
from ..common.delay import delay
from ..common.stream import packet
from .alu import Alu
from .input_reader import InputReader
from .layouts import INSTRUCTION, MEMORY_CYCLES, PASS
from .operands import Operands
from .pass_registers import PassRegisters

__all__ = ["GET_CYCLES", "PUT_BITS", "Controller"]

GET_CYCLES = 6
"""From a GET's address to the cycle in which the data must stand."""

PUT_BITS = 48
"""Of what PUT writes, the lowest."""

_BRANCHES = Op.BEQ, Op.BNE, Op.BLT, Op.BGE, Op.JUMP
_KINDS = {kind: ops for kind, ops in enumerate((
    tuple(op for op in Op if op < Op.LOAD), (Op.LOAD, Op.GET), (Op.STORE, Op.PUT), _BRANCHES, (Op.CALL,),
    (Op.IN,), (Op.START,), (Op.WAIT,), (Op.OUT,), (Op.CHECK, Op.HALT)))}
_COMPUTE, _LOOK, _STORE, _BRANCH, _CALL, _IN, _START, _WAIT, _OUT, _CHECK = _KINDS


class Controller(wiring.Component):
    """Runs the instructions of docs/engines/training-machine.md, one after the other.

    Parameters
    ----------
    config : EngineConfig

    Members
    -------
    start : In(1), begins a run at instruction 0; ignored while ``busy``
    busy : Out(1)
    finished, failed : Out(1), one cycle, the last of ``busy``: the run came to its end, or to ``error``
    error : Out(4), with ``failed``, an ErrorCode or whatever HALT said, of which four bits count
    program_address, program_data, program_write, data_address, data_data, data_write : In
        Write ports of both memories, not while ``busy``.
    i, o : In, Out(stream of packet(32))
    word : Out(stream of 32)
        The input's next words, for the input unit while it is busy; to be ``ready`` is to take.
    registers : Out(PASS)
    unit_start : Out(5), one cycle; unit_busy : In(5)
        By `Unit`; a unit is busy from two cycles behind its start on at the latest.
    get_kind : Out(4), get_address : Out(24), get_data : In(signed(88))
        GET: the data are taken in the cycle `GET_CYCLES` behind the first with this kind and address.
    put : Out(6), by `Put`, one cycle; put_address : Out(24), put_data : Out(signed(48))
        What PUT writes; that of registers stays inside.

    A run ends where the packet has been taken, the output's last word too, and no unit is busy.

    Timing: cycles of an instruction are 5 for arithmetic, and those that `Shifter`, `Multiplier`, `Divider`
    or `Root` are busy; LOAD and GET 5 more than MEMORY_CYCLES and GET_CYCLES; STORE, PUT and CALL 4; branches
    4, or 5 as JUMP if taken; START, OUT, CHECK, WAIT 3, IN 4, and what they wait for.
    """

    def __init__(self, config):
        self._config, word = config, stream.Signature(packet(32))
        address, word_out = REGISTER_BITS, stream.Signature(32)
        super().__init__({
            "start": In(1), "busy": Out(1), "finished": Out(1), "failed": Out(1), "error": Out(4),
            "program_address": In(range(config.program_depth)), "program_data": In(INSTRUCTION_BITS),
            "program_write": In(1),
            "data_address": In(range(config.data_depth)), "data_data": In(WORD_BITS), "data_write": In(1),
            "i": In(word), "o": Out(word), "word": Out(word_out), "registers": Out(PASS),
            "unit_start": Out(len(Unit)), "unit_busy": In(len(Unit)),
            "get_kind": Out(4), "get_address": Out(address), "get_data": In(signed(WORD_BITS)),
            "put": Out(len(Put)), "put_address": Out(address), "put_data": Out(signed(PUT_BITS))})

    def elaborate(self, platform):
        m = Module()
        s = _State(self._config)
        m.submodules.alu = alu = Alu()
        m.submodules.operands = operands = Operands()
        m.submodules.reader = reader = InputReader()
        instruction = s.instruction
        m.d.comb += [
            operands.a.eq(instruction.a), operands.b.eq(instruction.b), operands.d.eq(instruction.d),
            operands.value.eq(instruction.value),
            operands.immediate.eq(instruction.immediate & (instruction.op < Op.LOAD)),
            operands.data.eq(s.result + s.carry),
            alu.op.eq(instruction.op), alu.x.eq(operands.x), alu.y.eq(operands.y),
        ]
        self._fetch(m, s)
        self._tell(m, s)
        loaded = self._data(m, s, operands.y)
        self._ports(m, s, operands.y, reader)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        m.d.sync += self.unit_start.eq(0)
        m.d.comb += self.busy.eq(1)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += [self.busy.eq(0), reader.begin.eq(self.start)]
                m.d.sync += s.pc.eq(0)
                with m.If(self.start):
                    m.next = "FETCH"
            with m.State("FETCH"):
                m.next = "DECODE"
            with m.State("DECODE"):
                m.d.sync += [instruction.eq(s.fetched), s.pc.eq(s.pc + 1)]
                m.next = "READ"
            with m.State("READ"):
                m.d.comb += [operands.read.eq(1), alu.start.eq(1)]
                m.next = "EXECUTE"
            with m.State("EXECUTE"):
                m.d.sync += [s.address.eq(operands.x[:REGISTER_BITS] + instruction.value), s.carry.eq(0)]
                self._execute(m, s, operands.x, alu, reader)
            self._complete(m, s, alu, operands, loaded, self.get_data)
            with m.State("END"):
                m.d.comb += reader.swallow.eq(1)
                m.d.sync += s.open.eq(0)
                with m.If(reader.ended & ~self.o.valid & ~self.unit_busy.any()):
                    m.d.comb += [self.finished.eq(s.code == 0), self.failed.eq(s.code != 0)]
                    m.next = "IDLE"
        return m

    def _fetch(self, m, s):
        """The program, and the instruction at ``pc`` of one cycle before."""
        m.submodules.program = program = Memory(
            shape=INSTRUCTION_BITS, depth=self._config.program_depth, init=[], attrs={"no_rw_check": 1})
        write, read = program.write_port(), program.read_port()
        m.d.comb += [
            write.addr.eq(self.program_address), write.data.eq(self.program_data),
            write.en.eq(self.program_write), read.addr.eq(s.pc), s.fetched.eq(read.data),
        ]

    @staticmethod
    def _tell(m, s):
        """Tells instructions apart while their operands are read."""
        m.d.sync += s.kind.eq(len(_KINDS))
        with m.Switch(s.instruction.op):
            for number, ops in _KINDS.items():
                with m.Case(*ops):
                    m.d.sync += s.kind.eq(number)
        m.d.sync += [told.eq(s.instruction.op == op) for op, told in s.is_op.items()]

    def _data(self, m, s, word):
        """The data memory; its word at ``address``, MEMORY_CYCLES later."""
        m.submodules.data = memory = Memory(
            shape=signed(WORD_BITS), depth=self._config.data_depth, init=[], attrs={"no_rw_check": 1})
        write, read = memory.write_port(), memory.read_port()
        store = s.stores & (s.instruction.op == Op.STORE)
        m.d.sync += [
            write.addr.eq(Mux(self.busy, s.address, self.data_address)),
            write.data.eq(Mux(self.busy, word, self.data_data)), write.en.eq(store | self.data_write),
        ]
        m.d.comb += read.addr.eq(s.address)
        return delay(m, read.data, MEMORY_CYCLES - 1, name="loaded")

    def _ports(self, m, s, word, reader):
        """GET, PUT, the pass registers and the input."""
        m.submodules.registers = registers = PassRegisters()
        puts, kind = s.stores & (s.instruction.op == Op.PUT), s.instruction.d[:bits_for(len(Put) - 1)]
        # A cycle late: what they go to is far, and looks at it three cycles later at the earliest.
        m.d.sync += [
            s.open.eq(self.busy), self.put_address.eq(s.address), self.put_data.eq(word),
            self.put.eq(Mux(puts, Const(1, len(Put)) << kind, 0))]
        m.d.comb += [
            self.get_kind.eq(s.instruction.b), self.get_address.eq(s.address),
            registers.write.eq(puts & (kind == Put.REGISTER)), registers.address.eq(s.address),
            registers.data.eq(word), self.registers.eq(registers.o),
            reader.open.eq(s.open), self.word.valid.eq(reader.o.valid),
            self.word.payload.eq(reader.o.payload), reader.o.ready.eq(self.word.ready | s.takes),
            self.error.eq(s.code),
        ]
        wiring.connect(m, wiring.flipped(self.i), reader.i)

    def _execute(self, m, s, x, alu, reader):
        """What is done in the cycle in which both operands are there."""
        op, value = s.instruction.op, s.instruction.value
        with m.Switch(s.kind):
            with m.Case(_COMPUTE):
                m.next = "COMPUTE"
            with m.Case(_LOOK):
                m.d.sync += s.count.eq(Mux(op == Op.LOAD, MEMORY_CYCLES, GET_CYCLES))
                m.next = "LOOK"
            with m.Case(_STORE):
                m.next = "STORE"
            with m.Case(_BRANCH):
                m.next = "BRANCH"
            with m.Case(_CALL):
                m.d.sync += [s.result.eq(s.pc), s.pc.eq(value)]
                m.next = "WRITE"
            with m.Case(_IN):
                m.d.comb += s.takes.eq(1)
                m.d.sync += s.result.eq(reader.o.payload)
                with m.If(reader.o.valid):
                    m.next = "WRITE"
            with m.Case(_START):
                m.d.sync += self.unit_start.eq(Const(1, len(Unit)) << value[:bits_for(len(Unit) - 1)])
                m.next = "DECODE"
            with m.Case(_WAIT):
                with m.If(~self.unit_busy.any()):
                    m.next = "DECODE"
            with m.Case(_OUT):
                with m.If(~self.o.valid | self.o.ready):
                    m.d.sync += [self.o.valid.eq(1), self.o.p.data.eq(x), self.o.p.last.eq(value == 1)]
                    m.next = "DECODE"
            with m.Case(_CHECK):
                self._check(m, s, reader)
            with m.Default():
                m.next = "DECODE"

    @staticmethod
    def _check(m, s, reader):
        """CHECK goes on or ends the run, HALT ends it."""
        halt, value = s.instruction.op == Op.HALT, s.instruction.value[:4]
        long, short = Mux(reader.ended, 0, ErrorCode.INPUT_LONG), reader.short & ~halt
        m.next = "END"
        with m.If(halt & value.any()):
            m.d.sync += s.code.eq(value)
        with m.Else():
            m.d.sync += s.code.eq(Mux(short, ErrorCode.INPUT_SHORT, long))
            with m.If(~halt & reader.ended & ~short):
                m.next = "DECODE"

    @staticmethod
    def _complete(m, s, alu, operands, loaded, get_data):
        """Further cycles of an instruction."""
        with m.State("COMPUTE"):
            m.d.sync += [s.result.eq(alu.o), s.carry.eq(alu.increment)]
            with m.If(~alu.busy):
                m.next = "WRITE"
        with m.State("LOOK"):
            m.d.sync += [s.count.eq(s.count - 1), s.result.eq(Mux(s.is_op[Op.LOAD], loaded, get_data))]
            with m.If(s.count == 0):
                m.next = "WRITE"
        with m.State("WRITE"):
            m.d.comb += operands.write.eq(1)
            m.next = "DECODE"
        with m.State("STORE"):
            m.d.comb += s.stores.eq(1)
            m.next = "DECODE"
        with m.State("BRANCH"):
            m.next = "DECODE"
            for each, holds in ((Op.BEQ, alu.equal), (Op.BNE, ~alu.equal), (Op.BLT, alu.less),
                                (Op.BGE, ~alu.less), (Op.JUMP, 1)):
                with m.If(s.is_op[each] & holds):
                    m.d.sync += s.pc.eq(Mux(s.is_op[Op.JUMP], s.address, s.instruction.value))
                    m.next = "FETCH"


class _State:
    """Registers and strobes of the controller."""

    def __init__(self, config):
        self.pc = Signal(range(config.program_depth), reset_less=True)
        self.fetched, self.instruction = Signal(INSTRUCTION), Signal(INSTRUCTION, reset_less=True)
        #: from EXECUTE on: which of `_KINDS` the instruction is, or that it is none; whether it is ..
        self.kind = Signal(range(len(_KINDS) + 1), reset_less=True)
        self.is_op = {op: Signal(reset_less=True, name=f"is_{op.name}") for op in (Op.LOAD, *_BRANCHES)}
        self.address = Signal(REGISTER_BITS, reset_less=True)
        self.count = Signal(range(max(MEMORY_CYCLES, GET_CYCLES) + 1), reset_less=True)
        # What goes to a register, less the carry.
        self.result, self.carry = Signal(signed(WORD_BITS), reset_less=True), Signal(reset_less=True)
        self.code = Signal(4, reset_less=True)
        self.takes, self.stores, self.open = Signal(), Signal(), Signal()
