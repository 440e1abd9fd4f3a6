"""Speed of the cocotb simulation, from the results that cocotb itself writes."""

import xml.etree.ElementTree as ElementTree

from . import ternary

__all__ = ["cycles_per_second"]

PERIOD_NS = 10
"""Of the clock of `shiftwork.sim.ternary`."""


def cycles_per_second(config, program, x, folder):
    """Cycles that the whole bench simulates in a second, on the engine of ``config``."""
    ternary.verify(ternary.verilog(config), program, x, folder)
    cases = [case for case in ElementTree.parse(folder / "results.xml").iter("testcase")
             if case.get("sim_time_ns")]   # others were skipped
    cycles = sum(float(case.get("sim_time_ns")) for case in cases) / PERIOD_NS
    return cycles / sum(float(case.get("time")) for case in cases)
