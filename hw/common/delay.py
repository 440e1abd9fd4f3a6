"""Delay lines."""

from amaranth import Signal

__all__ = ["delay"]


def delay(m, value, cycles, *, init=None, reset_less=True, name="delayed"):
    """``value`` as it was ``cycles`` before, 0 or more, of the same shape; before that ``init``, or zeros.

    Adds so many registers to ``m``'s domain sync. Marks of what is under way need a reset (``reset_less``
    False); what goes with them does not.
    """
    for n in range(cycles):
        register = Signal(value.shape(), init=init, reset_less=reset_less, name=f"{name}{n}")
        m.d.sync += register.eq(value)
        value = register
    return value
