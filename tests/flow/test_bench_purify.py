"""What the measurement of purification is made of; its training takes minutes and is not run here."""

from dataclasses import replace

import numpy as np
import pytest
from shiftwork.flow import bench_purify
from shiftwork.flow.bench import Bench
from shiftwork.flow.bench_purify import ENTRIES, lenet5, purified
from shiftwork.flow.datasets import Dataset
from shiftwork.golden.common.channels import count_weights
from shiftwork.golden.common.network import Network, Node


def test_lenet5_is_the_one_of_430500_weights():
    net = lenet5(seed=0)
    assert count_weights(net) == (430_500, 430_500)
    assert net.shapes["pool2"] == (50, 4, 4) and net.shapes["logits"] == (10,)
    assert all(np.array_equal(array, lenet5(seed=0).arrays[name]) for name, array in net.arrays.items())


@pytest.mark.parametrize("weights, deciding, factor, left", [
    ([1, 0.5], 0, 0.8, [1, 0]),     # the second filter goes, and the first one's class stays
    ([1, 0.5], 1, 0.4, [1, 0.5]),   # squared norms 1 and 1/4, mean 5/8: up to 0.4 the deciding filter stays
    ([1, 0.1], 1, 0.0, [1, 0.1]),
])
def test_the_greatest_factor_that_keeps_the_accuracy(weights, deciding, factor, left):
    readers = np.ones((2, 2))
    readers[deciding, 1] = -1
    gemms = [Node(op_type="Gemm", name=name, inputs=inputs, outputs=(name,)) for name, inputs in
             (("h", ("x", "w")), ("y", ("h", "v")))]
    net = Network(nodes=tuple(gemms), input_shape=(1,), output_name="y",
                  arrays={"w": np.array([weights]), "v": readers})
    x = np.linspace(-1, 1, 40, dtype=np.float32)[:, None]
    labels = (x[:, 0] < 0).astype(np.int64)
    assert net.accuracy(x, labels) == 1
    pure, found = purified(net, x, labels)
    assert found == factor and pure.arrays["w"].tolist() == [left] and pure.accuracy(x, labels) == 1


def test_measurements_of_a_network_pruned_at_random(monkeypatch, tmp_path):
    rng = np.random.default_rng(0)
    net = lenet5(seed=0)
    masks = {"dense.weight": rng.random((500, 1)) < 0.2, "logits.weight": rng.random((1, 500)) < 0.5}
    sparse = replace(net, arrays={name: array * masks.get(name, 1) for name, array in net.arrays.items()})
    x = rng.random((30, 1, 28, 28), np.float32)
    labels = sparse.forward(x).argmax(axis=1)
    monkeypatch.setattr(bench_purify, "mnist10k", lambda: Dataset("fake", x, labels, x, labels))
    monkeypatch.setattr(bench_purify, "pruned", lambda network, data, note: sparse)
    found = {row.name: row for row in ENTRIES["purify/rate"](Bench(tmp_path))}
    hidden, read = masks["dense.weight"][:, 0], masks["logits.weight"][0]
    convolutions = 500 + 25_000
    left = convolutions + 810 * int((hidden & read).sum())
    assert found["purify/weights"].value == 430_500
    assert found["purify/pruned-nonzero"].value == convolutions + 800 * hidden.sum() + 10 * read.sum()
    assert found["purify/pruned-stored"].value == 430_500
    assert found["purify/paths-nonzero"].value == found["purify/paths-stored"].value == left
    assert found["purify/paths-changed"].ok and found["purify/paths-accuracy"].value == 100
    assert found["purify/purified-stored"].value <= found["purify/paths-stored"].value
    assert found["purify/stored"].ok and found["purify/factor"].value >= 0
