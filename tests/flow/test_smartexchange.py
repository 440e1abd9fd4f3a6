"""The SmartExchange engine in the flow: from a float network to the golden model, figures, files."""

import dataclasses

import numpy as np
import pytest
from shiftwork.flow import smartexchange
from shiftwork.flow.errors import FlowError
from shiftwork.flow.recipes import convolutional
from shiftwork.golden.common.channels import weighted
from shiftwork.golden.smartexchange.compress import compress
from shiftwork.golden.smartexchange.options import Options

CONFIG = dataclasses.replace(smartexchange.PRESETS["tiny"], row_depth=1024, item_depth=8192, basis_depth=512,
                             table_depth=256)


@pytest.fixture(scope="module")
def network():
    return convolutional((1, 8, 8), (4, 6), 10, {2}, 0)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).random((40, 1, 8, 8)).astype(np.float32)


def test_a_float_network_becomes_integers_that_say_the_same(network, images):
    """Of a fully connected layer behind a map, too, whose inputs the engine reads channels innermost."""
    integer = smartexchange.compress(network, images)
    program = smartexchange.encode(integer, CONFIG)
    found = smartexchange.golden(program, smartexchange.quantize(program, images))
    wanted = compress(network).network.forward(images)
    got = found.values * integer.output_scale
    assert np.corrcoef(got.reshape(-1), wanted.reshape(-1))[0, 1] > 0.995
    assert np.mean(got.argmax(axis=1) == wanted.argmax(axis=1)) >= 0.9


@pytest.mark.parametrize("size", [1, 2, 3])
def test_weights_behind_a_map_are_decomposed_in_the_engines_order(network, size):
    found = compress(network, Options(size=size))
    node = weighted(network)[-1]
    stored, rebuilt = (n.arrays[node.inputs[1]] for n in (network, found.network))
    assert np.linalg.norm(stored - rebuilt) < 0.35 * np.linalg.norm(stored)
    order = np.arange(6 * 16).reshape(6, 16).T.reshape(-1)
    np.testing.assert_array_equal(found.factors[node.name].weights().astype(np.float32), rebuilt[:, order])


def test_program_files_come_back(network, images):
    program = smartexchange.encode(smartexchange.compress(network, images), CONFIG)
    again = smartexchange.load(smartexchange.save(program), CONFIG)
    np.testing.assert_array_equal(again.to_words(), program.to_words())
    assert again.metadata == program.metadata


def test_figures_of_layers_and_memories(network, images):
    program = smartexchange.encode(smartexchange.compress(network, images), CONFIG)
    rows = smartexchange.layer_cycles(program, smartexchange.quantize(program, images[:2]))
    assert [row["kind"] for row in rows] == ["conv", "conv", "dense"]
    assert all(row["ideal"] <= row["work"] <= row["bound"] <= row["cycles"] for row in rows)
    memory = {row["name"]: row for row in smartexchange.memory_use(program)}
    assert memory["items"]["used"] == 32 * -(-sum(a["items"] for a in program.metadata["layers"]) // 2)
    assert all(0 < row["used"] <= row["bits"] for row in memory.values())


def test_selftest_refuses_memories_that_are_too_small():
    assert smartexchange.encode(smartexchange.selftest(CONFIG), CONFIG)
    with pytest.raises(FlowError, match="Memories must be large enough for one small network, not smaller"):
        smartexchange.selftest(dataclasses.replace(CONFIG, table_depth=32))
