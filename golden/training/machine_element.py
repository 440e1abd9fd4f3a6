"""Passes of the training engine's element unit: normalization, Relu and pool, forward and backward."""

import numpy as np

from .arithmetic import saturate, shift_round
from .config import DEVIATION_FRACTION, FACTOR_BITS, GUARD_BITS, PRODUCT_FRACTION
from .engine_config import ERROR_BITS
from .machine_update import pack
from .quantize import Scaled, direct, flagged
from .registers import Element, Slot

__all__ = ["run_element"]

_NORMAL_BITS, _FRACTION = 16, 12
_MOST = 255


def _shifted(values, shift, bits):
    """clip( round(values / 2 ** shift) )."""
    return direct(Scaled(values, 0), -shift, bits).integers


class _Block:
    """One block of channels in a pass with registers ``p``; arrays are (2, pixels, batch, S)."""

    def __init__(self, machine, p):
        self.machine, self.p = machine, p
        self.pooled = bool(p.pooled & 1)
        self.batch = p.groups * machine.config.block
        self.size = p.rows, p.columns
        self.pool_size = p.rows >> 1, p.columns >> 1

    def span(self, base, half_stride, pixels):
        """Addresses (2, pixels, batch) of vectors."""
        half, pixel, image = np.ogrid[:2, :pixels, :self.batch]
        return base + half * half_stride + pixel * self.batch + image

    def parameter(self, slot):
        return self.machine.parameters[slot][:, None, None]

    def normal(self):
        """x_hat of z's map."""
        p = self.p
        z = self.machine.z[self.span(p.z_base, p.z_half, p.rows * p.columns)]
        centred = (z << DEVIATION_FRACTION - PRODUCT_FRACTION) - self.parameter(Slot.MEAN)
        return saturate(shift_round(centred * self.parameter(Slot.MANTISSA), self.parameter(Slot.SHIFT)),
                        _NORMAL_BITS)

    def activation(self, normal):
        wide = self.parameter(Slot.GAMMA) * normal + (self.parameter(Slot.BETA) << _FRACTION)
        return np.clip(shift_round(wide, _FRACTION), 0, _MOST)

    def windows(self):
        """Pixels of z's map (pooled pixels, 4), row by row, and those of the pooled map."""
        rows, columns = self.pool_size
        y, x, a, b = np.ogrid[:rows, :columns, :2, :2]
        return ((2 * y + a) * self.p.columns + 2 * x + b).reshape(-1, 4)

    def errors(self):
        """Wide errors D of z's map."""
        p, memory = self.p, self.machine.errors
        if not self.pooled:
            return memory[self.span(p.error_base, p.error_half, p.rows * p.columns)]
        windows = self.windows()
        found = np.zeros((2, p.rows * p.columns, self.batch, memory.shape[1]), np.int64)
        errors = memory[self.span(p.error_base, p.error_half, len(windows))]
        winners = self.machine.winners[self.span(p.winner_base, p.error_half, len(windows))]
        for tap in range(4):
            found[:, windows[:, tap]] = errors * (winners == tap)
        return found

    def vectors(self, values):
        """(tiles, 2, B, S) in the packer's order: pixel, group, half, image."""
        tiles = values.reshape(2, -1, self.p.groups, self.machine.config.block, values.shape[-1])
        return tiles.transpose(1, 2, 0, 3, 4).reshape(-1, 2, *tiles.shape[3:])

    def activate(self):
        a, p = self.activation(self.normal()), self.p
        if self.pooled:
            windows = self.windows()
            taps = a[:, windows]                # (2, pooled pixels, 4, batch, S)
            span = self.span(p.winner_base, p.error_half, len(windows))
            self.machine.winners[span] = taps.argmax(axis=2)
            a = taps.max(axis=2)
        pack(self.machine, p, self.vectors(a), p.groups, signed=False,
             to=[(self.machine.right, p.right_base)])

    def error(self, normal):
        """E1 behind the Relu's mask."""
        a = self.activation(normal)
        return _shifted(self.errors(), self.p.error_shift, 8) * ((a > 0) & (a < _MOST))

    def input_error(self, normal):
        """dx."""
        inner = ((self.error(normal) << GUARD_BITS) - self.parameter(Slot.P)
                 - shift_round(normal * self.parameter(Slot.Q), _FRACTION))
        return saturate(inner, FACTOR_BITS) * self.parameter(Slot.FACTOR)

    def product_error(self, wide):
        """E2 of ``wide``, packed into both memories."""
        machine, p = self.machine, self.p
        if p.flagged & 1:
            found = flagged(Scaled(wide, 0), p.product_shift).scaled.integers
        else:
            found = _shifted(wide, p.product_shift - (ERROR_BITS - 1), ERROR_BITS)
        pack(machine, p, self.vectors(found), p.groups, signed=True, errors=True,
             to=[(machine.left, p.left_base), (machine.right, p.right_base)])
        return found


def run_element(machine, p):
    """One pass with pass registers ``p``; (mode, cycles): a cycle a vector of z (RAW: of errors)."""
    mode, block = Element(p.element_mode & 7), _Block(machine, p)
    sums = machine.element_sums
    if mode == Element.ACTIVATE:
        block.activate()
    elif mode == Element.SUMS:
        normal = block.normal()
        error = block.error(normal)
        sums[0], sums[1] = error.sum(axis=(1, 2)), (error * normal).sum(axis=(1, 2))
    elif mode == Element.MOST:
        sums[2] = np.abs(block.input_error(block.normal())).max(axis=(1, 2))
    elif mode == Element.ERROR:
        block.product_error(block.input_error(block.normal()))
    else:
        block.pooled = False
        sums[0] = block.product_error(block.errors()).sum(axis=(1, 2))
    rows, columns = (2 * (size // 2) if block.pooled and mode == Element.ACTIVATE else size
                     for size in block.size)
    return mode, 2 * rows * columns * block.batch
