"""What holds of all machines on all networks, and what the comparison says of the paper's claims."""

import pytest
from shiftwork.golden.common.shapes import Kind
from shiftwork.golden.common.shapes_networks import NETWORKS
from shiftwork.golden.smartexchange.comparison import (
    CLAIMS,
    COUNTED,
    Part,
    compare,
    geometric_mean,
    ratios,
    stored_megabytes,
)
from shiftwork.golden.smartexchange.factored_map import Engines
from shiftwork.golden.smartexchange.rebuild import Rebuild, stored_weights
from shiftwork.golden.smartexchange.rivals import MACHINES, RIVALS
from shiftwork.golden.smartexchange.rivals_sparse import entry_share
from shiftwork.golden.smartexchange.sparsity import PUBLISHED, statistics

UNITS = 8 * 1024    #: digits that a machine can multiply in a cycle, or an eighth as many weights


def test_networks_have_statistics_and_machines_are_the_papers():
    assert set(NETWORKS) == set(PUBLISHED)
    assert set(MACHINES) == {"dense", "rebuild", "factored", *RIVALS}


@pytest.mark.parametrize("network", NETWORKS)
def test_conservation(network):
    """All do the same layers; none moves less than what is stored, nor works faster than its arithmetic."""
    found = statistics(network)
    for layer in NETWORKS[network]():
        dense = 8 * (layer.inputs + layer.weights + layer.outputs)
        costs = {name: cost(layer, found) for name, cost in MACHINES.items()}
        assert {cost.macs for cost in costs.values()} == {layer.macs}
        for name in ("dense", "diannao", "bit-pragmatic"):
            assert costs[name].dram >= dense * (1 - 1e-12) and costs[name].products == layer.macs
        assert costs["rebuild"].dram >= dense - 8 * layer.weights + stored_weights(layer, found)[0] - 1e-6
        weights = min(8, 12 * entry_share(found.weight_zeros)) * layer.weights
        assert costs["cambricon-x"].dram >= (dense - 8 * layer.weights + weights) * (1 - 1e-12)
        active = min(8, 12 * entry_share(found.activation_zeros)) * (layer.inputs + layer.outputs)
        assert costs["scnn"].dram >= (weights + active) * (1 - 1e-12)
        for name, cost in costs.items():
            assert cost.buffer >= cost.dram and cost.cycles >= cost.compute > 0
            least = cost.products * (found.average_digits / 8 if name in ("bit-pragmatic", "rebuild") else 1)
            assert cost.compute >= least * 8 / UNITS * (1 - 1e-9), name
            assert cost.energy > cost.dram * 100 / 8 + cost.buffer * 1.36 / 8


def test_monotonic_in_zeros():
    """More zero weights never cost more on a machine that skips them, and nothing changes on the others.

    Layers that are compressed at any share: rebuilding what need not be rebuilt can take more cycles.
    """
    shares, dense = (0.0, 0.2, 0.5, 0.8, 0.95), statistics("MobileNetV2")
    layers = NETWORKS["VGG11"]() + NETWORKS["ResNet164"]()[:12] + NETWORKS["MobileNetV2"]()[:12]
    layers = [layer for layer in layers if stored_weights(layer, dense)[1]]
    assert len(layers) > 20
    for layer in layers:
        for name, cost in MACHINES.items():
            found = [cost(layer, statistics("VGG11", weight_zeros=share, coefficient_zeros=share))
                     for share in shares]
            skips = name in ("scnn", "cambricon-x", "rebuild", "factored")
            for a, b in zip(found, found[1:], strict=False):
                assert b.compute <= a.compute * (1 + 1e-9) and b.energy <= a.energy * (1 + 1e-9), name
                assert skips or a == b


def test_monotonic_in_activations():
    """More zero activations, and with them fewer digits: fewer cycles where they are skipped or serial."""
    layer = NETWORKS["ResNet50"]()[10]
    for name, cost in MACHINES.items():
        found = [cost(layer, statistics("ResNet50", activation_zeros=share, average_bits=3 * (1 - share),
                                        average_digits=2.5 * (1 - share))) for share in (0.0, 0.3, 0.6, 0.9)]
        cycles = [cost.compute for cost in found]
        if name in ("scnn", "bit-pragmatic", "rebuild"):
            assert all(b < a for a, b in zip(cycles, cycles[1:], strict=False)), name
        else:
            assert len(set(cycles)) == 1


def test_parts():
    every = compare("VGG11", machines={"dense": MACHINES["dense"]})["dense"]
    convolutions = compare("VGG11", part=Part.CONVOLUTIONS, machines={"dense": MACHINES["dense"]})["dense"]
    connected = [layer for layer in NETWORKS["VGG11"]() if layer.kind == Kind.FULLY_CONNECTED]
    assert every.macs - convolutions.macs == sum(layer.macs for layer in connected)


def test_another_machine_joins_by_its_cost():
    costs = compare("VGG19", machines=MACHINES | {"twice": lambda layer, found: MACHINES["rebuild"](
        layer, found) + MACHINES["rebuild"](layer, found)})
    assert ratios(costs)["twice"] == pytest.approx(2)
    assert "rebuild" in ratios(costs, machine="twice")


def test_several_images():
    """Together or one at a time, whichever takes fewer cycles; weights come once for those together."""
    costs, alone = compare("VGG11", images=16), compare("VGG11")
    for name, cost in costs.items():
        assert cost.macs == alone[name].macs and cost.cycles <= alone[name].cycles
    assert costs["factored"].cycles < 0.5 * alone["factored"].cycles, "a fully connected layer has 16 lanes"
    assert costs["dense"].dram < 0.5 * alone["dense"].dram


def test_engines_that_count_their_multipliers():
    assert COUNTED.controllers * (COUNTED.lanes + 8 * COUNTED.combine_width) <= UNITS
    assert Engines().controllers * Engines().lanes == UNITS


def test_what_the_models_say_of_factored():
    """As the page has it: fewer cycles than the paper's machine on five networks, more energy on all."""
    for network in NETWORKS:
        costs = compare(network)
        faster = ratios(costs, machine="factored")["rebuild"]
        assert (faster > 1) == (network not in ("EfficientNet-B0", "VGG19")), network
        assert ratios(costs, "energy", "factored")["rebuild"] < 0.5


def test_ratios():
    costs = compare("VGG19")
    found = ratios(costs, "energy")
    assert found["scnn"] == costs["scnn"].energy / costs["rebuild"].energy
    assert found["best"] == min(found[name] for name in RIVALS)
    assert set(found) == {*MACHINES, "best"} - {"rebuild"}
    assert geometric_mean([2, 8]) == 4


def test_sizes_say_that_zeros_are_rows():
    """Sizes of the table (float32 size over rate) within 6 % where nothing else is pruned."""
    for network in ("VGG11", "ResNet50", "MobileNetV2", "EfficientNet-B0"):
        published = PUBLISHED[network].megabytes / PUBLISHED[network].rate
        assert stored_megabytes(network) == pytest.approx(published, rel=0.06)
    for network in ("VGG11", "ResNet50"):
        published = PUBLISHED[network].megabytes / PUBLISHED[network].rate
        assert stored_megabytes(network, reading="elements") > 1.15 * published


def test_share_of_the_rebuild_engines():
    """0.4 to 2.2 percent of the energy, by network: additions, and 16 bits of registers for each."""
    machine, shares = Rebuild(), {}
    for network, layers in NETWORKS.items():
        found = statistics(network)
        adds = sum(machine.rebuilt(layer, found) * layer.row_size for layer in layers())
        spent = adds * (machine.setting.adder + 2 * machine.setting.register)
        shares[network] = 100 * spent / compare(network)["rebuild"].energy
    assert round(min(shares.values()), 1) == 0.4 and round(max(shares.values()), 1) == 2.2


def test_what_the_models_say_of_the_claims():
    """Directions that the page on the comparison states; nothing is fitted to the paper's figures."""
    speed = {network: ratios(compare(network)) for network in NETWORKS}
    assert max(ratio["diannao"] for ratio in speed.values()) < CLAIMS["speedup, most"].value
    for name in RIVALS:
        assert geometric_mean(ratio[name] for ratio in speed.values()) > 1
    assert speed["ResNet164"]["best"] < 1.05, "64 slices are too many for its 16 to 64 filters"
    energy = {network: ratios(compare(network), "energy") for network in NETWORKS}
    assert energy["VGG19"]["diannao"] > CLAIMS["energy, most"].value
    assert energy["MobileNetV2"]["best"] < CLAIMS["energy, least"].value, "activations outweigh its weights"


@pytest.mark.parametrize("make, message", [
    (lambda: compare("LeNet"), "network must be one of VGG11, .*, not 'LeNet'"),
    (lambda: compare("VGG11", part="half"), "part must be one of all, convolutions, not 'half'"),
])
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
