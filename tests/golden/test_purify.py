from dataclasses import replace

import numpy as np
import pytest
from shiftwork.golden.common.channels import channel_widths, count_weights
from shiftwork.golden.common.network import Network, Node
from shiftwork.golden.common.purify import Thresholds, purify, remove_unused_paths

from .graphs import outputs_and_bound, random_network


def node(op_type, name, sources, *arrays, **attributes):
    return Node(op_type=op_type, name=name, inputs=(*sources.split(), *arrays), outputs=(name,),
                attributes=attributes)


def gemm(name, source, *arrays):
    return node("Gemm", name, source, *arrays, transB=1)


def network(nodes, shape, output=None, **arrays):
    return Network(nodes=tuple(nodes), input_shape=shape, output_name=output or nodes[-1].name,
                   arrays={name: np.array(array, np.float32) for name, array in arrays.items()})


def center(taps):
    """Weights (filters, channels, 3, 3) with ``taps`` (filters, channels) in the kernels' centers."""
    weights = np.zeros((*np.shape(taps), 3, 3))
    weights[..., 1, 1] = taps
    return weights


def same_function(net, small, unit=2.0 ** -24):
    x = np.random.default_rng(0).standard_normal((3, *net.input_shape)).astype(np.float32)
    (wanted, bound), (found, small_bound) = (outputs_and_bound(n, x, unit) for n in (net, small))
    if unit == 2.0 ** -24:
        wanted, found = net.forward(x), small.forward(x)
    assert np.all(np.abs(wanted - found) <= bound + small_bound)
    return float(np.max(bound + small_bound)), float(np.abs(wanted).max())


@pytest.mark.parametrize("first", range(0, 120, 20))
def test_the_function_stays_on_random_networks(first):
    removed = new_biases = 0
    for seed in range(first, first + 20):
        net = random_network(np.random.default_rng(seed))
        small, report = remove_unused_paths(net)
        same_function(net, small)
        # The same in float64, where the bound leaves no room for a wrong constant.
        exact = replace(net, arrays={name: array.astype(np.float64) for name, array in net.arrays.items()})
        bound, greatest = same_function(exact, remove_unused_paths(exact)[0], 2.0 ** -53)
        assert bound < 1e-9 * max(1, greatest)
        again, nothing = remove_unused_paths(small)
        assert not any([*nothing.filters.values(), *nothing.inputs.values(), nothing.nodes])
        assert all(np.array_equal(again.arrays[name], array) for name, array in small.arrays.items())
        left = {n.name: n for n in small.nodes}
        assert set(report.nodes) == {n.name for n in net.nodes} - set(left)
        for before in net.nodes:
            if before.name in report.filters:
                axes = (0, 1) if before.attributes.get("transB", 1) else (1, 0)
                shape, smaller = (n.arrays[before.inputs[1]].shape for n in (net, small))
                gone = report.filters[before.name], report.inputs[before.name]
                assert [shape[a] - smaller[a] for a in axes] == [len(indices) for indices in gone]
                removed += len(gone[0])
                new_biases += len(left[before.name].inputs) - len(before.inputs)
    assert removed >= 40 and new_biases >= 1     # the networks have what this is about


def test_a_constant_moves_into_biases_and_an_unread_filter_does_not():
    nodes = [gemm("h", "x", "w", "b"), node("Relu", "r", "h"), gemm("y", "r", "v")]
    net = network(nodes, (2,), w=[[1, 2], [0, 0], [0, 0], [3, 4], [5, 6]], b=[1, 2, -3, 4, 5],
                  v=[[1, 10, 100, 0, 2], [3, 20, 200, 0, 4]])
    small, report = remove_unused_paths(net)
    assert report.filters == {"h": (1, 2, 3), "y": ()} and report.inputs == {"h": (), "y": (1, 2, 3)}
    assert small.nodes[2].inputs == ("r", "v", "y.bias") and report.nodes == ()
    assert {name: array.tolist() for name, array in small.arrays.items()} == {
        "w": [[1, 2], [5, 6]], "b": [1, 5], "v": [[1, 2], [3, 4]], "y.bias": [20, 40]}
    assert net.arrays["v"].shape == (2, 5) and len(net.nodes[2].inputs) == 2    # the argument is left alone


def test_no_bias_is_made_where_none_is_needed():
    nodes = [gemm("h", "x", "w"), gemm("y", "h", "v")]
    small, _ = remove_unused_paths(network(nodes, (2,), w=[[1, 2], [0, 0]], v=[[1, 1], [2, 2]]))
    assert set(small.arrays) == {"w", "v"} and small.nodes == tuple(nodes)


def test_one_removal_triggers_another_in_both_directions():
    chain = [gemm(f"h{n}", f"h{n - 1}" if n > 1 else "x", f"w{n}") for n in range(1, 5)]
    # Backward: h3's filter 1 is unread, then h2's 1, then h1's 1.
    ahead = [[1, 0], [0, 1]]
    net = network(chain, (2,), w1=ahead, w2=ahead, w3=ahead, w4=[[5, 0]])
    small, report = remove_unused_paths(net)
    assert report.filters == {"h1": (1,), "h2": (1,), "h3": (1,), "h4": ()}
    assert small.arrays["w2"].tolist() == [[1]] and small.arrays["w1"].tolist() == [[1, 0]]
    # Forward: h1's filter 1 is empty, so then is h2's 1, and so h3's 1.
    net = network(chain, (2,), w1=[[1, 2], [0, 0]], w2=ahead, w3=ahead, w4=[[5, 7]])
    small, report = remove_unused_paths(net)
    assert report.filters == {"h1": (1,), "h2": (1,), "h3": (1,), "h4": ()}
    # With a bias the constant travels on: 2 -> 2 * 1 -> 2 * 1 -> 2 * 7 in the last layer.
    chain[0] = gemm("h1", "x", "w1", "b1")
    small, report = remove_unused_paths(network(chain, (2,), w1=[[1, 2], [0, 0]], b1=[1, 2], w2=ahead,
                                                w3=ahead, w4=[[5, 7]]))
    assert report.filters["h3"] == (1,) and small.arrays["h4.bias"].tolist() == [14]


def test_indices_are_those_of_the_network_given():
    chain = [gemm("h1", "x", "w1"), gemm("h2", "h1", "w2"), gemm("y", "h2", "w3")]
    # First filter 0 of h1 (empty) and filter 0 of h2 (unread) go; then filter 2 of h1, read by that one only.
    net = network(chain, (1,), w1=[[0], [1], [2]], w2=[[0, 0, 3], [4, 5, 0]], w3=[[0, 6]])
    _, report = remove_unused_paths(net)
    assert report.filters == {"h1": (0, 2), "h2": (0,), "y": ()}
    assert report.inputs == {"h1": (), "h2": (0, 2), "y": (0,)}


def test_constants_pass_batch_normalization_relu_pool_and_flatten():
    nodes = [node("Conv", "c", "x", "w"), node("BatchNormalization", "n", "c", *"gbmv", epsilon=0.25),
             node("Relu", "r", "n"), node("MaxPool", "p", "r", kernel_shape=(2, 2), strides=(2, 2)),
             node("Flatten", "f", "p"), node("Gemm", "y", "f", "u", "d")]
    # Filter 1 is empty: (0 - 1) * 4 / sqrt(3.75 + 0.25) + 5 = 3. Filter 2: 1 - 2 < 0. Filter 3's scale is 0.
    net = network(nodes, (1, 4, 4), w=np.reshape([1, 0, 0, 9], (4, 1, 1, 1)), g=[1, 4, 2, 0], b=[0, 5, 1, 7],
                  m=[0, 1, 2, 9], v=[1, 3.75, 0.75, 1], u=np.arange(16).reshape(16, 1), d=[100])
    small, report = remove_unused_paths(net)
    assert report.filters["c"] == (1, 2, 3) and report.inputs["y"] == tuple(range(4, 16))
    assert small.arrays["u"].tolist() == [[0], [1], [2], [3]]
    assert small.arrays["d"].tolist() == [100 + 3 * (4 + 5 + 6 + 7) + 7 * (12 + 13 + 14 + 15)]
    assert [small.arrays[name].tolist() for name in "gbmv"] == [[1], [0], [0], [1]]
    same_function(net, small)


def padded(bias, taps, **attributes):
    """Conv of two filters, the second empty with ``bias``, Relu, and a 3x3 Conv with pads that reads both."""
    nodes = [node("Conv", "c", "x", "w", "b"), node("Relu", "r", "c"),
             node("Conv", "y", "r", "v", "d", **{"pads": (1, 1, 1, 1), **attributes})]
    return network(nodes, (1, 5, 5), w=np.reshape([1, 0], (2, 1, 1, 1)), b=[1, bias], v=taps, d=[7])


def taps_at(row, column):
    weights = center([[1, 0]])
    weights[0, 1, row, column] = 3
    return weights


@pytest.mark.parametrize("bias, taps, attributes, wanted", [
    (2, taps_at(1, 1), {}, 13),        # the middle tap never reads padding
    (2, taps_at(0, 1), {}, None),      # this one does, above the first row
    (2, taps_at(1, 2), {}, None),
    (0, taps_at(0, 1), {}, 7),         # no constant, nothing to fold
    (-2, taps_at(0, 1), {}, 7),        # nor behind the Relu
    (2, taps_at(0, 1), {"pads": (0, 1, 1, 1)}, 13),
    (2, taps_at(2, 1), {"pads": (0, 1, 1, 1)}, None),
    (2, taps_at(2, 0), {"pads": (1, 0, 0, 1)}, 13),
    (2, taps_at(2, 1), {"pads": (1, 1, 0, 1), "strides": (2, 2)}, 13),
    (2, taps_at(2, 2), {"pads": (0, 0, 1, 1), "strides": (2, 2)}, 13),    # a stride jumps over the padding
    (2, taps_at(2, 2), {"pads": (0, 0, 2, 2), "strides": (2, 2)}, None),
])
def test_a_constant_stays_where_padding_makes_its_sums_differ(bias, taps, attributes, wanted):
    net = padded(bias, taps, **attributes)
    small, report = remove_unused_paths(net)
    assert report.filters["c"] == (() if wanted is None else (1,))
    assert small.arrays["d"].tolist() == [7 if wanted is None else wanted]
    same_function(net, small)


def test_one_reader_with_padding_keeps_the_channel_for_all():
    net = padded(2, taps_at(0, 0))
    nodes = (*net.nodes, node("Conv", "z", "r", "u"), node("Add", "s", "y z"))
    net = replace(net, nodes=nodes, output_name="s", arrays={**net.arrays, "u": np.ones((1, 2, 1, 1))})
    small, report = remove_unused_paths(net)
    assert report.filters["c"] == () and small.nodes == net.nodes
    assert all(np.array_equal(small.arrays[name], array) for name, array in net.arrays.items())


def residual(second, skip, read, bias=(0, 0, 0)):
    """Gemm "a" into a sum with Gemm "b"; "y" reads the sum and "z" the summand "a"; y + z is the output."""
    nodes = [gemm("a", "x", "wa", "ba"), gemm("b", "x", "wb"), node("Add", "s", "a b"),
             node("Relu", "r", "s"), gemm("y", "r", "wy"), gemm("z", "a", "wz"), node("Add", "o", "y z")]
    return network(nodes, (1,), wa=[[1], [second], [0]], ba=bias, wb=[[2], [0], [skip]], wy=[[1, 10, read]],
                   wz=[[3, 0, 0]])


@pytest.mark.parametrize("net, gone, bias", [
    (residual(1, 1, 1), (), None),
    (residual(1, 1, 0), (2,), None),           # unread: goes from both, though "b" computes it
    (residual(0, 1, 1), (1,), None),           # empty in both
    (residual(0, 1, 1, (0, 5, 0)), (1,), 50),  # and the sum of 5 and 0 is folded
    (residual(1, 0, 1, (0, 0, 4)), (2,), 4),
    (residual(0, 0, 1, (0, 1, 4)), (1, 2), 14),
])
def test_summed_channels_go_together(net, gone, bias):
    small, report = remove_unused_paths(net)
    assert report.filters == {"a": gone, "b": gone, "y": (), "z": ()}
    assert report.inputs == {"a": (), "b": (), "y": gone, "z": gone}
    assert (small.arrays["y.bias"].tolist() == [bias]) if bias else "y.bias" not in small.arrays
    same_function(net, small)


def test_a_summand_that_is_read_elsewhere_keeps_its_channel():
    net = residual(1, 1, 0)
    net.arrays["wz"][0, 2] = 1    # "a" is 0 there, yet its bias may be read
    assert remove_unused_paths(net)[1].filters["a"] == (2,)
    net.arrays["wa"][2] = 1
    assert remove_unused_paths(net)[1].filters["a"] == ()


def test_channels_of_the_input_and_the_output_stay():
    nodes = [gemm("h", "x", "w"), node("Add", "s", "x h"), gemm("y", "s", "v")]
    net = network(nodes, (2,), w=[[1, 0], [0, 0]], v=[[0, 0], [1, 0]])
    small, report = remove_unused_paths(net)
    assert not any([*report.filters.values(), *report.inputs.values()])
    np.testing.assert_array_equal(small.arrays["w"], net.arrays["w"])


def test_sums_of_different_width_join_more_channels():
    nodes = [node("Conv", "c", "x", "w"), node("Flatten", "f", "c"), gemm("g", "f", "u"),
             node("Add", "s", "g f"), gemm("y", "s", "v")]
    eye = np.eye(4)
    taps = np.reshape([1, 2], (2, 1, 1, 1))
    # Entries 2 and 3 are channel 1 of "c" and channels 2, 3 of "g".
    net = network(nodes, (1, 1, 2), w=taps, u=eye, v=[[1, 1, 0, 1]])
    assert not any(remove_unused_paths(net)[1].filters.values())
    net = network(nodes, (1, 1, 2), w=taps, u=np.diag([1, 1, 0, 0]), v=[[1, 1, 0, 0]])
    small, report = remove_unused_paths(net)
    assert report.filters == {"c": (1,), "g": (2, 3), "y": ()}
    same_function(net, small)
    assert channel_widths(net) == {"x": 1, "c": 1, "f": 2, "g": 1, "s": 1, "y": 1}


def test_a_channel_stays_as_wide_through_a_second_flatten():
    nodes = [node("Flatten", "f", "x"), node("Flatten", "g", "f"), node("Relu", "r", "g")]
    assert channel_widths(network(nodes, (2, 3, 2))) == {"x": 1, "f": 6, "g": 6, "r": 6}


def test_a_dead_layer_keeps_one_empty_filter():
    nodes = [gemm("h0", "x", "w0"), gemm("h1", "h0", "w1", "b1"), gemm("y", "h1", "w2", "b2")]
    net = network(nodes, (2,), w0=[[1, 2], [3, 4]], w1=np.zeros((3, 2)), b1=[1, 2, 3], w2=[[1, 1, 2]], b2=[1])
    small, report = remove_unused_paths(net)
    assert report.filters == {"h0": (1,), "h1": (1, 2), "y": ()}
    assert count_weights(small) == (2 + 1 + 1, 0) and small.arrays["b2"].tolist() == [1 + 1 + 2 + 2 * 3]
    same_function(net, small)
    net = network(nodes, (2,), w0=[[1, 2], [3, 4]], w1=np.ones((3, 2)), b1=[1, 2, 3], w2=[[0, 0, 0]], b2=[1])
    small, report = remove_unused_paths(net)
    assert report.filters == {"h0": (1,), "h1": (1, 2), "y": ()} and count_weights(small) == (4, 0)


def test_a_dead_residual_branch_keeps_what_the_sum_needs():
    nodes = [gemm("a", "x", "wa"), gemm("b", "a", "wb"), gemm("c", "b", "wc"), node("Add", "s", "a c"),
             gemm("y", "s", "wy")]
    net = network(nodes, (1,), wa=[[1], [2]], wb=np.zeros((3, 2)), wc=np.ones((2, 3)), wy=[[1, 1]])
    small, report = remove_unused_paths(net)
    assert report.filters == {"a": (), "b": (1, 2), "c": (), "y": ()}
    same_function(net, small)


def test_nodes_that_lead_nowhere_go_with_their_arrays_and_ranges():
    nodes = [gemm("h", "x", "w"), gemm("lost", "h", "u"), node("Relu", "r", "lost"), gemm("y", "h", "v")]
    net = network(nodes, (1,), w=[[1], [2]], u=[[1, 1]], v=[[1, 0]])
    net = replace(net, ranges={"x": (0, 1), "h": (0, 2), "r": (0, 3)})
    small, report = remove_unused_paths(net)
    assert report.nodes == ("lost", "r") and report.filters == {"h": (1,), "y": ()}
    assert set(small.arrays) == {"w", "v"} and small.ranges == {"x": (0, 1), "h": (0, 2)}


def test_an_array_of_two_nodes_becomes_one_for_each():
    nodes = [gemm("a", "x", "w", "b"), node("Relu", "r", "a"), gemm("c", "r", "w", "b"), gemm("y", "c", "v")]
    net = network(nodes, (2,), w=[[1, 2], [0, 0]], b=[1, 2], v=[[1, 1]])
    net.arrays["c.w"] = np.zeros(1)      # a name that is taken, though nothing reads it
    small, report = remove_unused_paths(net)
    assert small.nodes[2].inputs == ("r", "c.w_", "c.b") and report.filters == {"a": (1,), "c": (1,), "y": ()}
    assert small.arrays["w"].tolist() == [[1, 2]] and small.arrays["c.w_"].tolist() == [[1]]
    assert small.arrays["c.b"].tolist() == [1 + 2 * 2] and small.arrays["y.bias"].tolist() == [2]
    same_function(net, small)


def test_integer_weights_stay_integers_and_folded_biases_are_floats():
    nodes = [gemm("h", "x", "w", "b"), gemm("y", "h", "v", "d")]
    arrays = {"w": np.array([[1], [0]], np.int8), "b": np.array([0.0, 0.5]), "v": np.array([[1, 1]], np.int8),
              "d": np.array([3], np.int8)}
    small, _ = remove_unused_paths(Network(nodes=tuple(nodes), arrays=arrays, input_shape=(1,),
                                           output_name="y"))
    assert small.arrays["w"].dtype == small.arrays["v"].dtype == np.int8
    assert small.arrays["d"].dtype == np.float32 and small.arrays["d"].tolist() == [3.5]


# Purification: eta, sigma and the four thresholds

ONLY = dict(column=0.0, filled=1.0, channel=0.0, filter=0.0)


def single(weights):
    """One Conv whose maps are as large as its input's, read by a Gemm of ones."""
    filters, channels = np.shape(weights)[:2]
    nodes = [node("Conv", "c", "x", "w", pads=(1, 1, 1, 1)), node("Flatten", "f", "c"), gemm("y", "f", "u")]
    return network(nodes, (channels, 2, 2), w=weights, u=np.ones((1, filters * 4)))


def test_a_channel_goes_if_it_is_empty_enough_and_of_little_importance():
    weights = np.zeros((1, 5, 3, 3))
    weights[0, 0] = 3           # eta 1,   sigma 9
    weights[0, 1, 0] = 1        # eta 1/3, sigma 1/3
    weights[0, 2] = 0.5         # eta 1,   sigma 1/4
    weights[0, 3, 0, 0] = 9     # eta 1/9, sigma 9; channel 4 is empty; mean sigma of the others 4.65

    def gone(**thresholds):
        return purify(single(weights), Thresholds(**{**ONLY, **thresholds}))[1].inputs["c"]

    assert gone(channel=0.1) == (1,)                 # filled 1: not the full channel 2
    assert gone(channel=0.1, filled=0.33) == () and gone(channel=0.1, filled=0.34) == (1,)
    assert gone(channel=0.07) == () and gone(channel=0.075) == (1,)
    assert gone(channel=1.0, filled=0.34) == (1,)    # channel 3 is nearly empty, but what it has matters
    # Mean squared column norm (81 + 3 + 9/4 + 81) / 22 = 7.6; below a tenth of it, 1/4 counts as empty.
    assert gone(channel=0.1, filled=0.1, column=0.1) == (2,)
    assert gone(channel=0.1, filled=0.1, column=0.14) == (1, 2)


def test_a_filter_goes_if_its_norm_is_small():
    weights = np.zeros((4, 1, 3, 3))
    weights[0], weights[1, 0, 0, 0], weights[3, 0, 2, 2] = 1, 1, -2    # 9, 1, 0, 4: mean of three 4.67
    for factor, wanted in ((0.2, ()), (0.22, (1,)), (0.8, (1,)), (0.9, (1, 3)), (1.0, (1, 3))):
        pure, report = purify(single(weights), Thresholds(**{**ONLY, "filter": factor}))
        assert report.filters == {"c": wanted, "y": ()} and not any(report.inputs.values())
        assert np.flatnonzero(~pure.arrays["w"].any(axis=(1, 2, 3))).tolist() == sorted({2, *wanted})


def test_filters_are_measured_without_the_channels_that_went():
    weights = np.zeros((2, 2, 3, 3))
    weights[:, 0, 1, 1] = 2, 0.1
    weights[1, 1, 1, 1] = 1
    pure, report = purify(single(weights), Thresholds(**{**ONLY, "channel": 0.5, "filter": 0.1}))
    assert report.inputs["c"] == (1,) and report.filters["c"] == (1,)
    assert np.argwhere(pure.arrays["w"]).tolist() == [[0, 0, 1, 1]]


@pytest.mark.parametrize("transposed", [0, 1])
def test_a_channel_behind_flatten_is_all_its_pixels(transposed):
    weights = np.zeros((3, 12))
    weights[:, 0:4], weights[0, 5], weights[0, 11] = 2, 0.5, 5
    nodes = [node("Conv", "c", "x", "w"), node("Flatten", "f", "c"),
             node("Gemm", "y", "f", "u", transB=transposed)]
    net = network(nodes, (1, 2, 2), w=np.ones((3, 1, 1, 1)), u=weights if transposed else weights.T)
    pure, report = purify(net, Thresholds(**{**ONLY, "channel": 0.1}))
    # sigma: 12, 1/16, 25/4; channel 1, inputs 4 to 7, is below a tenth of the mean.
    assert report.inputs == {"c": (), "y": (4, 5, 6, 7)}
    weights[0, 5] = 0
    np.testing.assert_array_equal(pure.arrays["u"], weights if transposed else weights.T)
    assert remove_unused_paths(pure)[1].filters["c"] == (1,)


def test_a_channel_behind_a_gemm_is_one_column_that_must_be_below_th1_and_th3():
    nodes = [gemm("h", "x", "w"), gemm("y", "h", "v")]
    net = network(nodes, (1,), w=np.ones((3, 1)), v=[[1, 2, 3]])    # 1, 4, 9: mean 4.67
    for column, channel, wanted in ((0.3, 0.3, (0,)), (0.2, 0.3, ()), (0.3, 0.2, ()), (1.0, 0.9, (0, 1))):
        thresholds = Thresholds(**{**ONLY, "column": column, "channel": channel})
        assert purify(net, thresholds)[1].inputs["y"] == wanted


def test_outputs_of_the_network_are_not_purified():
    weights = [[1, 1], [1e-6, 0]]
    nodes = [gemm("h", "x", "w"), gemm("y", "h", "v"), node("Relu", "r", "y")]
    net = network(nodes, (2,), w=weights, v=weights)
    pure, report = purify(net, Thresholds(**{**ONLY, "filter": 1.0}))
    assert report.filters == {"h": (1,), "y": ()}
    np.testing.assert_array_equal(pure.arrays["v"], net.arrays["v"])


def test_thresholds_are_relative_and_never_take_the_greatest():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        net = random_network(rng)
        scaled = replace(net, arrays={name: array * np.float32(2.0 ** rng.integers(-9, 9))
                                      for name, array in net.arrays.items()})
        for thresholds in (Thresholds(), Thresholds(column=1, filled=1, channel=1, filter=1)):
            pure, report = purify(net, thresholds)
            assert purify(scaled, thresholds)[1] == report
            for n in net.nodes:
                if n.name in report.filters and net.arrays[n.inputs[1]].any():
                    assert pure.arrays[n.inputs[1]].any()
                    zeroed = (pure.arrays[n.inputs[1]] != net.arrays[n.inputs[1]])
                    assert not pure.arrays[n.inputs[1]][zeroed].any()


def test_thresholds_of_zero_take_nothing():
    net = random_network(np.random.default_rng(3))
    pure, report = purify(net, Thresholds(column=0, filled=0, channel=0, filter=0))
    assert not any([*report.filters.values(), *report.inputs.values()])
    assert all(np.array_equal(pure.arrays[name], array) for name, array in net.arrays.items())


def test_purification_leaves_its_argument_alone_and_no_threshold_means_the_defaults():
    rng = np.random.default_rng(0)
    net = single(rng.standard_normal((8, 6, 3, 3)) * rng.uniform(0, 1, (8, 1, 1, 1)) ** 2)
    before = net.arrays["w"].copy()
    pure, report = purify(net)
    assert report.filters["c"] and np.array_equal(net.arrays["w"], before)
    assert purify(net, Thresholds())[1] == report and not pure.arrays["w"][list(report.filters["c"])].any()


@pytest.mark.parametrize("name", ["column", "filled", "channel", "filter"])
@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
def test_thresholds_refuse(name, value):
    with pytest.raises(ValueError, match=f"threshold {name} must be between 0 and 1, not {value}"):
        Thresholds(**{name: value})
