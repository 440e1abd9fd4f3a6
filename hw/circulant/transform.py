"""The real Fourier transform and its inverse, two numbers a cycle.

Specification: docs/engines/circulant-transform.md.
"""

from amaranth import Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from shiftwork.golden.circulant.transform import widths
from shiftwork.golden.circulant.transform_config import schedule

from ..common.delay import delay
from .butterfly import Butterfly
from .rotator import DiagonalRotator, Rotator, flag
from .swap import LineSwap, lines

__all__ = ["Stage", "Transform"]


def _members(in_width, out_width):
    return {"i": In(lines(in_width)), "first": In(1), "o": Out(lines(out_width)), "o_first": Out(1)}


def _rotator(config, step, in_width, out_width):
    slots, alone = step.labels[:, 1, 1], 1 << config.factor_bits
    c, s = config.factors(step.span)
    return (DiagonalRotator if step.span == 8 else Rotator)(
        in_width, out_width, step.distance, late=[bool(part) for part in step.labels[:, 1, 2]],
        c=[int(c[slot - 1]) if slot else alone for slot in slots],
        s=[int(s[slot - 1]) if slot else 0 for slot in slots], bits=config.factor_bits)


class Stage(wiring.Component):
    """A stage: swaps, rotation and butterfly; of the inverse transform butterfly, rotation and swaps.

    Parameters: ``config``: TransformConfig, ``step``: Step, ``in_width``: bits of each number that goes in.

    Members: ``i``, ``first``, ``o``, ``o_first`` of `Transform`.

    Timing: ``latency`` cycles. Reset forgets blocks.
    """

    def __init__(self, config, step, in_width):
        self._cycles, span, found = config.cycles, step.span, widths(config)
        sums = found["sums", span]
        rotated = max(found.get(("rotated", span), 0), sums if config.inverse else in_width)
        passed = (step.labels[:, 0, 1:] == (0, 1)).all(axis=1)
        butterfly = Butterfly(in_width if config.inverse else rotated, sums, double=config.inverse,
                              shift=config.shifts[config.spans.index(span)])
        swaps = [(LineSwap(rotated if config.inverse else in_width, swap.distance), swap.crossed)
                 for swap in step.swaps]
        # (part, of each index the bit that controls it; a rotator has tables of its own)
        self._parts = [*swaps, (butterfly, passed)]
        if span >= 8:
            rotator = _rotator(config, step, sums if config.inverse else in_width, rotated)
            self._parts.insert(-1, (rotator, None))
        if config.inverse:
            self._parts.reverse()
        self.latency = sum(part.latency for part, _ in self._parts)
        self.width = rotated if config.inverse else sums
        super().__init__(_members(in_width, self.width))

    def elaborate(self, platform):
        m = Module()
        # The index of a pair within its block; 0 between blocks.
        index, following = Signal(range(self._cycles)), Signal(range(self._cycles))
        m.d.comb += following.eq(Mux(self.first | index.any(), index + 1, 0))
        m.d.sync += index.eq(following)
        values, late = self.i, 0
        for n, (part, bits) in enumerate(self._parts):
            m.submodules[f"part{n}"] = part
            m.d.comb += part.i.eq(values)
            if isinstance(part, LineSwap):
                m.d.comb += part.crossed.eq(flag(m, following, bits, late + 1, f"crossed{n}_"))
            elif isinstance(part, Butterfly):
                passed = flag(m, following, bits, late + 1, "passed") if any(bits) else Const(0, 1)
                m.d.comb += part.passed.eq(passed)
            else:
                m.d.comb += part.following.eq(delay(m, following, late, name="following"))
            values, late = part.o, late + part.latency
        m.d.comb += [
            self.o.eq(values),
            self.o_first.eq(delay(m, self.first, self.latency, reset_less=False, name="first")),
        ]
        return m


class Transform(wiring.Component):
    """The transform of one block after the other.

        forward:  i = (x[2 t], x[2 t + 1]),  o[t] = slots by ``order``[t]
        inverse:  i[t] = slots by ``order``[t],  o = (x[2 t], x[2 t + 1])

    in the cycles t = 0 .. h - 1 of a block, as golden.circulant.transform computes them bit by bit.

    Parameters
    ----------
    config : TransformConfig

    Members
    -------
    i : In(lines(config.width))
    first : In(1)
        With the first pair of a block. The other pairs follow in the next cycles, without a gap; the next
        block may follow at once or at any time.
    o : Out(lines(width))
    o_first : Out(1)
        The same of ``o``.

    Attributes: ``width``, bits of each result. ``order``, int array (h, 2, 2): (slot, part) of the lines in
    each cycle.

    Timing: ``latency`` cycles from a block's first pair to its first pair of results; never stalls. Reset
    forgets blocks that are under way.
    """

    def __init__(self, config):
        steps = schedule(config.size)
        self.order = steps[-1].results[..., 1:]
        self._stages, self.width = [], config.width
        for step in steps[::-1] if config.inverse else steps:
            self._stages.append(Stage(config, step, self.width))
            self.width = self._stages[-1].width
        self.latency = sum(stage.latency for stage in self._stages)
        super().__init__(_members(config.width, self.width))

    def elaborate(self, platform):
        m = Module()
        values, first = self.i, self.first
        for n, stage in enumerate(self._stages):
            m.submodules[f"stage{n}"] = stage
            m.d.comb += [stage.i.eq(values), stage.first.eq(first)]
            values, first = stage.o, stage.o_first
        m.d.comb += [self.o.eq(values), self.o_first.eq(first)]
        return m
