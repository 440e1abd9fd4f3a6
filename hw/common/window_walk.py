"""Window coordinates of the next layer, step by step."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["WindowWalk"]


class WindowWalk(wiring.Component):
    """Window coordinates that one local coordinate of a block feeds, along one axis.

    For local coordinates t = 0, 1, .. T-1 (each ``step``) gives the first u = (t + pad) mod T, its cell
    offset a = -((t + pad) div T) and its row offset u * ``row``. ``start`` needs pad mod T + 1 cycles before
    the first use.

    Members: ``size`` T, ``count`` of the window, ``pad_rest`` = pad mod T, ``pad_cells`` = pad div T and
    ``row``: In, constant; ``wrap``: In(1) with ``step``: start over; ``u``, ``a``, ``offset``: Out; ``fits``:
    Out(1), u is less than ``count``.
    """

    def __init__(self, local_width, row_width):
        super().__init__({
            "size": In(local_width), "count": In(local_width),
            "pad_rest": In(local_width), "pad_cells": In(local_width),
            "row": In(row_width), "fits": Out(1),
            "start": In(1), "step": In(1), "wrap": In(1), "ready": Out(1),
            "u": Out(local_width), "a": Out(local_width), "offset": Out(row_width),
        })

    def elaborate(self, platform):
        m = Module()
        first = Signal.like(self.offset)
        following, last = Signal.like(self.u), Signal.like(self.u)
        m.d.comb += [following.eq(self.u + 1), last.eq(self.size - 1)]
        # u == last comes from a register, as in Nest
        settling, ends, first_ends, first_fits = Signal(), Signal(), Signal(), Signal()
        m.d.comb += self.ready.eq(~settling)
        to_zero = [self.u.eq(0), self.offset.eq(0), ends.eq(last == 0)]
        to_next = [self.u.eq(following), self.offset.eq(self.offset + self.row), ends.eq(following == last)]
        with m.If(self.start):
            m.d.sync += [*to_zero, self.a.eq(-self.pad_cells), settling.eq(1)]
        with m.Elif(settling):
            with m.If(self.u == self.pad_rest):
                fits = self.u < self.count
                m.d.sync += [settling.eq(0), first.eq(self.offset), self.fits.eq(fits), first_fits.eq(fits)]
                m.d.sync += first_ends.eq(ends)
            with m.Else():
                m.d.sync += to_next
        with m.Elif(self.step):
            with m.If(self.wrap):
                m.d.sync += [self.u.eq(self.pad_rest), self.offset.eq(first), self.a.eq(-self.pad_cells)]
                m.d.sync += [self.fits.eq(first_fits), ends.eq(first_ends)]
            with m.Elif(ends):
                m.d.sync += [*to_zero, self.a.eq(self.a - 1), self.fits.eq(1)]
            with m.Else():
                m.d.sync += [*to_next, self.fits.eq(following < self.count)]
        return m
