"""Lists in the RTL of a small SmartExchange engine, in Amaranth's simulator: what its signals do."""

import numpy as np
from shiftwork.golden.smartexchange.config import SmartExchangeConfig
from shiftwork.golden.smartexchange.encode import encode
from shiftwork.golden.smartexchange.layers import ConvLayer, SmartExchangeNetwork

from .addition_bench import recorded

__all__ = ["CONFIG", "list_network", "list_signals"]

CONFIG = SmartExchangeConfig(
    lanes=8, grid_rows=1, grid_columns=1, drain_width=2, scatter_width=4, combine_width=4, row_depth=32,
    item_depth=32, table_depth=64, basis_depth=32)
LIMIT = 1000    #: cycles that the batch may take


def list_network(coefficients, basis, columns):
    """A convolution of one filter, R x S, over a map of one channel, R rows and ``columns``.

    ``coefficients`` (R, S): 0 and plus or minus powers of two; ``basis`` (S, S).
    """
    c = np.asarray(coefficients)[None]
    layer = ConvLayer(
        name="conv", kernel_rows=c.shape[1], signs=np.sign(c).astype(np.int8), bounds=(0, c.shape[1]),
        exponents=np.log2(np.maximum(np.abs(c), 1)).astype(np.int8), basis=np.array([[basis]], np.int8),
        bias=np.zeros(1, int), scale=np.array([2048]), shift=np.array([15]), low=-32768, high=32767,
        input_signed=False)
    return SmartExchangeNetwork(input_shape=(1, c.shape[1], columns), input_scale=1.0, output_scale=1.0,
                                layers=(layer,))


def list_signals(network, x, number):
    """What all signals of an engine of CONFIG are in each cycle, {name: list of int}, running ``network``.

    ``x``: images, integers. The first cycle is that in which the first item of list ``number``, counted
    through all columns, is taken. Names are those of `addition_signals`. Raises TimeoutError where the batch
    takes more than ``LIMIT`` cycles.
    """
    from amaranth.sim import Simulator
    from shiftwork.hw.smartexchange.engine import SmartExchangeEngine

    program, dut = encode(network, CONFIG), SmartExchangeEngine(CONFIG)
    beats = [int.from_bytes(beat.tobytes(), "little") for beat in program.pack_input(x)]

    async def bench(ctx):
        ctx.set(dut.o.ready, 1)
        await _send(ctx, dut.i_program, program.to_words().tolist())
        await ctx.tick().repeat(3)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        await _send(ctx, dut.i, beats)
        for _ in range(LIMIT):
            if not ctx.get(dut.busy):
                return
            await ctx.tick()
        raise TimeoutError(f"Batch must be done within {LIMIT} cycles")

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    signals = recorded(simulator)
    valid, ready, last = (signals[f"lists.queue.o__{name}"] for name in ("valid", "ready", "payload.last"))
    taken = [v & r for v, r in zip(valid, ready, strict=True)]
    ends = [n for n, ends in enumerate(last) if taken[n] and ends]
    begin = taken.index(1, ends[number - 1] + 1 if number else 0)
    return {name: values[begin:] for name, values in signals.items()}


async def _send(ctx, stream, values):
    """A packet."""
    ctx.set(stream.valid, 1)
    for n, value in enumerate(values):
        ctx.set(stream.payload, {"data": value, "last": n == len(values) - 1})
        await ctx.tick().until(stream.ready)
    ctx.set(stream.valid, 0)
