"""Depthwise convolutions from a float network to the integers of the SmartExchange engine."""

from dataclasses import replace

import numpy as np
import pytest
from shiftwork.golden.common.layers import BACKWARD, FORWARD
from shiftwork.golden.common.network import Network, Node, calibrate, load, save
from shiftwork.golden.common.purify import purify, remove_unused_paths
from shiftwork.golden.common.trainer import Settings
from shiftwork.golden.smartexchange.compress import Compressed, compress, retrain
from shiftwork.golden.smartexchange.encode import encode
from shiftwork.golden.smartexchange.interpreter import Machine
from shiftwork.golden.smartexchange.layers import ConvLayer
from shiftwork.golden.smartexchange.lower import lower
from shiftwork.golden.smartexchange.model import forward
from shiftwork.golden.smartexchange.options import Options
from shiftwork.golden.ternary.compress import TernaryRule
from shiftwork.golden.ternary.lower import lower as lower_ternary

from .smartexchange_networks import CONFIGS

CONFIG = CONFIGS["tiny"]
ENGINES = {"factored": CONFIG, "rebuild": replace(CONFIG, rebuild=True, slices=2, lines=2)}


def node(op_type, name, source, *arrays, **attributes):
    return Node(op_type=op_type, name=name, inputs=(source, *arrays), outputs=(name,), attributes=attributes)


def network(kernel=(3, 3), channels=3):
    """A depthwise convolution, a 1x1 and a fully connected layer, as in networks for telephones."""
    rng = np.random.default_rng(0)
    nodes = (node("Conv", "deep", "x", "w", "b", pads=[1, 1, 1, 1], strides=[1, 2], group=channels),
             node("Relu", "r", "deep"), node("Conv", "point", "r", "v"), node("Relu", "s", "point"),
             node("Flatten", "f", "s"), node("Gemm", "y", "f", "u"))
    height, width = 6 + 3 - kernel[0], (6 + 2 - kernel[1]) // 2 + 1
    arrays = {"w": rng.standard_normal((channels, 1, *kernel)), "b": rng.standard_normal(channels),
              "v": rng.standard_normal((4, channels, 1, 1)) / 2,
              "u": rng.standard_normal((4 * height * width, 5)) / 6}
    return Network(nodes=nodes, arrays={name: array.astype(np.float32) for name, array in arrays.items()},
                   input_shape=(channels, 6, 6), output_name="y")


def images(count=40):
    return np.random.default_rng(1).random((count, 3, 6, 6)).astype(np.float32)


def test_a_depthwise_layer_is_one_of_zeros_but_for_its_channels():
    """Values and gradients, of the filters that read one channel each."""
    rng, deep = np.random.default_rng(2), network().nodes[0]
    whole = replace(deep, attributes={**deep.attributes, "group": 1})
    weights, dense = rng.standard_normal((3, 1, 3, 2)), np.zeros((3, 3, 3, 2))
    dense[range(3), range(3)] = weights[:, 0]
    x, bias, found = rng.standard_normal((3, 6, 6, 4)), rng.standard_normal(3), []
    for one, array in ((deep, weights), (whole, dense)):
        arrays = {"w": array, "b": bias}
        y, cache = FORWARD["Conv"](one, arrays, True, x)
        (dx,), grads = BACKWARD["Conv"](one, arrays, np.cos(y), cache)
        found.append((y, dx, grads["b"], grads["w"][range(3), range(3) if one is whole else [0] * 3]))
    for got, wanted in zip(*found, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("change, message", [
    (dict(group=2), "Conv 'deep' attribute group must be 1, or 3, the channels of its input .depthwise., "
                    "not 2"),
    (dict(group=True), "Conv 'deep' attribute group must be 1, or 3, .*, not True"),
    (dict(group=1), "Conv 'deep' weight 'w' must have shape .x3x.x., not 3x1x3x3"),
])
def test_groups_that_are_refused(change, message):
    net = network()
    deep = replace(net.nodes[0], attributes={**net.nodes[0].attributes, **change})
    with pytest.raises(ValueError, match=f"^{message}$"):
        replace(net, nodes=(deep, *net.nodes[1:]))


def test_a_file_keeps_the_groups(tmp_path):
    save(network(), tmp_path / "net.npz")
    loaded = load(tmp_path / "net.npz")
    assert loaded.nodes == network().nodes and loaded.nodes[0].attributes["group"] == 3


def test_two_filters_a_channel_are_refused():
    net = network()
    with pytest.raises(ValueError, match="^Conv 'deep' weight 'w' must have shape 3x1x.x., not 6x1x3x3$"):
        replace(net, arrays={**net.arrays, "w": np.ones((6, 1, 3, 3), np.float32)})


@pytest.mark.parametrize("share", [0.2, 0.5])
@pytest.mark.parametrize("name", ENGINES)
def test_from_floats_to_the_engine(name, share):
    """The engine's integers are the model's, and these say what the float network with its factors says.

    With half of the coefficients zero a filter is: it has no scale.
    """
    found, config = compress(network(), Options(element_share=share)), ENGINES[name]
    assert found.factors["point"].zero_filters.any() == (share == 0.5)
    integer = lower(calibrate(found.network, images()), found.factors, config)
    first = integer.layers[0]
    assert isinstance(first, ConvLayer) and first.depthwise and found.factors["deep"].layout.groups == 3
    program, machine = encode(integer, config), Machine(config)
    assert program.metadata["layers"][0]["kind"] == "depthwise"
    machine.load(program.to_words())
    x = np.rint(images(config.batch) / integer.input_scale).astype(np.int64)
    got = program.unpack_output(machine.run(program.pack_input(x)))
    np.testing.assert_array_equal(got, forward(integer, x))
    wanted = found.network.forward(images(config.batch))
    assert np.corrcoef((got * integer.output_scale).ravel(), wanted.ravel())[0, 1] > 0.995


def test_retraining_keeps_the_groups():
    settings = Settings(epochs=2, batch=20)
    labels = np.arange(40) % 5
    found = retrain(network(), images(), labels, alternate=settings, finish=settings)
    assert found.factors["deep"].layout.groups == 3 and isinstance(found, Compressed)
    assert lower(found.network, found.factors, CONFIG).layers[0].depthwise


def test_a_kernel_of_one_column_wants_factors_of_size_1():
    found = compress(network((3, 1)))
    with pytest.raises(ValueError, match="^Conv 'deep' must have a kernel of several columns or factors of "
                                         "size 1, not a kernel of 3 x 1 and size 3$"):
        lower(calibrate(found.network, images()), found.factors, CONFIG)
    found = compress(network((3, 1)), layers={"deep": Options(size=1)})
    assert lower(calibrate(found.network, images()), found.factors, CONFIG).layers[0].depthwise


def test_factors_of_other_groups_are_refused():
    found = compress(network())
    layout = replace(found.factors["deep"].layout, groups=1)
    factors = {**found.factors, "deep": replace(found.factors["deep"], layout=layout)}
    with pytest.raises(ValueError, match="^Factors of Conv 'deep' must have its 3 groups, not 1$"):
        lower(calibrate(found.network, images()), factors, CONFIG)


def ternary(net):
    weights = {name: TernaryRule().project(net.arrays[name]) for name in "wv"}
    return lower_ternary(calibrate(replace(net, arrays={**net.arrays, **weights}), images()))


@pytest.mark.parametrize("function, what", [
    (ternary, "the ternary engine"), (purify, "purification"), (remove_unused_paths, "the removal of paths")])
def test_who_takes_no_depthwise_layer_says_so(function, what):
    with pytest.raises(ValueError, match=f"^Conv 'deep' attribute group must be 1 for {what}, which takes no "
                                         "depthwise convolution, not 3$"):
        function(network())
