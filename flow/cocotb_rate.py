"""Speed of the cocotb simulation, from the results that cocotb itself writes."""

import xml.etree.ElementTree as ElementTree

from . import ternary

__all__ = ["cycles_per_second", "simulated_ns"]

PERIOD_NS = 10
"""Of the clock of `shiftwork.sim.engine_tests`."""


def simulated_ns(case):
    """Nanoseconds that a test case of cocotb's results simulated; 0 where it was skipped."""
    about = {item.get("name"): item.get("value") for item in case.iter("property")}
    return float(about.get("sim_time_duration", 0))


def cycles_per_second(config, program, x, folder):
    """Cycles that the whole bench simulates in a second, on the engine of ``config``."""
    ternary.verify(ternary.verilog(config), program, x, folder)
    cases = list(ElementTree.parse(folder / "results.xml").iter("testcase"))
    cycles = sum(simulated_ns(case) for case in cases) / PERIOD_NS
    return cycles / sum(float(case.get("time")) for case in cases)
