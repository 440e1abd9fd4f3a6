"""What is refused of the SmartExchange engine: one sentence, exit code 2, and nothing written."""

import json
from dataclasses import replace

import numpy as np
import pytest
from shiftwork.flow import smartexchange, ternary
from shiftwork.flow.errors import FlowError
from shiftwork.flow.recipes import convolutional
from shiftwork.golden.common.network import save
from shiftwork.golden.common.program import ErrorCode, ProgramError

from .fakes import refused

TINY = smartexchange.PRESETS["tiny"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Networks, and inputs."""
    root = tmp_path_factory.mktemp("networks")
    save(convolutional((1, 8, 8), (4, 6), 10, {1, 2}, 3), root / "net.npz")
    for name, change in (("grouped", {"group": 2}), ("dilated", {"dilations": [2, 2]})):
        with np.load(root / "net.npz") as archive:
            arrays = dict(archive)
        graph = json.loads(str(arrays["graph"]))
        [node for node in graph["nodes"] if node["op_type"] == "Conv"][1]["attributes"] |= change
        np.savez(root / f"{name}.npz", **{**arrays, "graph": json.dumps(graph)})
    np.save(root / "x.npy", np.random.default_rng(0).random((7, 1, 8, 8)))
    return root


GENERATE = [
    ("lanes=48", "lanes must be a power of two, not 48"),
    ("grid_rows=3", "grid_rows * grid_columns must divide the 8 lanes, not 3 * 2"),
    ("drain_width=16", "drain_width must be at most 8 and at most half of the 8 lanes, not 16"),
    ("scatter_width=2", "scatter_width must be at least 4, not 2"),
    ("row_depth=32768", "row_depth must be at most 16384, not 32768"),
    ("table_depth=100", "table_depth must be a power of two, not 100"),
    ("acc_width=12", "acc_width must be between 16 and 32, not 12"),
    ("sum_width=40", "sum_width must be between acc_width 20 and 32, not 40"),
    ("scale_width=4", "scale_width must be between 8 and 16, not 4"),
    ("row_slots=3", "row_slots must be 2, 4 or 8, not 3"),
    ("activation_width=4", "activation_width must be 8 or 16, not 4"),
    ("arrays=0", "arrays must be between 1 and 32, not 0"),
    ("combine_width=8", "combine_width must be a power of two between drain_width 2 and half of the 8 lanes, "
                        "not 8"),
    ("taps=5", "taps must be between 1 and 4, not 5"),
    ("item_depth=3000", "item_depth must be a power of two, not 3000"),
    ("basis_depth=16", "basis_depth must be between 32 and 65536, not 16"),
    ("pool_columns=256", "pool_columns must be a power of two of at most 128, not 256"),
    ("grid_columns=3", "grid_rows * grid_columns must divide the 8 lanes, not 2 * 3"),
    ("filter_bases=12", "filter_bases must be a power of two of at most 64, not 12"),
    ("synchronised=1", "rebuild must be True where synchronised is True, not False"),
    ("slices=2", "rebuild must be True where slices is 2, not False"),
    ("rebuild=maybe", "Value of --set rebuild must be one of true, 1, false, 0, not 'maybe'"),
    ("lines=two", "Value of --set lines must be an integer, not 'two'"),
    ("weight_depth=64", "Key of --set must be one of lanes, "),
]


@pytest.mark.parametrize("setting, sentence", GENERATE)
def test_generate(capsys, tmp_path, setting, sentence):
    found = refused(capsys, "generate", "smartexchange", "--preset", "tiny", "--set", setting, "-o",
                    tmp_path / "o")
    assert found.startswith(sentence) and not list(tmp_path.iterdir())


ROOM = ("row_depth=1024", "item_depth=8192", "basis_depth=512", "table_depth=256")
BUILD = [
    ("grouped", (), "Conv 'conv2' attribute group must be 1, or 4, the channels of its input (depthwise), "
                    "not 2"),
    ("dilated", (), "Conv 'conv2' attribute dilations must be (1, 1), not (2, 2)"),
    ("net", ROOM[1:] + ("row_depth=32",), "Row memory must have "),
    ("net", ROOM[:1] + ROOM[2:] + ("item_depth=64",), "Item memory must have "),
    ("net", ROOM[:2] + ROOM[3:] + ("basis_depth=32",), "Basis memory must have "),
    ("net", ROOM[:3] + ("table_depth=32",), "Table must have "),
    ("net", (*ROOM, "acc_width=16"), "Accumulator of layer "),
    ("net", (*ROOM, "taps=2"), "Columns of a row of layer 'conv1' must be at most 2, the engine's taps, "
                               "not 3"),
]


@pytest.mark.parametrize("name, settings, sentence", BUILD)
def test_build(capsys, tmp_path, root, name, settings, sentence):
    settings = [part for setting in settings for part in ("--set", setting)]
    arguments = ["build", root / f"{name}.npz", "--engine", "smartexchange", "--preset", "tiny", *settings,
                 "--calibrate", root / "x.npy", "-o", tmp_path / "o"]
    found = refused(capsys, *arguments)
    assert found.startswith(sentence) and ", not " in found and not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def files():
    return smartexchange.save(smartexchange.encode(smartexchange.selftest(TINY), TINY))


@pytest.mark.parametrize("cut, message", [
    (-1, r"^program.bin must have words of 4 bytes, not \d+ bytes$"),
    (-8, r"^Program must go on to its checksum, not end after \d+ words \(error 6, truncated\)$"),
    (0, r"^Program must go on to its checksum, not end after 0 words \(error 6, truncated\)$"),
])
def test_truncated_programs(files, cut, message):
    with pytest.raises((FlowError, ProgramError), match=message):
        smartexchange.load({**files, "program.bin": files["program.bin"][:cut]}, TINY)


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"images": 2', b"3"])
def test_metadata_of_something_else(files, text):
    with pytest.raises(FlowError, match="^program.json must be a program's metadata, not without images, "):
        smartexchange.load({**files, "program.json": text}, TINY)


def test_programs_of_others(files):
    """Of another engine, and of another configuration."""
    config = ternary.PRESETS["tiny"]
    other = ternary.save(ternary.encode(ternary.selftest(config), config))
    with pytest.raises(ProgramError, match="^First word must be 0x31585753, not 0x31545753") as raised:
        smartexchange.load(other, TINY)
    assert raised.value.code == ErrorCode.MAGIC
    with pytest.raises(ProgramError, match="^Fingerprint must be the engine's 0x") as raised:
        smartexchange.load(files, replace(TINY, sum_width=31))
    assert raised.value.code == ErrorCode.GEOMETRY
    # Of deeper memories, which the fingerprint does not tell.
    program = smartexchange.load(files, TINY)
    table, items, basis = program.sections
    beyond = replace(program, sections=(table, replace(items, address=510), basis))
    with pytest.raises(ProgramError, match="^Section must end within the 512 words of memory 2,") as raised:
        smartexchange.load(smartexchange.save(beyond), TINY)
    assert raised.value.code == ErrorCode.ADDRESS
