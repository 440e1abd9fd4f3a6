"""What all parts of the training engine's program share: a layer's data, a channel's data, macros."""

from contextlib import contextmanager

from .assembler import ZERO
from .macros import MacroAssembler
from .registers import Get, Slot

__all__ = ["GEOMETRY", "RECORD", "SAVED", "Firmware"]

GEOMETRY = ("height", "width", "out_height", "out_width", "kernel_height", "kernel_width", "stride",
            "pad_top", "pad_left", "z_half", "error_half", "rows", "columns", "pooled")
"""Fields of a layer that are pass registers, too."""

RECORD = ("gamma", "gamma_momentum", "beta", "beta_momentum", "running_mean", "running_deviation",
          "mean", "mantissa", "shift", "gamma8", "beta8", "dbeta", "dgamma", "p", "q", "factor")
"""Data words of a channel: ``gamma8`` is gamma rounded to 8 bits. Of the last layer, ``beta`` is the bias."""

SAVED = 6
"""So many of them, the first, are not only a step's."""


class Firmware(MacroAssembler):
    """The program of a Plan while it is written; registers that all parts know.

    ``layer`` is the address of the current layer's fields; ``most`` and ``exponent`` are those of the current
    error: the greatest magnitude of its integers, and what power of two they are multiples of; ``record`` is
    the first record of a block or half. ``t`` is lost with every macro and subroutine, ``cursor`` and
    ``lane`` are those of `channels`.
    """

    def __init__(self, plan):
        super().__init__()
        self.plan, self.config, self.training = plan, plan.config, plan.net.config
        self.side, self.block = plan.config.side, plan.config.block
        self.layer, self.most, self.exponent, self.t = self.registers("layer most exponent t")
        self.train, self.rate, self.log_levels, self.miss = self.registers("train rate log_levels miss")
        self.outer_link, self.link, self.inner_link = self.registers("outer_link link inner_link")
        self.record, self.cursor, self.lane = self.registers("record cursor lane")
        self.offsets = {name: n for n, name in enumerate(plan.fields[0])}
        self.layer_size = len(self.offsets)
        self.first_record = self.word("records", self._records())
        self.first_layer = self.word("layers", self._layers())
        self.last_layer = self.first_layer + (len(plan.layers) - 1) * self.layer_size
        self.seen = self.word("seen", [bool(plan.net.running)])

    def _layers(self):
        for fields in self.plan.fields:
            fields = dict(fields, records=self.first_record + fields["records"] * len(RECORD))
            yield from (fields[name] for name in self.offsets)

    def _records(self):
        plan, words = self.plan, []
        for layer, fields in zip(plan.layers, plan.fields, strict=True):
            channels = [[0] * len(RECORD) for _ in range(fields["out_blocks"] * self.block)]
            for n in range(fields["filters"]):
                if layer.norm is None:
                    names = (None, layer.node.inputs[2])
                else:
                    names = layer.norm.inputs[1:3]
                    channels[n][4:6] = self._running(layer.norm.name, n)
                for part, name in enumerate(names):
                    if name is not None:
                        found = plan.net.parameters[name]
                        channels[n][2 * part:2 * part + 2] = found.master[n], found.accumulator[n]
            words += [word for channel in channels for word in channel]
        return words

    def _running(self, name, n):
        if name in self.plan.net.running:
            return [part[n] for part in self.plan.net.running[name]]
        found = self.plan.net.statistics(name)
        return [found.mean[n] << 8, found.deviation[n] << 8]

    # Fields of layers and channels.

    def field(self, d, name):
        """d = the current layer's field."""
        self.load(d, self.offsets[name], self.layer)

    def set_field(self, name, x):
        self.store(x, self.offsets[name], self.layer)

    def advance(self, x, name, times=1):
        """x += the current layer's field, ``times`` times."""
        self.field(self.t, name)
        for _ in range(times):
            self.add(x, x, self.t)

    def registers_of_fields(self, **names):
        """Pass registers take the current layer's fields: register=field."""
        for register, name in names.items():
            self.field(self.t, name)
            self.register(register, self.t)

    @contextmanager
    def channels(self, times, base=None):
        """The block for ``times`` (at least 1) records from ``base`` (or ``record``) on, last one first."""
        self.set(self.lane, times)
        self.mul(self.cursor, self.lane, len(RECORD))
        self.add(self.cursor, self.cursor, base or self.record)
        start = self.label()
        yield _Channel(self)
        self.sub(self.cursor, self.cursor, len(RECORD))
        self.sub(self.lane, self.lane, 1)
        self.branch("ne", self.lane, 0, start)

    def next_record(self, channels):
        """``record`` goes on by so many channels, or back."""
        self.add(self.record, self.record, channels * len(RECORD))

    # Passes.

    def most_of_matrix(self, d):
        """d = the greatest of the matrix unit's maxima."""
        self.clear(d)
        for lane in range(self.side):
            self.get(self.t, Get.MATRIX, 2 * self.side + lane)
            self.max(d, d, self.t)

    def subroutines(self):
        """"geometry": the current layer's GEOMETRY to the pass registers; "forward parameters": of the block
        from ``record`` on, what normalization, scale and shift need."""
        with self.subroutine("geometry", self.inner_link):
            self.registers_of_fields(**{name: name for name in GEOMETRY})
        with self.subroutine("forward parameters", self.inner_link), self.channels(self.block) as channel:
            for slot, name in ((Slot.MEAN, "mean"), (Slot.MANTISSA, "mantissa"), (Slot.SHIFT, "shift"),
                               (Slot.GAMMA, "gamma8"), (Slot.BETA, "beta8")):
                channel.load(self.t, name)
                channel.parameter(slot, self.t)

    def clear(self, x):
        self.set(x, ZERO)


class _Channel:
    """The record at ``cursor`` and the lane of its channel, both one ahead."""

    def __init__(self, firmware):
        self.firmware, self.record, self.lane = firmware, firmware.cursor, firmware.lane

    def load(self, d, name):
        self.firmware.load(d, RECORD.index(name) - len(RECORD), self.record)

    def load_rounded(self, d, name):
        """d = the stored parameter, rounded to 8 bits."""
        self.load(d, name)
        self.firmware.rnd(d, d, 16)
        self.firmware.sat(d, d, 8)

    def store(self, x, name):
        self.firmware.store(x, RECORD.index(name) - len(RECORD), self.record)

    def parameter(self, slot, x):
        """Of the channel's lane of a block's, both halves' lanes counted through."""
        self.firmware.parameter(slot, x, self.firmware.side, self.lane, less=1)

    def get(self, d, port, quantity, lanes):
        """d = ``port``'s quantity of ``lanes`` each."""
        self.firmware.get(d, port, quantity * lanes - 1, self.lane)
