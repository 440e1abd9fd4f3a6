"""Registers in a row."""

from amaranth import Signal

__all__ = ["delay"]


def delay(m, value, cycles, *, init=0, reset_less=True):
    """``value`` as it was ``cycles`` before."""
    for _ in range(cycles):
        register = Signal(value.shape(), init=init, reset_less=reset_less)
        m.d.sync += register.eq(value)
        value = register
    return value
