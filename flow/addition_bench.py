"""One addition in the RTL of a column array, in Amaranth's simulator: its cycles, and what its signals do."""

import tempfile
from pathlib import Path

__all__ = ["addition_cycles", "addition_signals", "recorded"]

LIMIT = 200    #: cycles that a term may take


def addition_cycles(config, a, b):
    """Cycles of the addition a + b in every column, and the sums: (int, list of ``drain_width`` ints).

    ``a`` and ``b``: unsigned activations of ``activation_width`` bits. The first term, a, is a copy and is
    not counted; the second is, from the cycle in which it is offered to its last. Raises TimeoutError where a
    term takes more than ``LIMIT`` cycles.
    """
    simulator, found = _simulator(config, a, b)
    simulator.run()
    return tuple(found)


def addition_signals(config, a, b):
    """What all signals of the column array are in each cycle of the same: {name: list of int}.

    The first cycle is that in which the second term, b, is offered. Names are those of the simulator's VCD
    file, as "plus.o" of a submodule or "step4.index" of a structure.
    """
    signals = recorded(_simulator(config, a, b)[0])
    valid = signals["valid"]
    _, first = (n for n in range(1, len(valid)) if valid[n] and not valid[n - 1])
    return {name: values[first:] for name, values in signals.items()}


def recorded(simulator):
    """Runs Amaranth's ``simulator``: what all signals are in each cycle, as `addition_signals` has them."""
    with tempfile.TemporaryDirectory(prefix="shiftwork-signals-") as folder:
        path = Path(folder, "signals.vcd")
        with simulator.write_vcd(str(path)):
            simulator.run()
        return _cycles(path)


def _simulator(config, a, b):
    """A simulator that adds when it runs, and the list to which it appends cycles and sums."""
    from amaranth.sim import Simulator
    from shiftwork.hw.ternary.array_unit import make_array

    dut, found = make_array(config), []

    async def bench(ctx):
        await _write(ctx, dut, config, (a, b))
        await _item(ctx, dut, 0, 0)
        await ctx.tick().repeat(dut.latency)    # so that nothing but b moves while b is added
        cycles = await _item(ctx, dut, 1, 1)
        await ctx.tick().repeat(dut.latency - 1)
        for part in range(config.drain_step):
            if config.bit_serial:
                ctx.set(dut.part, part)
            await ctx.tick()
        await ctx.tick()
        found.extend([cycles, [ctx.get(dut.result[d]) for d in range(config.drain_width)]])

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    return simulator, found


async def _write(ctx, dut, config, words):
    """Row n of all columns becomes ``words[n]``."""
    width = config.activation_width
    ctx.set(dut.write_groups, (1 << config.groups) - 1)
    for row, x in enumerate(words):
        rows = [(row, sum(x << width * lane for lane in range(config.scatter_width)))]
        if config.bit_serial:
            rows = [(row * width + bit, -(x >> bit & 1)) for bit in range(width)]
        for address, data in rows:
            ctx.set(dut.write_row, address)
            ctx.set(dut.write_data, data)
            await ctx.tick()
    ctx.set(dut.write_groups, 0)
    if config.bit_serial:
        ctx.set(dut.bits, width)
    await ctx.tick().repeat(3)


async def _item(ctx, dut, row, last):
    """Offers a term until it is over; its cycles."""
    ctx.set(dut.valid, 1)
    ctx.set(dut.row, row)
    ctx.set(dut.last, last)
    for cycle in range(1, LIMIT + 1):
        over = ctx.get(dut.ready)
        await ctx.tick()
        if over:
            ctx.set(dut.valid, 0)
            return cycle
    raise TimeoutError(f"Term must be added within {LIMIT} cycles")


def _cycles(path):
    """Values of a VCD file's signals just before each rising edge of the clock: {name: list of int}."""
    names, scopes, values, found = {}, [], {}, {}
    for line in path.read_text().splitlines():
        if line.startswith("$scope"):
            scopes.append(line.split()[2])
        elif line.startswith("$upscope"):
            scopes.pop()
        elif line.startswith("$var"):
            _, _, _, code, name, *_ = line.split()
            names.setdefault(code, []).append(".".join([*scopes[2:], name.removeprefix("\\")]))
        elif line.startswith("#"):
            before = dict(values)
        elif line[:1] in ("0", "1", "b"):
            value, code = line[1:].split() if line[0] == "b" else (line[0], line[1:])
            if "clk" in names[code] and value == "1" and values[code] == "0":
                for key, bits in before.items():
                    for name in names[key]:
                        found.setdefault(name, []).append(int(bits, 2))
            values[code] = value
    return found
