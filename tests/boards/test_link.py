"""The host link's RTL in cocotb, over a third party's UART."""

import pytest
from amaranth.back import verilog
from shiftwork.boards.echo import EchoBoard
from shiftwork.hw.common.link import LinkConfig
from shiftwork.sim.runner import run_cocotb


@pytest.mark.parametrize("width, divisor", [(2, 8), (1, 13), (8, 9)])
def test_link(tmp_path, width, divisor):
    board = EchoBoard(LinkConfig(width=width, timeout=2000), divisor)
    text = verilog.convert(board, name="echo_board", emit_src=False, strip_internal_attrs=True)
    run_cocotb(text, "echo_board", f"{__package__}.link_bench", tmp_path, seed=width,
               environment={"LINK_WIDTH": str(width), "LINK_DIVISOR": str(divisor), "LINK_TIMEOUT": "2000"})
