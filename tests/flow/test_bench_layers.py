"""The rows of the comparison of machines; the digits network is not trained here."""

import numpy as np
import pytest
from shiftwork.flow.bench import Bench
from shiftwork.flow.bench_layers import ENTRIES, activation_rows
from shiftwork.golden.common.network import Network, Node
from shiftwork.golden.common.shapes_networks import NETWORKS
from shiftwork.golden.smartexchange.rivals import MACHINES


def test_every_network_and_the_means_have_entries(tmp_path):
    assert {f"layers/{name}" for name in NETWORKS} | {"layers/mean", "layers/activations"} == set(ENTRIES)
    bench = Bench(tmp_path)
    rows = {row.name: row for name in ("layers/VGG19", "layers/mean") for row in ENTRIES[name](bench)}
    judged = {name for name, row in rows.items() if row.ok is not None}
    assert judged == {"layers/VGG19/cycles-lut"} and all(row.value > 0 for row in rows.values())
    others = {row.name: row.ok for row in ENTRIES["layers/ResNet164"](bench)}
    assert others["layers/ResNet164/cycles-lut"] is None, "37.6 % of its coefficients are zero"
    assert {f"layers/VGG19/{machine}-cycles" for machine in MACHINES} <= set(rows)
    cycles = {name: rows[f"layers/VGG19/{name}-cycles"].value for name in ("rebuild", "scnn")}
    assert rows["layers/VGG19/rebuild-cycles-over-scnn"].value == pytest.approx(
        cycles["scnn"] / cycles["rebuild"], rel=1e-4)
    assert rows["layers/VGG19/factored-cycles-over-rebuild"].value == pytest.approx(
        1 / rows["layers/VGG19/rebuild-cycles-over-factored"].value)
    part = "layers/mean/convolutions/rebuild-energy-over-"
    best = min(rows[part + name].value for name in ("diannao", "scnn", "cambricon-x", "bit-pragmatic"))
    assert rows[part + "best"].value <= best, "the best rival differs from network to network"


def test_zeros_of_activations():
    """0, 1, 3, 85: bits 0, 1, 2, 4; Booth digits 0: none, 1: 1, 3 = 4 - 1: 2, 85 = 64 + 16 + 4 + 1: 4."""
    gemms = [Node(op_type="Gemm", name=name, inputs=inputs, outputs=(name,), attributes={"transB": 1})
             for name, inputs in (("h", ("x", "w")), ("y", ("h", "w")))]
    net = Network(nodes=tuple(gemms), input_shape=(5,), output_name="y", arrays={"w": np.eye(5)})
    x = np.array([[0, 1, 3, 85, 127]])      # the last fixes the scale: 7 bits, 2 digits (128 - 1)
    found = {row.name: row.value for row in activation_rows(net, x, x)}
    assert found == pytest.approx({
        "layers/activations/y-zero": 20, "layers/activations/y-zero-bits": 100 * (1 - 14 / 40),
        "layers/activations/y-zero-digits": 100 * (1 - 9 / 20)})
