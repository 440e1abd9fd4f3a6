"""Fixtures of the tests of hardware."""

import pytest
from shiftwork.golden.smartexchange.program import MAGIC
from shiftwork.hw.smartexchange.top import emit
from shiftwork.sim.compiled import CompiledSimulator


@pytest.fixture(scope="session")
def simulator(tmp_path_factory):
    """Compiled simulators of SmartExchange engines, by configuration."""
    made = {}

    def make(config):
        if config not in made:
            made[config] = CompiledSimulator(
                emit(config), tmp_path_factory.mktemp("compiled"), "shiftwork_smartexchange", magic=MAGIC)
        return made[config]

    return make
