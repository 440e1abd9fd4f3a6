"""Installing a simulator: the one command, for each package manager."""

import pytest
from shiftwork.flow import setup
from shiftwork.flow.errors import FlowError


@pytest.mark.parametrize(
    ("manager", "command"),
    [
        ("apt-get", "apt-get install -y iverilog"),
        ("dnf", "dnf install -y iverilog"),
        ("brew", "brew install icarus-verilog"),
    ],
)
def test_command_of_the_package_manager(manager, command):
    assert " ".join(setup.install_command(lambda name: name == manager)) == command


def test_nothing_to_do_where_a_simulator_is(monkeypatch):
    monkeypatch.setattr("shiftwork.sim.runner.available_simulators", lambda: ("icarus",))
    monkeypatch.setattr(setup.subprocess, "run", lambda *a, **k: pytest.fail("nothing to run"))
    setup.simulator()


def test_without_permission_the_command_is_told(monkeypatch):
    monkeypatch.setattr("shiftwork.sim.runner.available_simulators", lambda: ())
    monkeypatch.setattr(setup, "install_command", lambda: ["apt-get", "install", "-y", "iverilog"])
    monkeypatch.setattr(setup, "_prefix", lambda command: None)
    with pytest.raises(FlowError, match=r"run once: sudo apt-get install -y iverilog$"):
        setup.simulator()


def test_without_package_manager(monkeypatch):
    monkeypatch.setattr("shiftwork.sim.runner.available_simulators", lambda: ())
    monkeypatch.setattr(setup, "install_command", lambda: None)
    with pytest.raises(FlowError, match="install Icarus Verilog .* or use Python 3.12"):
        setup.simulator()
