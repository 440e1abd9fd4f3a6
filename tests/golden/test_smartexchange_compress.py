from dataclasses import replace

import numpy as np
import pytest
from shiftwork.flow.datasets import digits
from shiftwork.flow.recipes import convolutional
from shiftwork.golden.common.admm import AdmmSettings
from shiftwork.golden.common.network import Network, Node
from shiftwork.golden.common.trainer import Settings, refresh_statistics, train
from shiftwork.golden.smartexchange.compress import Compressed, compress, decompose, retrain
from shiftwork.golden.smartexchange.options import Options


def node(op_type, name, source, *arrays, **attributes):
    return Node(op_type=op_type, name=name, inputs=(source, *arrays), outputs=(name,), attributes=attributes)


def network(transposed=0):
    rng = np.random.default_rng(0)
    arrays = {"w": rng.standard_normal((4, 2, 3, 3)), "g": np.array([1, 1e-3, -1, -1e-3]), "b": np.ones(4),
              "m": np.zeros(4), "v": np.ones(4), "u": rng.standard_normal((4, 6)),
              "c": rng.standard_normal(6)}
    arrays["u"] = np.ascontiguousarray(arrays["u"].T) if transposed else arrays["u"]
    nodes = (node("Conv", "conv", "x", "w"), node("BatchNormalization", "n", "conv", "g", "b", "m", "v"),
             node("Flatten", "f", "n"), node("Gemm", "y", "f", "u", "c", transB=transposed))
    return Network(nodes=nodes, arrays=arrays, input_shape=(2, 3, 3), output_name="y")


@pytest.mark.parametrize("transposed", [0, 1])
def test_compressed_weights_are_those_of_the_factors(transposed):
    net = network(transposed)
    found = compress(net, Options(element_share=0.3), layers={"y": Options(size=2)})
    assert set(found.factors) == {"conv", "y"} and found.factors["y"].layout.size == 2
    np.testing.assert_array_equal(found.network.arrays["w"], found.factors["conv"].weights())
    dense = found.factors["y"].weights()      # (filters, inputs)
    np.testing.assert_array_equal(found.network.arrays["u"], dense if transposed else dense.T)
    assert found.factors["conv"].zero_share >= 0.3 - 1 / 72
    wanted, _ = decompose(net.arrays["u"] if transposed else net.arrays["u"].T, Options(size=2))
    np.testing.assert_array_equal(wanted.weights(), dense)
    for name in ("g", "b", "m", "v", "c"):
        assert found.network.arrays[name] is net.arrays[name]


def test_storage_is_the_sum_of_the_layers():
    found = compress(network(), Options(element_share=0.3))
    assert found.storage_bits == sum(factors.storage_bits() for factors in found.factors.values())
    assert set(found.storage) == {"conv", "y"} and found.filters == 4 + 6


def test_filters_of_small_batch_normalization_go():
    found = compress(network(), Options(channel_scale=1e-2))
    assert found.factors["conv"].zero_filters.tolist() == [False, True, False, True]
    assert not found.factors["y"].zero_filters.any() and found.filters == 2 + 6


def test_compressed_refuses():
    found = compress(network())
    with pytest.raises(ValueError, match="weights of Conv 'conv' must be those of its factors, not others"):
        Compressed(network=network(), factors=found.factors)
    with pytest.raises(ValueError, match="factors must be of every Conv and Gemm, not leave out Gemm 'y'"):
        Compressed(network=found.network, factors={"conv": found.factors["conv"]})
    with pytest.raises(ValueError, match="factors must name Conv and Gemm nodes of the network, not 'n'"):
        Compressed(network=found.network, factors={**found.factors, "n": found.factors["y"]})
    with pytest.raises(ValueError, match="layers must name Conv and Gemm nodes of the network, not 'n'"):
        compress(network(), layers={"n": Options()})


@pytest.fixture(scope="module")
def trained():
    data = digits()
    net = train(convolutional((1, 8, 8), (8, 16), 10, {2}, 0), data.train_x, data.train_y,
                Settings(epochs=10, batch=32, rate=5e-3))
    return data, refresh_statistics(net, data.train_x)


OPTIONS = Options(element_share=0.7)
ADMM = AdmmSettings(updates=3, rho=1e-2, growth=2, train=Settings(epochs=1, rate=1e-3))
EPOCHS = Settings(epochs=6, batch=32, rate=5e-3, decay=0.0)


def test_retraining_brings_accuracy_back(trained):
    data, net = trained
    images = data.train_x, data.train_y
    plain = refresh_statistics(compress(net, OPTIONS).network, data.train_x)
    found = retrain(net, *images, options=OPTIONS, admm_settings=ADMM, finish=EPOCHS,
                    tune=Settings(epochs=2))
    before, after = (n.accuracy(data.test_x, data.test_y) for n in (plain, found.network))
    assert net.accuracy(data.test_x, data.test_y) > 0.95
    assert after > 0.96 and after > before + 0.05
    assert set(found.network.ranges) == set(net.shapes)
    for factors in found.factors.values():
        assert factors.zero_share >= 0.7 - 1 / factors.signs.size


def test_retraining_repeats(trained):
    data, net = trained
    found, again = (retrain(net, data.train_x, data.train_y, options=OPTIONS, finish=Settings(epochs=1),
                            admm_settings=replace(ADMM, updates=1)) for _ in range(2))
    assert all(np.array_equal(array, again.network.arrays[k]) for k, array in found.network.arrays.items())


def test_alternating_ends_with_a_decomposition(trained):
    data, net = trained
    found = retrain(net, data.train_x, data.train_y, options=Options(element_share=0.4),
                    alternate=Settings(epochs=4, rate=1e-3))
    assert found.network.accuracy(data.test_x, data.test_y) > 0.95
    for factors in found.factors.values():
        assert factors.zero_share >= 0.4 - 1 / factors.signs.size


def test_finishing_keeps_zeros_and_moves_the_rest(trained):
    data, net = trained
    start = compress(net, OPTIONS)
    found = retrain(net, data.train_x, data.train_y, options=OPTIONS, finish=EPOCHS)
    moved = 0
    for name, factors in found.factors.items():
        assert not factors.signs[start.factors[name].signs == 0].any()
        moved += np.sum(factors.exponents != start.factors[name].exponents)
    assert moved > 20


def test_tuning_leaves_weights_alone(trained):
    data, net = trained
    found = retrain(net, data.train_x, data.train_y, options=OPTIONS, tune=Settings(epochs=1))
    start = compress(net, OPTIONS)
    for name, array in start.network.arrays.items():
        assert np.array_equal(found.network.arrays[name], array) == name.endswith("weight"), name


def test_masks_hold(trained):
    data, net = trained
    mask = np.ones((16, 8, 3, 3), np.float32)
    mask[:, 2] = 0
    masked = replace(net, arrays={**net.arrays, "conv2.weight": net.arrays["conv2.weight"] * mask})
    found = retrain(masked, data.train_x, data.train_y, options=Options(element_share=0.3),
                    admm_settings=replace(ADMM, updates=1), alternate=Settings(epochs=1), finish=EPOCHS,
                    masks={"conv2.weight": mask})
    assert not found.network.arrays["conv2.weight"][:, 2].any()
    assert found.factors["conv2"].zero_channels.tolist() == [False, False, True, *[False] * 5]


def test_post_processing_is_retraining_without_stages(trained):
    data, net = trained
    found = retrain(net, data.train_x, data.train_y, options=Options())
    for name, factors in compress(net).factors.items():
        np.testing.assert_array_equal(factors.weights(), found.factors[name].weights())
    # Statistics were measured again for the new weights.
    assert not np.array_equal(found.network.arrays["norm2.mean"], net.arrays["norm2.mean"])
