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
        following = Signal.like(self.u)
        m.d.comb += following.eq(self.u + 1)
        settling, first_fits = Signal(), Signal()
        m.d.comb += self.ready.eq(~settling)
        with m.If(self.start):
            m.d.sync += [self.u.eq(0), self.offset.eq(0), self.a.eq(-self.pad_cells), settling.eq(1)]
        with m.Elif(settling):
            with m.If(self.u == self.pad_rest):
                fits = self.u < self.count
                m.d.sync += [settling.eq(0), first.eq(self.offset), self.fits.eq(fits), first_fits.eq(fits)]
            with m.Else():
                m.d.sync += [self.u.eq(following), self.offset.eq(self.offset + self.row)]
        with m.Elif(self.step):
            with m.If(self.wrap):
                m.d.sync += [self.u.eq(self.pad_rest), self.offset.eq(first), self.a.eq(-self.pad_cells)]
                m.d.sync += self.fits.eq(first_fits)
            with m.Elif(following == self.size):
                m.d.sync += [self.u.eq(0), self.offset.eq(0), self.a.eq(self.a - 1), self.fits.eq(1)]
            with m.Else():
                m.d.sync += [self.u.eq(following), self.offset.eq(self.offset + self.row)]
                m.d.sync += self.fits.eq(following < self.count)
        return m
