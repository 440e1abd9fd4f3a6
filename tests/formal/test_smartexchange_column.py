# amaranth: UnusedElaboratable=no
"""A dot product of the column array is the sum of sign * 2**exponent * x over its list, whatever they are."""

from dataclasses import replace

import pytest
from amaranth.hdl import Assert, Assume, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from shiftwork.golden.smartexchange.config import SmartExchangeConfig
from shiftwork.hw.common.delay import delay
from shiftwork.hw.smartexchange import shift_add

from .kit import Opened, mutant, prove, refuted

ITEMS, BITS, SUM = 3, 4, 10      #: items of a list, at most; bits of an activation, of an accumulator
READ = 3     #: cycles from a term to its activation


class Small(SmartExchangeConfig):
    """An array smaller than an engine may have: one lane; all are the same."""

    def __post_init__(self):
        pass


CONFIG = Small(lanes=1, scatter_width=1, row_depth=2, acc_width=SUM, activation_width=BITS)
LEAN = replace(CONFIG, arrays=2)


class AnyRows(wiring.Component):
    """Takes the place of the row memory: activations are what the solver likes."""

    def __init__(self, *_):
        super().__init__({"row": In(1), "clear": In(1), "signed": In(1), "x": In(BITS), "sign": In(1),
                          "write_row": In(1), "write_data": In(BITS), "write_groups": In(1)})

    def elaborate(self, platform):
        return Module()


class Lane(wiring.Component):
    """A lane with activations from outside, and its registers in ``inner``."""

    def __init__(self, module, monkeypatch, config=CONFIG):
        self.idle_is_zero = config.arrays == 1
        self._rows, names = AnyRows(), ("complemented", "turn", "double", "fill", "ends", "acc")
        with monkeypatch.context() as patch:
            patch.setattr(module, "RowMemory", lambda *_, **__: self._rows)
            self._lanes = Opened(module.ShiftAddLanes(config), module, names, monkeypatch)
        self.inner, self.snapshot = self._lanes.inner, self._lanes.snapshots[0]
        super().__init__({**{name: In(1) for name in ("valid", "negative", "shift", "last")},
                          "x": In(BITS), "sign": In(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.lanes = self._lanes
        m.d.comb += [getattr(self._lanes, name).eq(getattr(self, name))
                     for name in ("valid", "negative", "shift", "last")]
        m.d.comb += [self._rows.x.eq(self.x), self._rows.sign.eq(self.sign)]
        return m


def lane_rules(m, dut, *, induction=True):
    """Lists of one to ITEMS items, with gaps or without, for ever; activations of idle cycles are zeros or,
    of lanes that do not ask for that, whatever they are.

    The accumulator is the sum of the list's terms so far, each with the power of two that its exponent says:
    the number of items with ``shift`` behind it. The snapshot is that of the last whole list, complemented
    where its last term was subtracted, ``latency`` cycles behind that term.
    """
    valid, negative, shift = (delay(m, value, READ) for value in (dut.valid, dut.negative, dut.shift))
    # until the first term is here accumulators are cleared
    last = delay(m, delay(m, dut.valid & dut.last, READ - 1, init=1), 1)
    x = Signal(signed(BITS + 1))
    m.d.comb += [x.eq(dut.x | dut.sign << BITS), Assume(valid | (x == 0) | (not dut.idle_is_zero))]

    count, so_far, complemented = Signal(range(ITEMS + 1)), Signal(SUM), Signal()
    term, total = Signal(signed(SUM)), Signal(SUM)
    terms, values = ([Signal(signed(SUM), name=f"{name}_{n}") for n in range(ITEMS)]
                     for name in ("term", "value"))
    exponents = [Signal(range(ITEMS + 1), name=f"exponent_{n}") for n in range(ITEMS)]
    m.d.comb += [
        Assume(~valid | last | (count < ITEMS - 1)), term.eq(Mux(negative, -x, x)),
        total.eq(sum(((value << shift)[:SUM] for value in values), start=term)),
    ]
    for n in range(ITEMS):      # terms of no item are 0
        m.d.comb += Assert(values[n] == (terms[n] << exponents[n])[:SUM].as_signed())
        with m.If(last):
            m.d.sync += [terms[n].eq(0), values[n].eq(0), exponents[n].eq(0)]
        with m.Elif(valid & (count == n)):
            m.d.sync += [terms[n].eq(term), values[n].eq(term), exponents[n].eq(0)]
        with m.Elif(valid & (count > n)):
            m.d.sync += [values[n].eq(values[n] << shift), exponents[n].eq(exponents[n] + shift)]
        with m.If(count > n):
            m.d.comb += Assert(exponents[n] + n < count)
        with m.Else():
            m.d.comb += Assert((terms[n] == 0) & (values[n] == 0) & (exponents[n] == 0))
        m.d.comb += Assert(count < ITEMS)
    snapshot, known = Signal(SUM), Signal()
    with m.If(last):
        m.d.sync += [count.eq(0), so_far.eq(0), complemented.eq(0), known.eq(valid),
                     snapshot.eq(total ^ negative.replicate(SUM))]
    with m.Elif(valid):
        m.d.sync += [count.eq(count + 1), so_far.eq(total), complemented.eq(negative)]

    m.d.comb += [Assert(so_far == sum(values, start=0)[:SUM]), Assert(~known | (dut.snapshot == snapshot))]
    if not induction:
        return
    inner = dut.inner
    m.d.comb += [
        Assert(inner["acc"] == so_far ^ complemented.replicate(SUM)),
        Assert(inner["complemented"] == Mux(last, 0, Mux(valid, negative, complemented))),
        Assert(inner["turn"] == (valid & (complemented ^ negative))), Assert(inner["ends"] == last),
        Assert(inner["double"] == (valid & shift)), Assert(~valid | (inner["fill"] == negative)),
    ]


@pytest.mark.parametrize("config", [CONFIG, LEAN], ids=["one array", "several"])
def test_dot_products(tmp_path, monkeypatch, config):
    assert shift_add.ShiftAddColumn.latency == READ + 1
    prove(Lane(shift_add, monkeypatch, config), lane_rules, tmp_path, depth=READ + 1)


@pytest.mark.parametrize("config, old, new", [
    (CONFIG, "double.eq(valid & shift)", "double.eq(shift)"),       # idle cycles double, too
    (CONFIG, "Cat(fill, turned)", "Cat(0, turned)"),                # a complement is doubled with a 0
    (CONFIG, "complemented.eq(0)", "complemented.eq(negative)"),    # a list begins as the one before ended
    (LEAN, "m.If(adds)", "m.If(1)"),                                # what no term reads is added
], ids=["idle", "fill", "begin", "enable"])
def test_other_lanes_are_refuted(tmp_path, monkeypatch, config, old, new):
    refuted(Lane(mutant(shift_add, old, new), monkeypatch, config),
            lambda m, dut: lane_rules(m, dut, induction=False), tmp_path, depth=12, bounded=True)
