"""The training engine: loader, controller, units and memories."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ...golden.training.engine_config import SUM_BITS, TILE_SUM_BITS
from ...golden.training.isa import INSTRUCTION_BITS, WORD_BITS
from ...golden.training.program import MAGIC
from ...golden.training.registers import Element, Put, Slot, Unit
from ..common.delay import delay
from ..common.loader import ProgramLoader
from ..common.stream import packet
from .controller import Controller
from .cycle_counters import CycleCounters
from .element_unit import ElementUnit
from .get_port import GetPort
from .input_unit import InputUnit
from .loss_unit import LossUnit
from .matrix_unit import MatrixUnit
from .operand_memory import OperandMemory
from .packer import Packer
from .ram import Ram
from .run_status import RunStatus
from .update import UpdateUnit

__all__ = ["TrainingEngine"]

MAP_BITS, LENGTH_BITS, WINNER_BITS = 3, 5, 2


class TrainingEngine(wiring.Component):
    """Trains convolutional networks in integers: docs/engines/training-machine.md says what a program means.

    Parameters
    ----------
    config : EngineConfig

    Members
    -------
    i_program, i : In(stream of packet(32)), o : Out(stream of packet(32))
    start, clear : In(1), one cycle
    busy, loaded, error, layer, load_cycles, run_cycles, finished : Out, as "Ports" there

    Timing: a run takes what its program's instructions and passes take, one behind the other.
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "i_program": In(stream.Signature(packet(32))), "i": In(stream.Signature(packet(32))),
            "o": Out(stream.Signature(packet(32))),
            "start": In(1), "clear": In(1),
            "busy": Out(1), "loaded": Out(1), "error": Out(4), "layer": Out(8),
            "load_cycles": Out(32), "run_cycles": Out(32), "finished": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        self._units(m)
        memories = self._memories(m)
        loader = m.submodules.loader = ProgramLoader(MAGIC, config.fingerprint, {
            "program": (config.program_depth, INSTRUCTION_BITS), "data": (config.data_depth, WORD_BITS),
            "weights": (config.weight_depth, config.weight_word), "map": (config.maps, MAP_BITS)})
        self._control(m, loader)
        self._passes(m)
        self._matrix(m, memories)
        self._errors(m, memories["error"])
        self._element(m, memories)
        self._update(m, memories, loader)
        self._pack(m, memories, loader)
        self._get(m, memories)
        return m

    def _units(self, m):
        config = self.config
        m.submodules.controller = self._controller = Controller(config)
        m.submodules.matrix = self._matrix_unit = MatrixUnit(config)
        m.submodules.element = self._element_unit = ElementUnit(config)
        m.submodules.update = self._update_unit = UpdateUnit(config)
        m.submodules.input = self._input_unit = InputUnit(config)
        m.submodules.loss = self._loss = LossUnit(config)
        m.submodules.packer = self._packer = Packer(config)
        m.submodules.left = self._left = OperandMemory(config, config.left_slots)
        m.submodules.right = self._right = OperandMemory(config, config.right_slots)

    def _memories(self, m):
        c, side = self.config, self.config.side
        memories = {
            "z": Ram(c.z_word, c.z_depth), "error": Ram(side * SUM_BITS, c.error_depth, parts=side),
            "winner": Ram(side * WINNER_BITS, c.winner_depth),
            "weight": Ram(c.weight_word, c.weight_depth, parts=side // c.update_lanes),
            "gradient": Ram(side * SUM_BITS, c.weight_depth), "map": Ram(MAP_BITS, c.maps),
            "length": Ram(LENGTH_BITS, c.maps), "sum": Ram(TILE_SUM_BITS, 2 * c.maps),
        }
        for name, memory in memories.items():
            m.submodules[f"{name}_memory"] = memory
        self._z = memories["z"]
        return memories

    def _control(self, m, loader):
        """Program, runs and what the status registers show."""
        controller = self._controller
        m.submodules.status = status = RunStatus()
        m.submodules.counters = self._counters = counters = CycleCounters()
        wiring.connect(m, wiring.flipped(self.i_program), loader.i)
        wiring.connect(m, wiring.flipped(self.i), controller.i)
        wiring.connect(m, controller.o, wiring.flipped(self.o))
        for name in ("program", "data"):
            for what, value in self._written(m, loader, name).items():
                m.d.comb += getattr(controller, f"{name}_{what}").eq(value)
        m.d.comb += [
            status.start.eq(self.start), status.clear.eq(self.clear),
            status.controller_busy.eq(controller.busy), status.failed.eq(controller.failed),
            status.code.eq(controller.error), status.loaded.eq(loader.loaded),
            status.load_failed.eq(loader.failed), status.load_code.eq(loader.error),
            status.load_done.eq(loader.done), status.taken.eq(self.i.valid & self.i.ready & self.i.p.last),
            controller.start.eq(status.begins), loader.enable.eq(~status.busy),
            self.loaded.eq(loader.loaded), self.busy.eq(status.busy), self.error.eq(status.error),
            self.load_cycles.eq(status.load_cycles), self.run_cycles.eq(status.run_cycles),
            self.finished.eq(controller.finished | controller.failed), self.layer.eq(controller.unit_busy),
            counters.begin.eq(status.begins), counters.running.eq(status.busy),
            counters.units.eq(controller.unit_busy), counters.address.eq(controller.get_address),
        ]

    def _passes(self, m):
        """Starts of units; the packer works for the one that was started last."""
        controller, packer = self._controller, self._packer
        units = {Unit.MATRIX: self._matrix_unit, Unit.ELEMENT: self._element_unit,
                 Unit.UPDATE: self._update_unit, Unit.INPUT: self._input_unit, Unit.LOSS: self._loss}
        active = Signal(len(Unit))
        with m.If(controller.unit_start.any()):
            m.d.sync += active.eq(controller.unit_start)
        for number, unit in units.items():
            m.d.comb += [
                unit.registers.eq(controller.registers), unit.start.eq(controller.unit_start[number])]
            # A cycle late: the controller looks at it two cycles after a start at the earliest.
            m.d.sync += controller.unit_busy[number].eq(unit.busy | (packer.busy & active[number]))
        mode = controller.registers.element_mode[:3]
        errors = delay(m, active[Unit.ELEMENT] & (mode != Element.ACTIVATE), 1, name="errors")
        signed = errors | active[Unit.UPDATE]
        m.d.comb += [
            packer.registers.eq(controller.registers),
            packer.start.eq(controller.unit_start[Unit.ELEMENT:Unit.INPUT + 1].any()),
            packer.signed.eq(signed), packer.to_left.eq(signed), packer.errors.eq(errors),
            packer.to_right.eq(~active[Unit.UPDATE]), packer.shared.eq(~active[Unit.UPDATE]),
        ]
        wiring.connect(m, controller.word, self._input_unit.word)

    def _matrix(self, m, memories):
        """Operand memories, and where outputs go."""
        controller, matrix = self._controller, self._matrix_unit
        drain, put = matrix.drain, controller.put[Put.PARAMETER]
        wiring.connect(m, matrix.left, self._left.read)
        wiring.connect(m, matrix.right, self._right.read)
        slot, lane = self._parameter()
        m.d.comb += [
            matrix.left_digits.eq(self._left.digits), matrix.right_digits.eq(self._right.digits),
            drain.bias_lane.eq(lane), drain.bias_data.eq(controller.put_data),
            drain.bias_write.eq(put & (slot == Slot.BIAS)), drain.probe_address.eq(controller.get_address),
        ]
        for name, address, data in (("z", drain.z_address, drain.z_data),
                                    ("gradient", drain.wide_address, drain.wide_data)):
            memory = memories[name]
            m.d.comb += [memory.write_address.eq(address), memory.write_data.eq(data),
                         memory.write.eq(getattr(drain, f"{name}_write"))]
        m.d.comb += [
            memories["sum"].write_address.eq(drain.sums_address),
            memories["sum"].write_data.eq(drain.sums_data), memories["sum"].write.eq(drain.sums_write),
        ]

    def _errors(self, m, error):
        """Writes of the error memory, a cycle late: by the matrix and loss units, and PUT lane by lane."""
        controller, drain, loss = self._controller, self._matrix_unit.drain, self._loss
        side = self.config.side
        # What PUT writes comes a cycle later still: the memory is far from the controller.
        puts = delay(m, controller.put[Put.ERROR], 1, reset_less=False, name="puts_error")
        address, word = (delay(m, value, 1, name=f"puts_error_{name}") for name, value in (
            ("address", controller.put_address), ("data", controller.put_data[:SUM_BITS])))
        at, data = (Signal(len(member), reset_less=True, name=f"error_{name}") for member, name in (
            (error.write_address, "address"), (error.write_data, "data")))
        write = Signal(side, name="error_write")
        m.d.sync += [at.eq(drain.wide_address), data.eq(drain.wide_data),
                     write.eq(drain.error_write.replicate(side))]
        m.d.comb += [
            error.write_address.eq(at), error.write_data.eq(data), error.write.eq(write),
            loss.z_data.eq(self._z.data), loss.label_address.eq(controller.put_address),
            loss.label_data.eq(controller.put_data), loss.label_write.eq(controller.put[Put.LABEL]),
            loss.probe_address.eq(controller.get_address),
        ]
        with m.If(loss.error_write):
            m.d.sync += [at.eq(loss.error_address), data.eq(loss.error_data), write.eq(~0)]
        with m.If(puts):
            m.d.sync += [at.eq(address >> side.bit_length() - 1), data.eq(word.replicate(side)),
                         write.eq(1 << address[:side.bit_length() - 1])]

    def _parameter(self):
        """Slot and lane of a parameter, or of anything else lane by lane, that PUT writes."""
        side = self.config.side
        address = self._controller.put_address
        return address[side.bit_length():][:4], address[:side.bit_length() - 1]

    def _element(self, m, memories):
        controller, element = self._controller, self._element_unit
        slot, _ = self._parameter()
        winner = memories["winner"]
        m.d.comb += [
            element.z_data.eq(memories["z"].data), memories["error"].address.eq(element.error_address),
            element.error_data.eq(memories["error"].data), winner.address.eq(element.winner_address),
            element.winner_data.eq(winner.data), winner.write_address.eq(element.winner_write_address),
            winner.write_data.eq(element.winner_write_data), winner.write.eq(element.winner_write),
            element.parameter_address.eq(controller.put_address),
            element.parameter_data.eq(controller.put_data),
            element.parameter_write.eq(controller.put[Put.PARAMETER] & (slot != Slot.BIAS)),
            element.probe_address.eq(controller.get_address),
        ]

    def _update(self, m, memories, loader):
        controller, update = self._controller, self._update_unit
        weight, gradient = memories["weight"], memories["gradient"]
        parts = len(update.weight_write)
        new = update.weight_write_data.as_value().replicate(parts)
        written = self._written(m, loader, "weights")
        # What PUT writes stays for a cycle more.
        puts = delay(m, controller.put[Put.RANDOM], 1, reset_less=False, name="puts_random")
        loads = delay(m, controller.put_data.any(), 1, name="loads_random")
        m.d.comb += [
            update.weight_data.eq(weight.data), gradient.address.eq(update.gradient_address),
            update.gradient_data.eq(gradient.data),
            weight.write_address.eq(Mux(written["write"], written["address"], update.weight_write_address)),
            weight.write_data.eq(Mux(written["write"], written["data"], new)),
            weight.write.eq(written["write"].replicate(parts) | update.weight_write),
            update.random_step.eq((puts & ~loads) | self._packer.random_step),
            update.random_load.eq(puts & loads), update.random_state.eq(controller.put_data),
            update.random_address.eq(Mux(puts, controller.put_address, controller.get_address)),
        ]

    def _pack(self, m, memories, loader):
        """From units to the packer, from there to operand memories; maps and lengths."""
        controller, packer = self._controller, self._packer
        m.d.comb += packer.random.eq(self._update_unit.random)
        units = (self._element_unit, self._update_unit, self._input_unit)
        # Two cycles late, as the packer hears of a place a cycle late: no unit reserves within three cycles.
        room = delay(m, packer.room, 1, name="room")
        for unit in units:
            m.d.comb += unit.room.eq(room)
            with m.If(unit.o_valid):
                m.d.sync += packer.i.eq(unit.o)
        m.d.sync += [packer.reserve.eq(Cat(unit.reserve for unit in units).any()),
                     packer.i_valid.eq(Cat(unit.o_valid for unit in units).any())]
        for memory, slot, write in ((self._left, packer.left_slot, packer.left_write),
                                    (self._right, packer.right_slot, packer.right_write)):
            m.d.comb += [
                memory.write_slot.eq(slot), memory.write_plane.eq(packer.plane), memory.write_s.eq(packer.s),
                memory.write_x.eq(write & packer.write_x), memory.write_y.eq(write & packer.write_y),
                memory.write_data.eq(packer.write_data), memory.descriptor_data.eq(packer.descriptor),
                memory.descriptor_write.eq(write & packer.descriptor_write),
                memory.descriptor_write_slot.eq(slot),
            ]
        written, puts = self._written(m, loader, "map"), controller.put[Put.PLANES]
        maps, length = memories["map"], memories["length"]
        m.d.comb += [
            maps.write_address.eq(Mux(puts, controller.put_address, written["address"])),
            maps.write_data.eq(Mux(puts, controller.put_data, written["data"])),
            maps.write.eq(puts | written["write"]), packer.map_data.eq(maps.data),
            length.write_address.eq(packer.length_address), length.write_data.eq(packer.length_data),
            length.write.eq(packer.length_write),
        ]

    def _get(self, m, memories):
        """Memories and units at the address of GET; who is busy has its own way into its memory.

        Each memory has a register of its own for it: one that follows while no unit reads there, or, of z,
        that of its address.
        """
        controller, side = self._controller, self.config.side
        m.submodules.get = get = GetPort(self.config)
        address = delay(m, controller.get_address, 1, name="address")     # all the chip looks at it
        word, z, weight = address >> side.bit_length() - 1, memories["z"], memories["weight"]
        packs = delay(m, self._packer.busy, 1, name="packs")
        reads = {number: delay(m, unit.busy | controller.unit_start[number], 1, name=f"reads{number}_")
                 for number, unit in ((Unit.ELEMENT, self._element_unit), (Unit.LOSS, self._loss),
                                      (Unit.UPDATE, self._update_unit))}
        near = {}
        for name, at, taken in (("weight", word, reads[Unit.UPDATE]), ("map", address, packs)):
            near[name] = Signal(len(memories[name].address), reset_less=True, name=f"get_{name}_address")
            with m.If(~taken):
                m.d.sync += near[name].eq(at)
        last = delay(m, address, 1, name="last_address")
        z_address = Mux(reads[Unit.ELEMENT], self._element_unit.z_address,
                        Mux(reads[Unit.LOSS], self._loss.z_address, word))
        m.d.comb += [
            z.address.eq(delay(m, z_address[:len(z.address)], 1, name="z_address")),
            weight.address.eq(Mux(reads[Unit.UPDATE], self._update_unit.weight_address, near["weight"])),
            memories["map"].address.eq(Mux(packs, self._packer.map_address, near["map"])),
            memories["length"].address.eq(last), memories["sum"].address.eq(last),
            get.kind.eq(controller.get_kind), get.address.eq(address), controller.get_data.eq(get.data),
            get.get_matrix.eq(self._matrix_unit.drain.probe_data),
            get.get_element.eq(self._element_unit.probe_data),
            get.get_random.eq(self._update_unit.random_data),
            get.get_z.eq(z.data), get.get_length.eq(memories["length"].data),
            get.get_sum.eq(memories["sum"].data), get.get_planes.eq(memories["map"].data),
            get.get_stored.eq(weight.data), get.get_accumulator.eq(weight.data),
            get.get_cycles.eq(self._counters.data), get.get_loss.eq(self._loss.probe_data),
        ]

    @staticmethod
    def _written(m, loader, name):
        """Writes of the memory ``name``, a cycle late: what decides is far from some block RAMs."""
        address, data, write = (getattr(loader, f"{name}_{what}") for what in ("address", "data", "write"))
        return {"address": delay(m, address, 1, name=f"{name}_address"),
                "data": delay(m, data, 1, name=f"{name}_data"),
                "write": delay(m, write, 1, reset_less=False, name=f"{name}_write")}
