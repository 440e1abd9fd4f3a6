# amaranth: UnusedElaboratable=no
"""The controller's arithmetic against Python's integers."""

import math
import random

import pytest
from shiftwork.golden.training.arithmetic import divide_round, root_with_sticky
from shiftwork.golden.training.isa import WORD_BITS, Op
from shiftwork.hw.training.alu import Alu
from shiftwork.hw.training.divider import Divider
from shiftwork.hw.training.multiplier import Multiplier
from shiftwork.hw.training.root import Root
from shiftwork.hw.training.shifter import Shifter

from .kit import simulate

HALF = 1 << WORD_BITS - 1
COUNTS = range(WORD_BITS)


def wrapped(value):
    """Modulo 2 ** 88, signed."""
    return (value + HALF) % (2 * HALF) - HALF


def rounded(x, y):
    """RND."""
    return divide_round(x, 1 << y) if y > 0 else x << -y


def clipped(x, y):
    """SAT."""
    most = (1 << y - 1) - 1
    return min(max(x, -most), most)


RESULTS = {
    Op.ADD: lambda x, y: x + y, Op.SUB: lambda x, y: x - y, Op.MUL: lambda x, y: x * y,
    Op.AND: lambda x, y: x & y, Op.OR: lambda x, y: x | y, Op.SHL: lambda x, y: x << y,
    Op.SHR: lambda x, y: x >> y, Op.RND: rounded, Op.LEN: lambda x, y: abs(x).bit_length(),
    Op.ABS: lambda x, y: abs(x), Op.MIN: min, Op.MAX: max, Op.SAT: clipped, Op.DIV: divide_round,
    Op.ROOT: lambda x, y: root_with_sticky(x),
}
"""What r[d] is by the specification, before it is wrapped."""

EDGES = [0, 1, -1, 2, -2, 3, -3, 255, 256, -255, -256, (1 << 18) - 1, 1 << 18, 1 << 54, HALF - 1, -HALF,
         1 - HALF, 1 << 86, -(1 << 86), (1 << 86) - 1, 1 - (1 << 86)]


def word(rng):
    """A word of any length, often an edge."""
    if rng.random() < 0.3:
        return rng.choice(EDGES)
    value = rng.getrandbits(rng.randrange(WORD_BITS))
    return rng.choice((value, -value, ~value))


def operands(rng, op):
    """x and y, as the operation wants them."""
    x, y = word(rng), word(rng)
    match op:
        case Op.SHL | Op.SHR:
            y = rng.choice(COUNTS)
        case Op.RND:
            y = rng.randrange(-87, 88)
            if y > 0 and rng.random() < 0.5:      # halves, and what is next to them
                x = wrapped(((rng.randrange(-9, 9) * 2 + 1) << y - 1) + rng.randint(-1, 1))
        case Op.SAT:
            y = rng.randrange(1, WORD_BITS)
            if rng.random() < 0.6:
                x = wrapped(rng.choice((1, -1)) * ((1 << y - 1) + rng.randint(-2, 1)))
        case Op.LEN if rng.random() < 0.5:
            x = wrapped(rng.choice((1, -1)) * (1 << rng.randrange(WORD_BITS)) + rng.randint(-1, 1))
        case Op.MUL if rng.random() < 0.5:
            y = rng.getrandbits(rng.choice((17, 18, 19)))
        case Op.DIV:
            y = max(abs(y), 1) if y != -HALF else HALF - 1
            if rng.random() < 0.5:
                half = rng.randrange(-99, 99) * y + y // 2 + rng.randint(0, 1)
                x = half if -HALF <= half < HALF else x
        case Op.ROOT:
            x = abs(x) % (1 << 86)
            if rng.random() < 0.5:
                x = max(math.isqrt(x) ** 2 + rng.randint(-1, 1), 0)
        case Op.ADD | Op.SUB | Op.MIN | Op.MAX if rng.random() < 0.3:
            y = wrapped(x + rng.randint(-1, 1))
    return x, y


async def computed(ctx, dut, op, x, y):
    """The result and the cycles behind the first one with the operands, which follows ``start``."""
    for name, value in (("op", op), ("x", ~x), ("y", ~y), ("start", 1)):
        ctx.set(getattr(dut, name), value)
    await ctx.tick()
    for name, value in (("x", x), ("y", y), ("start", 0)):
        ctx.set(getattr(dut, name), value)
    await ctx.tick()
    cycles = 0
    while ctx.get(dut.busy):
        await ctx.tick()
        cycles += 1
    return wrapped(ctx.get(dut.o) + ctx.get(dut.increment)), cycles


SLOW = {Op.DIV: 89, Op.ROOT: 43}
TIMES = {Op.DIV: 100, Op.ROOT: 200}


@pytest.mark.parametrize("op", RESULTS, ids=lambda op: op.name)
def test_results(op):
    """Random and edge operands, one after the other; cycles as stated."""
    dut, rng = Alu(), random.Random(int(op))

    async def bench(ctx):
        for _ in range(TIMES.get(op, 500)):
            x, y = operands(rng, op)
            found, cycles = await computed(ctx, dut, op, x, y)
            assert found == wrapped(RESULTS[op](x, y)), (x, y)
            assert ctx.get(dut.less) == (x < y) or op is Op.ADD
            assert ctx.get(dut.equal) == (x == y) or op is Op.ADD
            assert cycles == cycles_of(op, x, y)

    simulate(dut, bench, timeout=40000)


def cycles_of(op, x, y):
    """Cycles that ``busy`` lasts."""
    def moves(places):
        return places // 8 + places % 8
    match op:
        case Op.SHL | Op.SHR | Op.RND:
            return 1 + moves(abs(y))
        case Op.SAT:
            return (2 + moves(y - 1)) * (2 if (x ^ x >> 88) >> y - 1 else 1)
        case Op.LEN:
            long = (x ^ x >> 88).bit_length()
            far = max(0, -(-(long - 8) // 8))
            return 2 * (1 + far + long - 8 * far)
        case Op.MUL:
            return 8 if 0 <= y < 1 << 18 else 18
    return SLOW.get(op, 0)


@pytest.mark.parametrize("make, op, cases", [
    (Divider, None, [(x, y, divide_round(x, y)) for x in range(-8, 8) for y in range(1, 8)]),
    (Multiplier, None, [(x, y, x * y % 16) for x in range(16) for y in range(16)]),
    (lambda width: Shifter(width, 2), Op.RND, [(x, y, rounded(x, y)) for x in range(-8, 8)
                                              for y in range(-3, 4)]),
], ids=["divider", "multiplier", "shifter"])
def test_all_words_of_four_bits(make, op, cases):
    dut = make(4)

    async def bench(ctx):
        for x, y, result in cases:
            if op is not None:
                ctx.set(dut.op, op)
                await ctx.tick()
            for name, value in (("x", x), ("y", y), ("start", 1)):
                ctx.set(getattr(dut, name), value)
            await ctx.tick()
            ctx.set(dut.start, 0)
            while ctx.get(dut.busy):
                await ctx.tick()
            found = ctx.get(dut.o) + (ctx.get(dut.increment) if hasattr(dut, "increment") else 0)
            assert (found - result) % 16 == 0, (x, y)

    simulate(dut, bench, timeout=9000)


@pytest.mark.parametrize("width", [2, 9])
def test_other_widths_of_a_root(width):
    with pytest.raises(ValueError, match=f"^Root's width must be even and at least 4, not {width}$"):
        Root(width)
