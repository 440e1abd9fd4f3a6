"""Which room may import what, as the design says."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = {
    "golden": {"numpy", "shiftwork.golden"},
    "hw": {"amaranth", "shiftwork.golden", "shiftwork.hw"},
    "sim": {
        "numpy",
        "cocotb",
        "cocotb_tools",
        "cocotbext",
        "amaranth",
        "shiftwork.golden",
        "shiftwork.hw",
        "shiftwork.sim",
    },
    "boards": {
        "numpy",
        "scipy",
        "amaranth",
        "amaranth_boards",
        "serial",
        "shiftwork.golden",
        "shiftwork.hw",
        "shiftwork.boards",
    },
}
ENGINES = {"ternary", "smartexchange", "circulant", "training"}


def _files(room):
    return sorted((ROOT / room).rglob("*.py"))


def _imports(path):
    """Absolute names of what the file imports, functions' imports included."""
    package = ("shiftwork", *path.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*start, *(node.module.split(".") if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _within(name, allowed):
    return name.split(".")[0] in sys.stdlib_module_names or any(
        name == a or name.startswith(a + ".") for a in allowed
    )


@pytest.mark.parametrize("room", ROOMS)
def test_room_imports_only_what_it_may(room):
    assert _files(room)
    wrong = [
        (path.relative_to(ROOT).as_posix(), name)
        for path in _files(room)
        for name in _imports(path)
        if not _within(name, ROOMS[room])
    ]
    assert wrong == []


def test_hw_takes_configs_and_formats_of_golden_only():
    models = ("model", "interpreter", "compress", "timing", "timing_controller", "timing_results", "trainer",
              "network", "admm", "encode", "lower", "serial", "layer_run", "purify", "channels",
              "mapping", "passes", "tiles", "traffic", "projection", "decompose", "quantize", "straight")
    wrong = [
        (path.name, name)
        for path in _files("hw")
        for name in _imports(path)
        if name.startswith("shiftwork.golden.") and set(name.split(".")) & set(models)
    ]
    assert wrong == []


@pytest.mark.parametrize("room", ["golden", "hw"])
def test_one_engine_does_not_import_another(room):
    wrong = []
    for path in _files(room):
        own = set(path.relative_to(ROOT / room).parts[:-1])
        wrong += [
            (path.relative_to(ROOT).as_posix(), name)
            for name in _imports(path)
            if name.startswith("shiftwork.") and (set(name.split(".")) & ENGINES) - own
        ]
    assert wrong == []


def test_every_room_is_a_package_of_the_wheel():
    import tomllib

    packages = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = {
        ".".join(["shiftwork", *path.parent.relative_to(ROOT).parts])
        for room in (*ROOMS, "flow")
        for path in (ROOT / room).rglob("__init__.py")
    }
    assert found == packages
