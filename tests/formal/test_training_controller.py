# amaranth: UnusedElaboratable=no
"""The controller's divider, root, multiplier and shifter are their formulas, for all words of a few bits."""

import pytest
from amaranth.hdl import Assert, Assume, Mux, Signal, signed
from shiftwork.golden.training.isa import Op
from shiftwork.hw.training import divider, multiplier, root, shifter

from .kit import mutant, prove, refuted, stay

WIDTH = 6


def once(m, dut, cycles, *constant, before=()):
    """Whether the result of a start in cycle 1 stands, ``cycles`` later at the latest; it must.

    What is ``constant`` stays from the start on, what stands ``before`` it from cycle 0 on.
    """
    age = Signal(range(cycles + 4))
    m.d.sync += age.eq(Mux(age == cycles + 3, age, age + 1))
    m.d.comb += [Assume(dut.start == (age == 1)), Assert(~dut.busy | (age <= cycles + 1))]
    stay(m, age > 1, *constant)
    stay(m, age > 0, *before)
    return (age > 1) & ~dut.busy


def divider_rules(m, dut):
    """|2 (q y - x)| <= y, and q is even where they are equal."""
    done = once(m, dut, WIDTH + 1, dut.x, dut.y)
    quotient, twice, y = Signal(signed(WIDTH)), Signal(signed(2 * WIDTH + 2)), dut.y
    m.d.comb += [
        Assume(y > 0), quotient.eq(dut.o + dut.increment), twice.eq(2 * (quotient * y - dut.x)),
        Assert(~done | ((twice <= y) & (twice >= -y))),
        Assert(~done | ((twice != y) & (twice != -y)) | ~quotient[0]),
    ]


def root_rules(m, dut):
    """r ** 2 <= x < (r + 1) ** 2."""
    given, found = Signal(WIDTH), dut.o >> 1
    with m.If(dut.start):
        m.d.sync += given.eq(dut.x)
    m.d.comb += Assume(~dut.start | (dut.x < 1 << WIDTH - 2))
    done = once(m, dut, WIDTH // 2 - 1)
    m.d.comb += [
        Assert(~done | ((found * found <= given) & ((found + 1) * (found + 1) > given))),
        Assert(~done | (dut.o[0] == (found * found != given))),
    ]


def multiplier_rules(m, dut):
    done = once(m, dut, 9, dut.x, dut.y)
    m.d.comb += Assert(~done | (dut.o == (dut.x * dut.y)[:WIDTH]))


def shifter_rules(m, dut):
    """Every operation by its definition, with places of its own range."""
    x, y, places = dut.x, dut.y, dut.y[:3]
    done = once(m, dut, 14, x, y, before=(dut.op,))
    result, back, most = Signal(signed(WIDTH)), Signal(3), Signal(WIDTH)
    magnitude, bits, half, rest = Signal(WIDTH + 1), Signal(4), Signal(WIDTH), Signal(WIDTH)
    m.d.comb += [
        result.eq(dut.o + dut.increment), back.eq(-y), most.eq((1 << places >> 1) - 1),
        magnitude.eq(Mux(x < 0, -x, x)), half.eq(1 << places >> 1), rest.eq(x & (1 << places) - 1),
    ]
    for n in range(WIDTH):
        with m.If(magnitude[n]):
            m.d.comb += bits.eq(n + 1)
    up = (rest > half) | ((rest == half) & (x >> places)[0])
    limited = Mux(magnitude > most, Mux(x < 0, -most, most), x)
    for op, wanted, least in ((Op.SHL, x << places, 0), (Op.SHR, x >> places, 0), (Op.LEN, bits, None),
                              (Op.RND, Mux(y <= 0, x << back, (x >> places) + up), 1 - WIDTH),
                              (Op.SAT, limited, 1)):
        its = dut.op == op
        if least is not None:
            m.d.comb += Assume(~its | ((y >= least) & (y < WIDTH)))
        m.d.comb += Assert(~done | ~its | (result == wanted[:WIDTH].as_signed()))


PARTS = {
    "divider": (divider, lambda module: module.Divider(WIDTH), divider_rules, WIDTH + 5),
    "root": (root, lambda module: module.Root(WIDTH), root_rules, WIDTH // 2 + 4),
    "multiplier": (multiplier, lambda module: module.Multiplier(WIDTH, 2), multiplier_rules, 14),
    "shifter": (shifter, lambda module: module.Shifter(WIDTH, 2), shifter_rules, 18),
}


@pytest.mark.parametrize("name", PARTS)
def test_formulas(name, tmp_path):
    """From one start on; a start takes all registers to the same, whatever was before."""
    module, make, rules, depth = PARTS[name]
    prove(make(module), rules, tmp_path, depth=depth, bounded=True)


@pytest.mark.parametrize("name, old, new", [
    ("divider", "(~half | quotient[0])", "~half"),
    ("divider", "Mux(rounding, sign, quotient[-1] ^ sign)", "Mux(rounding, 0, quotient[-1] ^ sign)"),
    ("root", "~root, Const(3, 2))", "~root, Const(2, 2))"),
    ("root", "Const(3, 2), Cat(root", "Const(1, 2), Cat(root"),
    ("multiplier", "for n in range(limb, self", "for n in range(2 * limb, self"),
    ("shifter", "sticky | half | (far", "sticky | (far"),
    ("shifter", "power, up = sign & ones", "power, up = sign"),
    ("shifter", "measures | limits, power, up", "measures, power, up"),
    ("shifter", "& ~left\n", "\n"),
], ids=lambda value: None)
def test_others_are_refuted(name, old, new, tmp_path):
    module, make, rules, depth = PARTS[name]
    refuted(make(mutant(module, old, new)), rules, tmp_path, depth=depth, bounded=True)
