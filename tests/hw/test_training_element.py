# amaranth: UnusedElaboratable=no
"""The element unit against the golden model's functions: all passes, pools, extremes, a packer without room."""

import random

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal
from shiftwork.golden.training.arithmetic import saturate, shift_round
from shiftwork.golden.training.batch_norm import scale_and_shift
from shiftwork.golden.training.engine_config import EngineConfig
from shiftwork.golden.training.interpreter import rectify
from shiftwork.golden.training.quantize import Scaled
from shiftwork.golden.training.registers import Element, Slot
from shiftwork.hw.training.element_unit import ElementUnit
from shiftwork.hw.training.layouts import MEMORY_CYCLES

from .kit import simulate

DEPTH = 4096
BITS = {Slot.MEAN: 25, Slot.SHIFT: 6, Slot.GAMMA: 8, Slot.BETA: 8, Slot.P: 18, Slot.Q: 20, Slot.FACTOR: 18}
PACKED = (Element.ACTIVATE, Element.ERROR, Element.RAW)


def _extremes(rng, bits, shape):
    """Symmetric integers of ``bits`` bits: uniform in size, every eighth the greatest, a tenth 0."""
    most = (1 << bits - 1) - 1
    value = rng.integers(-most, most + 1, shape) >> rng.integers(0, bits, shape)
    value = np.where(rng.random(shape) < 0.125, np.where(value < 0, -most, most), value)
    return np.where(rng.random(shape) < 0.1, 0, value)


def _parameters(rng, side, wild=False):
    """{slot: (2, side)}: of numbers as a network has them, or ``wild``: any."""
    shape = 2, side
    length = rng.integers(1, 26, shape)
    found = {slot: _extremes(rng, bits, shape) for slot, bits in BITS.items()}
    found |= {Slot.MANTISSA: rng.integers(1 << 15, (1 << 16) + 1, shape), Slot.SHIFT: length + 3}
    if wild:
        found[Slot.SHIFT] = rng.integers(0, 64, shape)
    else:
        # z, MEAN and SHIFT that fit each other: x_hat of the order of 1, and e * 2^8 of that of P and Q
        found[Slot.SHIFT] = rng.integers(23, 29, shape)
        found[Slot.GAMMA] |= 64
        for slot in (Slot.P, Slot.Q):
            found[slot] = found[slot] >> 3
    return found


class Case:
    """A map with its memories, and what each pass makes of it, in numpy; channels are (2, side)."""

    def __init__(self, side, rows, columns, groups, *, pooled, seed, wild=False):
        self.side, self.rows, self.columns, self.groups, self.pooled = side, rows, columns, groups, pooled
        self.batch = batch = groups * 2 * side
        rng = np.random.default_rng(seed)
        self.pixels, self.out_rows, self.out_columns = rows * columns, rows >> pooled, columns >> pooled
        pooled_pixels = self.out_rows * self.out_columns
        self.parameters = _parameters(rng, side, wild)
        # of half, pixel, image, lane
        self.z = _extremes(rng, 24, (2, rows, columns, batch, side))
        if not wild:
            self.z >>= 3
            if pooled:      # equal ones within a window, too
                self.z[:, ::2] = np.where(rng.random(self.z[:, ::2].shape) < 0.3, 1 << 19, self.z[:, ::2])
        self.errors = _extremes(rng, 40, (2, pooled_pixels, batch, side))
        self.winners = rng.integers(0, 4, self.errors.shape)
        random_base = rng.integers(0, 500, 6).tolist()
        self.registers = {
            "groups": groups, "rows": rows, "columns": columns, "pooled": int(pooled),
            "z_base": random_base[0], "z_half": self.pixels * batch + random_base[1],
            "error_base": random_base[2], "error_half": pooled_pixels * batch + random_base[3],
            "winner_base": random_base[4]}
        self.x_hat, self.a = self._forward()

    def _of(self, slot):
        return self.parameters[slot][:, None, None, None, :]

    def _forward(self):
        centred = 2 * self.z - self._of(Slot.MEAN)
        x_hat = saturate(shift_round(centred * self._of(Slot.MANTISSA), self._of(Slot.SHIFT)), 16)
        # channels first: (2 * side, rows, columns, batch)
        first = np.moveaxis(x_hat, -1, 1).reshape(2 * self.side, *self.z.shape[1:4])
        gamma, beta = (self.parameters[slot].reshape(-1) for slot in (Slot.GAMMA, Slot.BETA))
        a = rectify(scale_and_shift(Scaled(first, -12), gamma, beta)).integers
        a = np.moveaxis(a.reshape(2, self.side, *self.z.shape[1:4]), 1, -1)
        return x_hat, a

    def memory(self, name):
        """{address: vector} of z, errors, winners."""
        half = self.registers["z_half" if name == "z" else "error_half"]
        base = self.registers[{"z": "z", "errors": "error", "winners": "winner"}[name] + "_base"]
        flat = getattr(self, name).reshape(2, -1, self.side)
        return {base + h * half + n: vector for h in range(2) for n, vector in enumerate(flat[h].tolist())}

    def tiles(self, values):
        """Vectors of (2, rows, columns, batch, side) in the packer's order."""
        block = 2 * self.side
        values = values.reshape(2, -1, self.groups, block, self.side)
        return np.transpose(values, (1, 2, 0, 3, 4)).reshape(-1, self.side).tolist()

    def windows(self):
        """(2, out_rows, out_columns, batch, side, 4): the activations of each window."""
        a = self.a[:, :2 * self.out_rows, :2 * self.out_columns]
        a = a.reshape(2, self.out_rows, 2, self.out_columns, 2, self.batch, self.side)
        return np.transpose(a, (0, 1, 3, 5, 6, 2, 4)).reshape(*a.shape[:2], self.out_columns, *a.shape[5:], 4)

    def activate(self):
        """(vectors to the packer, {address of winners: vector})."""
        if not self.pooled:
            return self.tiles(self.a), {}
        windows = self.windows()
        self.winners = windows.argmax(axis=-1).reshape(self.winners.shape)
        return self.tiles(windows.max(axis=-1)), self.memory("winners")

    def wide(self):
        """D: errors of z's map."""
        if not self.pooled:
            return self.errors.reshape(self.z.shape)
        wide = np.zeros_like(self.z)
        errors, winners = (value.reshape(2, self.out_rows, self.out_columns, self.batch, self.side)
                           for value in (self.errors, self.winners))
        for tap in range(4):
            to = wide[:, tap >> 1:2 * self.out_rows:2, tap & 1:2 * self.out_columns:2]
            to[:] = np.where(winners == tap, errors, 0)
        return wide

    def error(self, shift):
        """(e, dx), with error_shift."""
        # what is clipped in any case, clipped first: int64 must hold it when it is shifted to the left
        wide = saturate(self.wide(), 55) if shift >= 0 else saturate(self.wide(), 20)
        e = saturate(shift_round(wide, shift), 8) * ((self.a > 0) & (self.a < 255))
        share = shift_round(self.x_hat * self._of(Slot.Q), 12)
        return e, saturate(e * 256 - self._of(Slot.P) - share, 18) * self._of(Slot.FACTOR)


def quantized(dx, r, flag):
    """E2 with the scale 2 ** r, as docs/engines/training-machine.md has it."""
    magnitude = np.abs(dx)
    if not flag:
        found = np.minimum(shift_round(np.minimum(magnitude, 1 << r + 1), r - 15), 32767)
    else:
        t = r - 7
        coarse = np.minimum(shift_round(np.minimum(magnitude, 1 << r + 1), t), 127) << 7
        great = magnitude >= (1 << t if t >= 0 else 1)
        found = np.where(great, coarse, shift_round(np.minimum(magnitude, 1 << max(t, 0)), t - 7))
    return np.where(dx < 0, -found, found)


class Bench:
    """The unit with its memories, the packer's room and the controller's ports."""

    def __init__(self, side, seed):
        self.config = EngineConfig(side=side)
        self.reset, self.dut = Signal(), ElementUnit(self.config)
        self.rng = random.Random(seed)
        self.memories = {"z": {}, "error": {}, "winner": {}}
        self.given, self.written, self.reserved, self.room = [], {}, 0, 1.0
        self.due = 0    # vectors of tiles that are reserved

    def simulate(self, bench, timeout):
        simulate(ResetInserter(self.reset)(self.dut), bench, timeout=timeout,
                 background=[self._memories, self._packer])

    async def _memories(self, ctx):
        """What stands at the address of two cycles before; noise where there is nothing."""
        pending = []
        dut, rng = self.dut, self.rng
        while True:
            pending.append({name: ctx.get(getattr(dut, f"{name}_address")) for name in self.memories})
            if len(pending) == MEMORY_CYCLES:
                for name, address in pending.pop(0).items():
                    vector = self.memories[name].get(address)
                    if vector is None:
                        data = getattr(dut, f"{name}_data")
                        ctx.set(data.as_value(), rng.getrandbits(len(data.as_value())))
                    else:
                        ctx.set(getattr(dut, f"{name}_data"), vector)
            await ctx.tick()

    async def _packer(self, ctx):
        dut, side = self.dut, self.config.side
        ctx.set(dut.room, 1)
        signals = dut.o_valid, dut.reserve, dut.room, dut.winner_write
        async for _, reset, valid, reserve, room, write in ctx.tick().sample(*signals):
            pass
