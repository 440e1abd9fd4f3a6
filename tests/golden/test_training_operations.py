from dataclasses import replace

import numpy as np
import pytest
from shiftwork.golden.common.network import Network
from shiftwork.golden.training.network import IntegerNetwork
from shiftwork.golden.training.operations import (
    Kind,
    check,
    check_terms,
    forward_operations,
    step_operations,
)
from shiftwork.golden.training.trainer import IntegerSettings, Training

from .training_graphs import before, node, residual


def lines(operations):
    return [f"{op.kind.value} {op.node}: {', '.join(op.reads)} -> {', '.join(op.writes)}"
            for op in operations]


def test_the_sequence_of_a_residual_step():
    found = lines(step_operations(before()))
    assert found[:6] == ["round weights c1: w1 -> rounded w1", "multiply c1: x, rounded w1 -> c1",
                         "round weights n1: n1.g -> rounded n1.g", "round weights n1: n1.b -> rounded n1.b",
                         "statistics n1: c1 -> statistics n1", "normalize n1: c1, statistics n1 -> normal n1"]
    loss = found.index("loss : y, labels -> error y, miss")
    assert found[loss + 1:loss + 8] == [
        "product error y: error y -> E2 y",
        "weight gradient y: f, E2 y -> gradient w4",
        "bias gradient y: error y -> gradient b4",
        "input gradient y: E2 y, rounded w4 -> error f",
        "unflatten f: error f, r3 -> error r3",
        "activation error r3: error r3 -> E1 r3",
        "mask r3: E1 r3, r3 -> error n3"]
    # The error of s2 goes to c3 and, unchanged, to s1; there it meets the one that comes through n2.
    at = found.index("split error s1: error s2 -> error s2, 16 bits")
    assert found[at:at + 3] == ["split error s1: error s2 -> error s2, 16 bits",
                                "split error s1: error s1 from n2 -> error s1 from n2, 16 bits",
                                "join errors s1: error s2, 16 bits, error s1 from n2, 16 bits -> error s1"]
    assert found[-2:] == ["update y: gradient w4 -> w4", "update y: gradient b4 -> b4"]


def doubled():
    """An activation added to itself; a sum whose error goes to two activations that others read, too."""
    network = before()
    first, second = node("Add", "t", ("s1", "s1")), node("Add", "u", ("t", "c1"))
    nodes = [replace(n, inputs=("u", *n.inputs[1:])) if n.name == "n2" else n for n in network.nodes]
    return replace(network, nodes=(*nodes[:5], first, second, *nodes[5:]))


@pytest.mark.parametrize("graph", [residual, before, doubled])
def test_every_tensor_is_written_once_and_before_it_is_read(graph):
    network = graph()
    trained = {name for node in network.nodes if node.op_type in ("Conv", "Gemm", "BatchNormalization")
               for name in node.inputs[1:3]}
    written, updated = {"x", "labels", *trained}, []
    for op in step_operations(network):
        assert set(op.reads) <= written
        if op.kind in (Kind.UPDATE, Kind.UPDATE_NORM):
            updated += op.writes
        else:
            assert not set(op.writes) & written
            written.update(op.writes)
    assert sorted(updated) == sorted(trained)


def test_sums_of_errors_are_right_where_one_goes_several_ways():
    """Integers: what reaches c1 is the sum of what its readers send, each quantized to 16 bits once."""
    network = doubled()
    net = IntegerNetwork.random(network)
    training = Training(net, IntegerSettings(epochs=1, batch=4), 1)
    training.step(np.random.default_rng(0).random((4, 1, 5, 5)), np.array([0, 1, 1, 0]))
    tensors = {name: t.values for name, t in training.interpreter.tensors.items() if name.startswith("error")}
    joined = [op for op in training.operations if op.kind is Kind.JOIN_ERRORS]
    assert [op.writes[0] for op in joined] == ["error s1", "error c1"]
    twice = [name for name in joined[0].reads if joined[0].reads.count(name) == 2]
    assert len(twice) == 2 and len(joined[0].reads) == 3
    for op in joined:
        np.testing.assert_allclose(tensors[op.writes[0]], sum(tensors[name] for name in op.reads), rtol=0,
                                   atol=2.0 ** -14 * np.abs(tensors[op.writes[0]]).max())


def test_an_error_of_8_bits_is_not_quantized_again():
    """Behind a Relu, the sum of a residual and pools whose windows do not overlap are 8 bits."""
    found = lines(step_operations(residual()))
    quantized = [line.split(":")[0] for line in found if line.startswith("activation error")]
    # n3 reads what comes from r3 through a pool without overlap, n2 what comes from r2 through the sum.
    assert quantized == [f"activation error {name}" for name in ("r4", "r3", "r2", "r1")]


def test_forward_without_training_has_no_statistics():
    kinds = [op.kind for op in forward_operations(before(), training=False)]
    assert Kind.STATISTICS not in kinds and kinds.count(Kind.NORMALIZE) == 3


def changed(network, name, **changes):
    nodes = tuple(replace(n, **changes) if n.name == name else n for n in network.nodes)
    return replace(network, nodes=nodes)


def test_refused_networks():
    network = before()
    with pytest.raises(ValueError, match="node 'c3' must read the input or what a Relu yields, not 'n2'"):
        check(changed(network, "c3", inputs=("n2", "w3")))
    arrays = {**network.arrays, "w4": np.zeros((75, 2))}
    with pytest.raises(ValueError, match="node 'y' must have transB = 1, not 0"):
        check(changed(replace(network, nodes=network.nodes[:-1] + (node("Gemm", "y", "f", "w4", "b4"),),
                              arrays=arrays), "-"))
    arrays = {**network.arrays, "w2": np.zeros((3, 1, 3, 3))}
    grouped = node("Conv", "c2", "r1", "w2", pads=(1, 1, 1, 1), group=3)
    with pytest.raises(ValueError, match="node 'c2' must have one group, not 3"):
        nodes = tuple(grouped if n.name == "c2" else n for n in network.nodes)
        check(replace(network, nodes=nodes, arrays=arrays))
    unread = node("Relu", "z", "n1")
    with pytest.raises(ValueError, match="node 'z' must have an output that another one reads, not 'z'"):
        check(replace(network, nodes=(*network.nodes[:3], unread, *network.nodes[3:])))
    short = replace(network, nodes=network.nodes[:-1], output_name="f")
    with pytest.raises(ValueError, match="node 'f' must be a Gemm with the output 'f', not Flatten with 'f'"):
        check(short)


def test_refused_sizes():
    check_terms(residual(), 1560)
    with pytest.raises(ValueError, match="node 'c1' must have at most 65536 outputs of a channel in a batch, "
                                         "not 65562"):
        check_terms(residual(), 1561)
    network = before()
    arrays = {**network.arrays, "w4": np.zeros((70000, 75)), "b4": np.zeros(70000)}
    with pytest.raises(ValueError, match="node 'y' must have at most 65536 terms in a sum, not 70000"):
        check_terms(replace(network, arrays=arrays), 8)


def test_what_flatten_makes_of_the_input_has_no_error():
    nodes = (node("Flatten", "f", "x"), node("Gemm", "y", "f", "w", transB=1))
    network = Network(nodes=nodes, arrays={"w": np.ones((2, 6))}, input_shape=(1, 2, 3), output_name="y")
    assert lines(step_operations(network))[-3:] == [
        "product error y: error y -> E2 y", "weight gradient y: f, E2 y -> gradient w",
        "update y: gradient w -> w"]
