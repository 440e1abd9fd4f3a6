from dataclasses import replace

import numpy as np
import pytest
from shiftwork.flow.recipes import convolutional
from shiftwork.golden.training.encode import from_vectors, to_vectors
from shiftwork.golden.training.engine_config import EngineConfig
from shiftwork.golden.training.plan import Plan, layers

from .training_firmware_kit import ROOM, integer_network, varied
from .training_graphs import node, residual

GRAPH = convolutional((1, 6, 6), (3, 5), 3, {2}, 0)


def changed(graph, name, **fields):
    """``graph`` with other ``fields`` of a node."""
    return replace(graph, nodes=tuple(replace(each, **fields) if each.name == name else each
                                      for each in graph.nodes))


def test_layers_of_all_kinds():
    first, second, hidden, last = layers(varied())
    assert (first.weight, first.in_map, first.out_map) == ((5, 6, 3, 2), (7, 5), (4, 3))
    assert (first.stride, first.pads, first.pooled, first.norm.name) == (2, (1, 0), False, "n1")
    assert (second.out_map, second.end_map, second.pooled) == ((4, 3), (2, 1), True)
    assert (hidden.weight, hidden.in_map, hidden.out_map) == ((6, 9, 2, 1), (2, 1), (1, 1))
    assert (last.weight, last.norm) == ((5, 6, 1, 1), None)


def test_places_do_not_overlap():
    plan = Plan(integer_network(varied(), 2), EngineConfig(side=2, **ROOM), 8, "wide")
    first, second, hidden, last = plan.fields
    assert first["right_in"] == 0 and first["right_end"] == second["right_in"] == 2 * 35 * 2
    assert second["z_base"] == 2 * first["out_blocks"] * 4 * 3 * 8
    assert [each["weight_base"] for each in plan.fields] == [0, 24, 48, 60]
    assert plan.weight_tiles == 64 and last["left_error"] == 64
    assert first["right_error"] == last["right_in"] + 2 * 1 * 2
    # A wide error's tile takes two slots.
    assert first["error_slots"] == 4 * 3 * 2 * 2
    assert plan.records == sum(each["out_blocks"] for each in plan.fields) * 4
    assert plan.maps == last["map_error"] + last["out_blocks"]
    assert plan.weight_map == last["map_in"] + 2


def test_weights_as_vectors():
    weight = np.arange(1, 5 * 6 * 3 + 1).reshape(5, 6, 3, 1)
    vectors = to_vectors(weight, 4)
    assert vectors.shape == (2 * 2 * 3 * 8, 2)
    # Tile (filters 4 .., channels 4 .., tap 2), filters 4 and 5 (of which there is one), channel 5.
    assert vectors[(2 + 1) * 3 * 8 + 2 * 8 + 1].tolist() == [weight[4, 5, 2, 0], 0]
    assert vectors[1 * 8 + 4 + 3].tolist() == weight[2:4, 3, 1, 0].tolist()
    assert np.array_equal(from_vectors(vectors, weight.shape), weight)


def biased():
    nodes = (replace(GRAPH.nodes[0], inputs=("x", "conv1.weight", "b")), *GRAPH.nodes[1:])
    return replace(GRAPH, nodes=nodes, arrays={**GRAPH.arrays, "b": np.zeros(3)})


def without_bias():
    return changed(GRAPH, "logits", inputs=("flat", "dense.weight"))


def leading(op_type, **attributes):
    """GRAPH behind another node."""
    nodes = (node(op_type, "first", "x", **attributes),
             replace(GRAPH.nodes[0], inputs=("first", "conv1.weight")), *GRAPH.nodes[1:])
    return replace(GRAPH, nodes=nodes)


def without_norm():
    nodes = [each for each in GRAPH.nodes if each.name != "norm1"]
    nodes[1] = replace(nodes[1], inputs=("conv1",))
    return replace(GRAPH, nodes=tuple(nodes))


def pool_of_norm():
    nodes = list(GRAPH.nodes)
    at = [each.name for each in nodes].index("relu2")
    nodes[at], nodes[at + 1] = (replace(nodes[at + 1], inputs=nodes[at].inputs),
                                replace(nodes[at], inputs=nodes[at + 1].outputs))
    nodes[at + 2] = replace(nodes[at + 2], inputs=nodes[at + 1].outputs)
    return replace(GRAPH, nodes=tuple(nodes))


@pytest.mark.parametrize("graph, message", [
    (lambda: residual(), "node 's' must have one input on the training engine, not be an Add"),
    (lambda: leading("Relu"), "node 'first' must be a Conv, Gemm or Flatten, not Relu"),
    (without_norm, "node 'relu1' must be the BatchNormalization of 'conv1', not Relu"),
    (pool_of_norm, "node 'pool2' must be the Relu of 'norm2', not MaxPool"),
    (lambda: changed(GRAPH, "pool2", attributes={"kernel_shape": (1, 1), "strides": (2, 2)}),
     r"node 'pool2' must have windows of 2 by 2 and stride 2, not \(1, 1\) and \(2, 2\)"),
    (lambda: changed(GRAPH, "conv1", attributes={"kernel_shape": (3, 3), "strides": (3, 3),
                                                 "pads": (1, 1, 11, 11)}),
     "node 'conv1' must have a stride of 1, 2, 4, not 3"),
    (lambda: changed(GRAPH, "conv1", attributes={"kernel_shape": (3, 3), "strides": (2, 1),
                                                 "pads": (1, 1, 6, 1)}),
     "node 'conv1' must have the same stride down and right, not 2 and 1"),
    (lambda: convolutional((1, 2, 2), (), 256, set(), 0),
     "node 'logits' must have at most 255 outputs, not 256"),
    (biased, "node 'conv1' must have no bias before a BatchNormalization, not 3 inputs"),
    (without_bias, "node 'logits' must have a bias, not 2 inputs")])
def test_graphs_that_the_engine_cannot_run(graph, message):
    with pytest.raises(ValueError, match=message):
        layers(graph())


def test_a_tensor_has_one_reader():
    nodes = (*GRAPH.nodes[:-2], node("Flatten", "again", "relu1"), *GRAPH.nodes[-2:])
    with pytest.raises(ValueError, match="'again' must be the only one that reads 'relu1', not a second one"):
        layers(replace(GRAPH, nodes=nodes))


@pytest.mark.parametrize("batch, mode, config, message", [
    (8, "narrow", {}, "mode must be one of wide, fixed, dynamic, not 'narrow'"),
    (6, "wide", {}, "batch must be a multiple of 4, twice the engine's side, not 6"),
    (0, "wide", {}, "batch must be a multiple of 4, twice the engine's side, not 0"),
    (1028, "wide", {}, "batch must be at most 1024, not 1028"),
    (8, "wide", {"normal_bits": 12, "normal_fraction": 8}, "normal_bits must be 16 for an engine of side 2, "
                                                           "not 12"),
    (8, "wide", {"normal_fraction": 8}, "normal_fraction must be 12 for an engine of side 2, not 8")])
def test_arguments(batch, mode, config, message):
    with pytest.raises(ValueError, match=message):
        Plan(integer_network(GRAPH, 2, **config), EngineConfig(side=2, **ROOM), batch, mode)


def test_lanes_and_block_are_the_engines():
    with pytest.raises(ValueError, match="random_lanes must be 4 for an engine of side 4, not 2"):
        Plan(integer_network(GRAPH, 2), EngineConfig(side=4, **ROOM), 8, "wide")
    net = integer_network(GRAPH, 2)
    net = replace(net, config=replace(net.config, block=8))
    with pytest.raises(ValueError, match="block must be 4 for an engine of side 2, not 8"):
        Plan(net, EngineConfig(side=2, **ROOM), 8, "wide")


@pytest.mark.parametrize("name, needed", [("left_slots", 45 + 288), ("right_slots", 180 + 288),
                                          ("maps", 90 + 45 + 109), ("z_depth", 576 + 1152 + 16),
                                          ("error_depth", 576), ("winner_depth", 288),
                                          ("weight_depth", 45 * 8)])
def test_memories_that_are_too_small(name, needed):
    net = integer_network(GRAPH, 2)
    room = dict(ROOM, weight_depth=512)
    Plan(net, EngineConfig(side=2, **dict(room, **{name: needed})), 8, "wide")
    with pytest.raises(ValueError, match=f"{name} must be at least {needed} for this network and batch, "
                                         f"not {needed - 1}"):
        Plan(net, EngineConfig(side=2, **dict(room, **{name: needed - 1})), 8, "wide")
