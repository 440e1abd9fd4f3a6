# amaranth: UnusedElaboratable=no
"""The rebuild engine makes C B, and the bit-serial multipliers multiply, for all operands."""

import pytest
from amaranth.hdl import Assert, Assume, Cat, Const, Mux, Signal, signed
from shiftwork.golden.smartexchange.config import SmartExchangeConfig
from shiftwork.hw.smartexchange import rebuild_booth, rebuild_weights
from shiftwork.hw.smartexchange.rebuild_layouts import RebuildWidths

from .kit import Opened, mutant, prove, refuted

CONFIG = SmartExchangeConfig(lanes=4, grid_rows=2, grid_columns=2, drain_width=1, scatter_width=4,
                             combine_width=2, row_depth=32, rebuild=True)
DIGITS = RebuildWidths(CONFIG).digits


class Single(SmartExchangeConfig):
    """One lane, fewer than an engine may have: all are the same."""

    def __post_init__(self):
        pass


ONE = Single(lanes=1, rebuild=True)


def engine_rules(m, dut):
    """Rows of at most ``taps`` coefficients, any number of them; what is kept is the sum of the products."""
    taps, width = CONFIG.taps, RebuildWidths(CONFIG).weight
    count, going, now, active = Signal(range(taps + 1)), Signal(), Signal(range(taps + 1)), Signal()
    m.d.comb += [
        now.eq(Mux(dut.first, 0, count)), active.eq(dut.first | going), Assume(~active | (now < taps)),
        Assume(active | ~dut.last),
    ]
    kept, arrived, known, started = Signal(2), Signal(2), Signal(2), Signal()
    m.d.comb += kept.eq(Mux(dut.last & dut.keep, Mux(dut.turn, 2, 1), 0))
    m.d.sync += [count.eq(now + 1), going.eq(active & ~dut.last), arrived.eq(kept),
                 known.eq(known | arrived), started.eq(1)]
    for s in range(taps):
        product, so_far = Signal(signed(width), name=f"product_{s}"), Signal(signed(width), name=f"sum_{s}")
        with m.If(dut.code.nonzero):
            with m.Switch(dut.code.exponent):
                for p in range(8):      # a coefficient's value, by cases
                    with m.Case(p):
                        m.d.comb += product.eq(Mux(dut.code.negative, -2 ** p * dut.b[s], 2 ** p * dut.b[s]))
        m.d.sync += so_far.eq(Mux(dut.first, 0, so_far) + product)
        before, most = Signal(signed(width), name=f"before_{s}"), count << 14
        m.d.sync += before.eq(so_far)
        # no sum leaves its width
        m.d.comb += Assert(~going | ((so_far <= most) & (so_far >= -most)))
        if isinstance(dut, Opened):
            m.d.comb += Assert(dut.inner[f"total_{s}"] == so_far)
            m.d.comb += Assert(~started | (dut.inner[f"acc_{s}"] == before))
        for n in range(2):
            w = Signal(signed(width), name=f"w_{n}_{s}")
            with m.If(arrived[n]):
                m.d.sync += w.eq(so_far)
            m.d.comb += Assert(~known[n] | (dut.select != n) | (dut.weights[s] == w))
            if isinstance(dut, Opened):
                m.d.comb += Assert(~known[n] | (dut.inner[f"kept_{n}"][s] == w))


def test_rebuild_engine(tmp_path, monkeypatch):
    inner = [f"{name}_{s}" for s in range(CONFIG.taps) for name in ("term", "acc", "total")]
    dut = Opened(rebuild_weights.RebuildEngine(CONFIG), rebuild_weights,
                 ("flags", "kept_0", "kept_1", *inner), monkeypatch)
    prove(dut, engine_rules, tmp_path, depth=2)


@pytest.mark.parametrize("old, new", [
    ("+ flags.negative", ""),                                           # -x is ~x
    ("Mux(flags.first, 0, acc)", "acc"),                                # a row goes on with the one before
    ("kept[n][s].eq(total)", "kept[n][s].eq(acc)"),                     # without the last coefficient
], ids=["carry", "first", "last"])
def test_other_rebuild_engines_are_refuted(tmp_path, old, new):
    refuted(mutant(rebuild_weights, old, new).RebuildEngine(CONFIG), engine_rules, tmp_path, depth=8,
            bounded=True)


def value(digit):
    """What a digit on its way to the multipliers is worth."""
    power = Const(1, 1) << digit.shift
    return Mux(digit.valid, Mux(digit.negative, -power, power), 0)


def encoder_rules(m, dut):
    """An activation's digits that are not zero come one a cycle, the least first; their sum is x."""
    width = CONFIG.activation_width
    x = Signal(signed(width + 1))
    given, lowest, coming = (Signal(signed(width + 4), name=name) for name in ("given", "lowest", "coming"))
    extended = Cat(dut.x, (dut.x[-1] & dut.signed).replicate(3))
    digits = [Signal(signed(3), name=f"digit_{k}") for k in range(DIGITS)]
    left, rest = Signal(DIGITS), Signal(DIGITS)
    m.d.comb += rest.eq(left & (left - 1))
    for k, digit in enumerate(digits):
        with m.If(left[k] & ~left[:k].any()):
            m.d.comb += lowest.eq(digit << 2 * k)
    m.d.sync += [coming.eq(lowest), left.eq(rest), given.eq(given + lowest)]
    with m.If(dut.first):
        m.d.sync += [x.eq(extended[:width + 1]), given.eq(0)]
        for k, digit in enumerate(digits):
            new = (extended[2 * k - 1] if k else 0) + extended[2 * k] - 2 * extended[2 * k + 1]
            m.d.sync += [digit.eq(new), left[k].eq(new != 0)]
    to_come = sum((Mux(left[k], digit << 2 * k, 0) for k, digit in enumerate(digits)), start=Const(0))
    m.d.comb += [
        Assert(value(dut.o) == coming), Assert(dut.o.valid == (coming != 0)),
        Assert(given + to_come == x),       # so behind the last digit all has been given
    ]
    m.d.comb += [Assert(~left[k] | (digit != 0)) for k, digit in enumerate(digits)]
    if isinstance(dut, Opened):
        bits = dut.inner["bits"]
        m.d.comb += Assert(dut.inner["pending"] == left)
        for k, digit in enumerate(digits):
            m.d.comb += Assert(~left[k] | (bits[2 * k] + bits[2 * k + 1] - 2 * bits[2 * k + 2] == digit))


def test_booth_encoder(tmp_path, monkeypatch):
    dut = Opened(rebuild_booth.BoothEncoder(CONFIG), rebuild_booth, ("pending", "bits"), monkeypatch)
    prove(dut, encoder_rules, tmp_path, depth=3)


@pytest.mark.parametrize("old, new", [
    ("sign = x[-1] & is_signed", "sign = x[-1]"),
    ("& ~bits[2 * k:2 * k + 3].all()", ""),
], ids=["sign", "zeros"])
def test_other_encoders_are_refuted(tmp_path, old, new):
    refuted(mutant(rebuild_booth, old, new).BoothEncoder(CONFIG), encoder_rules, tmp_path, depth=8,
            bounded=True)


def multiplier_rules(m, dut):
    """Each digit adds its share of the product: acc = acc + digit * weight, modulo 2 ** sum_width."""
    width, digit, acc = ONE.sum_width, dut.digits[0], dut.acc[0]
    share, last, before = (Signal(signed(width), name=name) for name in ("share", "last", "before"))
    added, cleared, started = Signal(signed(width)), Signal(), Signal()
    with m.If(digit.valid):
        with m.Switch(digit.shift):
            for n in range(ONE.activation_width + 2):
                with m.Case(n):
                    m.d.comb += added.eq(Mux(digit.negative, -2 ** n * dut.weight, 2 ** n * dut.weight))
    m.d.sync += [share.eq(added), last.eq(share), before.eq(acc), cleared.eq(dut.clear), started.eq(1)]
    m.d.comb += [
        Assume(digit.shift <= ONE.activation_width + 1),
        Assert(~started | (acc == Mux(cleared, 0, before + last)[:width])),
    ]
    if isinstance(dut, Opened):
        m.d.comb += Assert(dut.inner["term"] + dut.inner["carry"] == share)


def test_multipliers(tmp_path, monkeypatch):
    dut = Opened(rebuild_booth.SerialMultipliers(ONE), rebuild_booth, ("term", "carry"), monkeypatch)
    prove(dut, multiplier_rules, tmp_path, depth=2)


@pytest.mark.parametrize("old, new", [
    ("Mux(digit.valid, self.weight, 0)", "self.weight"),
    ("acc[lane].as_signed() + term + carry", "acc[lane].as_signed() + term"),
], ids=["idle", "carry"])
def test_other_multipliers_are_refuted(tmp_path, old, new):
    dut = mutant(rebuild_booth, old, new).SerialMultipliers(ONE)
    refuted(dut, multiplier_rules, tmp_path, depth=4, bounded=True)
