"""The real Fourier transform and its inverse, two numbers a cycle. docs/engines/circulant-transform.md specifies it."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from shiftwork.golden.circulant.transform import widths
from shiftwork.golden.circulant.transform_config import schedule

from ..common.delay import delay
from .butterfly import Butterfly
from .rotator import DiagonalRotator, Rotator, flag
from .swap import LineSwap, lines

__all__ = ["Stage", "Transform"]


class Stage(wiring.Component):
    """A stage of the transform: swaps, rotation and butterfly; of the inverse one in the opposite order.

    Members: ``i``, ``o``: In and Out of lines; ``first``: In(1), with the first pair of a block; its next pairs
    follow in the next cycles. ``o_first``: Out(1), the same of ``o``.

    Timing: ``latency`` cycles. Reset forgets blocks.
    """

    def __init__(self, config, step, in_width, sums_width, rotated_width):
        self._config, self._parts = config, []      # (part, {member: bits of each index})
        labels = step.labels
        swaps = [(LineSwap, swap) for swap in step.swaps]
        passed = (labels[:, 0, 1] == 0) & (labels[:, 0, 2] == 1)
        width = in_width

        def swap_lines():
            for swap in step.swaps[::-1] if config.inverse else step.swaps:
                self._parts.append((LineSwap(width, swap.distance), {"crossed": swap.crossed}))

        def rotate():
            nonlocal width
            if step.span < 8:
                return
            slots, bits = labels[:, 1, 1], config.factor_bits
            tables = [[int(part[slot - 1]) if slot else alone for slot in slots]
                      for part, alone in zip(config.factors(step.span), (1 << bits, 0), strict=True)]
            made = DiagonalRotator if step.span == 8 else Rotator
            late = [bool(part) and bool(slot) for slot, part in labels[:, 1, 1:]]
            self._parts.append((made(width, rotated_width, step.distance, late, *tables, bits), {}))
            width = rotated_width

        def butterfly():
            nonlocal width
            shift = config.shifts[config.spans.index(step.span)]
            part = Butterfly(width, sums_width, shift=shift, double=config.inverse)
            self._parts.append((part, {"passed": passed}))
            width = sums_width

        for act in (butterfly, rotate, swap_lines) if config.inverse else (swap_lines, rotate, butterfly):
            act()
        self.latency = sum(part.latency for part, _ in self._parts)
        super().__init__({"i": In(lines(in_width)), "first": In(1), "o": Out(lines(width)), "o_first": Out(1)})
