"""The loss unit: error of softmax cross entropy, one class a cycle."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ...golden.training.config import WIDE_BITS
from ...golden.training.engine_config import LABEL_BITS, LABELS, SUM_BITS
from ...golden.training.registers import REGISTER_BITS
from ...golden.training.softmax import ERROR_FRACTION
from ..common.delay import delay
from .layouts import PASS, Z_CYCLES, vector
from .reciprocal import Reciprocal
from .softmax_line import POWER_BITS, POWER_CYCLES, PROBABILITY_CYCLES, SoftmaxLine

__all__ = ["LossUnit"]

_CHOSEN = Z_CYCLES + 1          # cycles from a logit's address to itself, and from a power's


class LossUnit(wiring.Component):
    """Passes over the logits of all images: docs/engines/training-machine.md, "Loss unit".

    Of each image, in turn: the greatest logit; powers of all, which a memory keeps, and their sum; its
    reciprocal; the errors.

    Parameters
    ----------
    config : EngineConfig

    Members
    -------
    registers : In(PASS), constant from ``start`` until ``busy`` falls
        Of them classes, groups, z_base, z_half, error_base, error_half.
    start : In(1), not while ``busy``; busy : Out(1)
        From the cycle after ``start`` until the last vector has been written.
    z_address : Out(24), z_data : In(vector(S, 24)), Z_CYCLES later
    error_address : Out(24), error_data : Out(vector(S, 40)), error_write : Out(1)
    label_address : In(10), label_data : In(8), label_write : In(1), not while ``busy``
    probe_address : In(1), probe_data : Out(26)
        0 the miss, 1 the greatest magnitude of an error, of the last pass; a cycle later, not while ``busy``.

    Timing: 2 K + 60 cycles an image, and those of K up to whole blocks; two more a pass. Reset ends a pass.
    Cost: two multipliers, three block RAMs (labels, powers, the table); for S = 8 554 LUT4, 195 carry cells,
    726 flip-flops.
    """

    def __init__(self, config):
        self._config, self._lanes = config, config.side.bit_length() - 1
        super().__init__({
            "registers": In(PASS), "start": In(1), "busy": Out(1),
            "z_address": Out(REGISTER_BITS), "z_data": In(vector(config.side, WIDE_BITS)),
            "error_address": Out(REGISTER_BITS), "error_data": Out(vector(config.side, SUM_BITS)),
            "error_write": Out(1),
            "label_address": In(range(LABELS)), "label_data": In(LABEL_BITS), "label_write": In(1),
            "probe_address": In(1), "probe_data": Out(ERROR_FRACTION + LABELS.bit_length())})

    def elaborate(self, platform):
        m = Module()
        s = _State(self._config, self.registers, m)
        m.submodules.line = line = SoftmaxLine()
        m.submodules.reciprocal = reciprocal = Reciprocal()
        self._control(m, s, reciprocal)
        self._walk(m, s)
        self._powers(m, s, line, reciprocal)
        leaves = self._errors(m, s, line.probability, reciprocal.busy)
        with m.If(self.start):
            m.d.sync += s.image.eq(0)
        with m.Elif(s.errors & s.ends):
            m.d.sync += s.image.eq(s.image + 1)
        m.d.comb += [line.divides.eq(s.errors), line.factor.eq(reciprocal.o),
                     self.busy.eq(s.image_busy | leaves)]
        return m

    def _control(self, m, s, reciprocal):
        """The order of an image's work."""
        m.d.comb += s.image_busy.eq(1)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += s.image_busy.eq(0)
                with m.If(self.start):
                    m.next = "IMAGE"
            with m.State("IMAGE"):
                m.d.comb += s.begins.eq(1)
                m.next = "GREATEST"
            with m.State("GREATEST"):
                m.d.comb += [s.made.eq(s.marks[_CHOSEN - 1]), s.begins.eq(s.ends), s.greatest.eq(1)]
                with m.If(s.ends):
                    m.next = "POWERS"
            with m.State("POWERS"):
                m.d.comb += [s.made.eq(s.marks[_CHOSEN + POWER_CYCLES - 1]), s.powers.eq(1)]
                with m.If(s.ends):
                    m.next = "SUM"
            with m.State("SUM"):
                m.d.comb += reciprocal.start.eq(1)
                m.next = "DIVIDE"
            with m.State("DIVIDE"):
                m.d.comb += s.begins.eq(~reciprocal.busy)
                with m.If(s.begins):
                    m.next = "ERRORS"
            with m.State("ERRORS"):
                m.d.comb += [s.made.eq(s.marks[_CHOSEN + PROBABILITY_CYCLES - 1]), s.errors.eq(1)]
                with m.If(s.ends):
                    m.next = "IMAGE"
                    with m.If(s.image == s.last_image):
                        m.next = "IDLE"

    def _walk(self, m, s):
        """Over the classes, from the cycle after ``begins`` on; marks of what is under way, ``place``."""
        final = Mux(s.errors, s.last_class | self._config.block - 1, s.last_class)
        m.d.comb += s.ends.eq(s.made & (s.place == final))
        # What has not been made when the last class has been is of no use.
        m.d.sync += [s.marks.eq(Mux(s.ends, 0, Cat(s.running, s.marks))), s.index.eq(s.index + 1)]
        with m.If(s.made):
            m.d.sync += s.place.eq(s.place + 1)
        with m.If(s.index == final):
            m.d.sync += s.running.eq(0)
        with m.If(s.index[:self._lanes].all()):
            m.d.sync += self.z_address.eq(self.z_address + self.registers.z_half)
        with m.If(s.begins):
            m.d.sync += [s.running.eq(1), s.index.eq(0), s.place.eq(0),
                         self.z_address.eq(self.registers.z_base + s.image)]

    def _powers(self, m, s, line, reciprocal):
        """The greatest logit, powers and their sum, back to probabilities."""
        lane = delay(m, s.index[:self._lanes], Z_CYCLES, name="lane")
        m.submodules.kept = kept = Memory(shape=POWER_BITS, depth=1 << LABEL_BITS, init=[],
                                          attrs={"no_rw_check": 1})
        write, read = kept.write_port(), kept.read_port()
        most, total = Signal(signed(WIDE_BITS), reset_less=True), Signal(24, reset_less=True)
        m.d.comb += [
            write.addr.eq(s.place), write.data.eq(line.power), write.en.eq(s.made & s.powers),
            read.addr.eq(s.index), line.p.eq(delay(m, read.data, _CHOSEN - 1, name="p")),
            line.greatest.eq(most), line.z.eq(delay(m, self.z_data[lane], 1, name="z")),
            reciprocal.x.eq(total),
        ]
        with m.If(s.greatest & s.made & ((line.z > most) | (s.place == 0))):
            m.d.sync += most.eq(line.z)
        with m.If(s.greatest):
            m.d.sync += total.eq(0)
        with m.Elif(s.powers & s.made):
            m.d.sync += total.eq(total + line.power)

    def _errors(self, m, s, probability, dividing):
        """Errors of probabilities, to vectors and sums; whether there are such under way."""
        m.submodules.labels = labels = Memory(shape=LABEL_BITS, depth=LABELS, init=[],
                                              attrs={"no_rw_check": 1})
        write, read = labels.write_port(), labels.read_port()
        m.d.comb += [write.addr.eq(self.label_address), write.data.eq(self.label_data),
                     write.en.eq(self.label_write), read.addr.eq(s.image)]
        own = s.place == delay(m, read.data, 1, name="label")
        leaves = delay(m, s.made & s.errors, 1, reset_less=False, name="leaves")
        full = delay(m, s.place[:self._lanes].all(), 1, name="full")
        size = Signal(ERROR_FRACTION + 1, reset_less=True)
        m.d.sync += size.eq(Mux(own, (1 << ERROR_FRACTION) - probability,
                                Mux(s.place <= s.last_class, probability, 0)))
        own = delay(m, own, 1, name="own")

        lanes = Signal(vector(self._config.side, ERROR_FRACTION + 2), reset_less=True)
        miss, most = Signal(len(self.probe_data), reset_less=True), Signal.like(size)
        m.d.sync += self.error_write.eq(leaves & full)
        with m.If(self.start):
            m.d.sync += [miss.eq(0), most.eq(0)]
        with m.Elif(leaves):
            m.d.sync += [miss.eq(miss + Mux(own, size, 0)), most.eq(Mux(size > most, size, most)),
                         lanes.eq(Cat(lanes.as_value()[ERROR_FRACTION + 2:],
                                      Mux(own, -size, size)[:ERROR_FRACTION + 2]))]
        with m.If(dividing):
            m.d.sync += self.error_address.eq(self.registers.error_base + s.image)
        with m.Elif(self.error_write):
            m.d.sync += self.error_address.eq(self.error_address + self.registers.error_half)
        m.d.sync += self.probe_data.eq(Mux(self.probe_address, most, miss))
        m.d.comb += [each.eq(lane) for each, lane in zip(self.error_data, lanes, strict=True)]
        return leaves | self.error_write


class _State:
    """Where the unit is: in its image, and in what it does over its classes.

    ``place`` counts the classes of which something has been ``made``, up to the last one, which ``ends`` it.
    """

    def __init__(self, config, registers, m):
        self.greatest, self.powers, self.errors = (Signal(name=name) for name in
                                                   ("greatest", "powers", "errors"))
        self.begins, self.made, self.ends, self.image_busy = (Signal(name=name) for name in
                                                              ("begins", "made", "ends", "image_busy"))
        self.running, self.marks = Signal(), Signal(_CHOSEN + max(POWER_CYCLES, PROBABILITY_CYCLES))
        self.index, self.place = (Signal(LABEL_BITS, reset_less=True, name=name) for name in
                                  ("index", "place"))
        self.image = Signal(range(LABELS), reset_less=True)
        self.last_class = delay(m, (registers.classes - 1)[:LABEL_BITS], 1, name="last_class")
        self.last_image = delay(m, (registers.groups * config.block - 1)[:len(self.image)], 1,
                                name="last_image")
