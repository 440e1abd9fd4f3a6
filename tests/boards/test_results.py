"""The link's result buffer: bytes of words of every width, in order, turned to address 2."""

import numpy as np
import pytest
from amaranth.sim import Simulator
from shiftwork.hw.common.link_parts import LinkConfig, ResultBuffer


@pytest.mark.parametrize("result_bytes", [2, 4, 8, 16])
def test_words_become_their_bytes(result_bytes):
    dut = ResultBuffer(LinkConfig(width=4, timeout=100, result_bytes=result_bytes))
    wanted = np.random.default_rng(result_bytes).bytes(3 * result_bytes)
    words = [int.from_bytes(wanted[n:n + result_bytes], "little")
             for n in range(0, len(wanted), result_bytes)]
    found = bytearray()

    async def bench(ctx):
        ctx.set(dut.take, 1)
        for n, word in enumerate(words):
            ctx.set(dut.i.p.data, word)
            ctx.set(dut.i.p.last, n == len(words) - 1)
            ctx.set(dut.i.valid, 1)
            for cycle in range(result_bytes):
                assert ctx.get(dut.i.ready) == (cycle == result_bytes - 1)
                assert ctx.get(dut.complete) == (cycle == result_bytes - 1 and n == len(words) - 1)
                await ctx.tick()
        ctx.set(dut.i.valid, 0)
        assert (ctx.get(dut.end), ctx.get(dut.last)) == (2 + len(wanted), 1)
        for n in range(len(wanted)):
            ctx.set(dut.address, 2 + n)
            await ctx.tick().repeat(2)
            found.append(ctx.get(dut.data))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert bytes(found) == wanted
