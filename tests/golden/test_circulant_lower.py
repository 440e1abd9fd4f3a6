"""From floats to integers: bounds, units, rounding; what does not fit is named."""

import re
from dataclasses import replace

import numpy as np
import pytest
from shiftwork.golden.circulant.bounds import sum_bound
from shiftwork.golden.circulant.cells import Gru, Lstm, dense_matrices
from shiftwork.golden.circulant.config import PRESETS, CirculantConfig
from shiftwork.golden.circulant.encode import encode
from shiftwork.golden.circulant.integer_network import Vector
from shiftwork.golden.circulant.layers import Layer
from shiftwork.golden.circulant.lower import lower, ranges
from shiftwork.golden.circulant.network import RecurrentNetwork, Sequences
from shiftwork.golden.circulant.transform import forward

from .circulant_networks import CELLS, WIDE, program_of, ran, random_input


@pytest.mark.parametrize("name", CELLS)
def test_integers_are_close_to_the_floats_they_stand_for(name):
    """16 bits, and the float network of the rounded weights: a few thousandths after 10 steps."""
    rng, cell = np.random.default_rng(5), CELLS[name]
    floats = RecurrentNetwork.random_circulant([cell], WIDE.block, rng, scale=0.8)
    network = lower(floats, WIDE)
    layer, program = network.layers[0], encode(network, WIDE)
    x = random_input(rng, program, 10)
    exact = RecurrentNetwork(layers=floats.layers, classes=1, arrays={
        **floats.arrays, **{f"layer0.forward.{part}": array for part, array in layer.arrays().items()}})
    wanted = exact.outputs(Sequences(np.ldexp(x, layer.exponents["x"]), np.array([10])))
    found = np.ldexp(ran(program, x).astype(float), layer.exponents["y"])
    assert np.abs(found - wanted).max() < 4e-3
    for part, array in layer.arrays().items():
        assert np.abs(array - floats.arrays[f"layer0.forward.{part}"]).max() < 3e-4


@pytest.mark.parametrize("block", [4, 8, 16])
def test_sums_are_bounded_for_all_vectors(block):
    """The vectors of corners that make a sum greatest come near its bound, and no vector exceeds it."""
    config = CirculantConfig(block=block, vector_width=10)
    rng = np.random.default_rng(block)
    weights = rng.integers(-2048, 2048, (3, block // 2, 2))
    bound = sum_bound(weights, config)
    forms = forward(511 * np.eye(block, dtype=int), config.forward)

    def sums(x):
        spectra = forward(x, config.forward)
        found = (spectra[..., 0] + 1j * spectra[..., 1]) * (weights[..., 0] + 1j * weights[..., 1])
        first = spectra[..., 0, :] * weights[:, 0]
        found[..., 0] = first[..., 0] + 1j * first[..., 1]
        found = found.sum(axis=-2)
        return np.stack([found.real, found.imag], axis=-1)

    assert (np.abs(sums(rng.choice([-512, 511], (300, 3, block)))).max(axis=0) <= bound).all()
    c, d = weights[:, None, :, 0], weights[:, None, :, 1]
    parts = {(1, 0): forms[..., 0] * c - forms[..., 1] * d, (1, 1): forms[..., 0] * d + forms[..., 1] * c,
             (0, 0): forms[..., 0] * c, (0, 1): forms[..., 1] * d}
    for (slot, part), form in parts.items():
        found = sums(np.where(form[..., slot] > 0, 511, -512))[slot, part]
        assert 0.95 * bound[slot, part] <= found <= bound[slot, part]


def test_ranges_of_data():
    """x within the lengths, and outputs of each layer; units follow from them."""
    rng = np.random.default_rng(2)
    cells = [CELLS["lstm, projection"], replace(CELLS["gru, before, keeps"], inputs=8)]
    network = RecurrentNetwork.random_circulant(cells, 8, rng)
    x = rng.normal(0, 1, (3, 5, 3))
    sequences = Sequences(x, np.array([5, 2, 4]))
    first = {name: array for name, array in network.arrays.items() if name.startswith("layer0")}
    head = {"head.weight": np.zeros((1, 8)), "head.bias": np.zeros(1)}
    alone = RecurrentNetwork(layers=network.layers[:1], classes=1, arrays=first | head)
    most = max(np.abs(each[:length]).max() for each, length in zip(x, sequences.lengths, strict=True))
    found = ranges(network, sequences)
    assert found == (most, np.abs(alone.outputs(sequences)).max(), np.abs(network.outputs(sequences)).max())
    exact = lower(network, WIDE, input_range=3.9, output_ranges=found[1:]).layers
    assert exact[0].exponents["x"] == 2 - 15 and exact[1].exponents["x"] == exact[0].exponents["y"]
    unit = 2.0 ** exact[0].exponents["y"]
    assert unit * 2 ** 14 < found[1] <= unit * 2 ** 15
    # Without data: what no vector m can exceed.
    dense = dense_matrices(cells[0], {name.rpartition(".")[2]: array for name, array in first.items()})
    most = np.abs(dense["projection"]).sum(axis=-1).max()
    unit = 2.0 ** lower(network, WIDE).layers[0].exponents["y"]
    assert unit * 2 ** 14 < most <= unit * 2 ** 15


@pytest.mark.parametrize("name", CELLS)
def test_what_is_rounded_stays_what_it_is(name):
    """The network of a layer's integers has these integers and these units again."""
    network = RecurrentNetwork.random_circulant([CELLS[name]], 8, 4, scale=0.7)
    layer = lower(network, DEFAULT).layers[0]
    arrays = {f"layer0.forward.{part}": array for part, array in layer.arrays().items()}
    again = lower(replace(network, arrays=network.arrays | arrays), DEFAULT).layers[0]
    assert again.exponents == layer.exponents
    for one, other in zip(again.products, layer.products, strict=True):
        for a, b in zip((*one.weights, one.bias, one.peephole), (*other.weights, other.bias, other.peephole),
                        strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("spread", [(1.0, 1.0), (30.0, 1.0), (1.0, 30.0)])
def test_units_of_weights_have_the_least_error(spread):
    """W and R share a unit: none of their exponents, one up or down for both, is better."""
    network = with_arrays(input=spread[0] * made_network().arrays["layer0.forward.input"],
                          recurrent=spread[1] * made_network().arrays["layer0.forward.recurrent"])
    e = lower(network, replace(DEFAULT, sum_width=24)).layers[0].exponents
    assert e["x"] + e["input"] == e["y"] + e["recurrent"]

    def error(more):
        found = 0
        for part, vector in (("input", "x"), ("recurrent", "y")):
            spectra = np.fft.rfft(network.arrays[f"layer0.forward.{part}"])
            for values in (spectra.real, spectra.imag):
                unit = 2.0 ** (e[part] + more)
                # Bins 0 and k / 2 count once, as numbers stored.
                found += np.sum((np.clip(np.rint(values / unit), -2048, 2047) * unit - values) ** 2) \
                    * 4.0 ** e[vector]
        return found

    assert error(0) <= min(error(-1), error(1))


DEFAULT = PRESETS["default"]
GRU = Gru(inputs=8, hidden=8)


def made_network(size=8):
    return RecurrentNetwork.random_circulant([GRU], size)


def both_ways():
    arrays = made_network().arrays
    arrays |= {name.replace("forward", "reverse"): array for name, array in arrays.items()
               if name.startswith("layer")}
    layer = Layer(cell=GRU, direction="both", merge="sum")
    return RecurrentNetwork(layers=(layer,), classes=1, arrays=arrays)


def with_arrays(**changed):
    network = made_network()
    arrays = {f"layer0.forward.{part}": array for part, array in changed.items()}
    return RecurrentNetwork(layers=network.layers, classes=1, arrays={**network.arrays, **arrays})


@pytest.mark.parametrize(("make", "message"), [
    (lambda: lower(both_ways(), DEFAULT), "direction of layer0 must be forward, not both"),
    (lambda: lower(made_network(size=4), DEFAULT),
     "array input of layer0 must be first columns of blocks of 8, not of shape (3, 2, 2, 4)"),
    (lambda: lower(with_arrays(recurrent=np.zeros((3, 8, 8))), DEFAULT),
     "array recurrent of layer0 must be first columns of blocks of 8, not of shape (3, 8, 8)"),
    (lambda: program_of([Lstm(inputs=3, hidden=12)]),
     "hidden of layer0 must be a multiple of the block size 8, not 12"),
    (lambda: program_of([Lstm(inputs=3, hidden=16, projection=4)]),
     "outputs of layer0 must be a multiple of the block size 8, not 4"),
    (lambda: lower(with_arrays(bias=np.full(24, -8.5)), DEFAULT),
     "array bias of layer0 must be within -8.0 .. 8.0, not up to 8.5"),
    (lambda: program_of([Lstm(inputs=8, hidden=8, forget_bias=20.0)]),
     "array bias of layer0 must be within -8.0 .. 8.0, not up to 2[0-9]"),
    (lambda: program_of([GRU], replace(DEFAULT, acc_width=24, weight_width=18)),
     "acc_width must be at least 3[0-9] for layer0, not 24"),
    (lambda: program_of([GRU], replace(DEFAULT, sum_width=12), input_range=64.0),
     "sum_width must be at least [12][0-9] for layer0, not 12"),
    (lambda: lower(with_arrays(input=np.full((3, 1, 1, 8), 1e-24), recurrent=np.full((3, 1, 1, 8), 1e-24)),
                   DEFAULT),
     "weights of layer0 must be greater: their sums need a shift of [0-9]+, at most 31"),
    (lambda: program_of([GRU], sequences=0), "sequences must be an integer of at least 1, not 0"),
    (lambda: encode(lower(made_network(), DEFAULT), PRESETS["tiny"]),
     "block must be the network's 8, not 4"),
    (lambda: program_of([CELLS["lstm"]], replace(DEFAULT, cell_tanh=False)),
     "cell_tanh must be True for layer0, not False"),
    (lambda: program_of([CELLS["lstm, peephole"]], replace(DEFAULT, peepholes=False)),
     "peepholes must be True for layer0, not False"),
    (lambda: program_of([GRU], replace(DEFAULT, spectrum_depth=4)),
     "spectrum_depth must be at least 6, not 4"),
    (lambda: program_of([GRU], replace(DEFAULT, state_depth=4), 3), "state_depth must be at least 12, not 4"),
    (lambda: program_of([GRU], replace(DEFAULT, phase_depth=2), 2), "phase_depth must be at least 4, not 2"),
    (lambda: program_of([GRU], replace(DEFAULT, row_depth=4), 2), "row_depth must be at least 1[0-9], not 4"),
    (lambda: program_of([GRU], replace(DEFAULT, coefficient_depth=4)),
     "coefficient_depth must be at least 12, not 4"),
    (lambda: program_of([Gru(inputs=8, hidden=64)], replace(DEFAULT, weight_depth=16)),
     "weight_depth must be at least 54, not 16"),
    (lambda: program_of([GRU], replace(DEFAULT, output_depth=4), 2),
     "output_depth must be at least 8, not 4"),
])
def test_what_does_not_fit_is_named(make, message):
    message = message if "[0-9]" in message else re.escape(message)
    with pytest.raises(ValueError, match=f"^{message}"):
        make()




def test_units_of_y_and_weights_go_together():
    """Weights that were rounded with one unit for W and R keep it, if y's unit may be that of x."""
    rng = np.random.default_rng(0)
    spectra = {part: np.fft.rfft(rng.normal(0, 0.5, (3, 1, 1, 8))) for part in ("input", "recurrent")}
    rounded = {part: np.fft.irfft(np.ldexp(np.rint(np.ldexp(parts.real, 9)), -9)
                                  + 1j * np.ldexp(np.rint(np.ldexp(parts.imag, 9)), -9))
               for part, parts in spectra.items()}
    (layer,) = lower(with_arrays(**rounded), DEFAULT, input_range=4.0).layers
    exponents = layer.exponents
    assert exponents[Vector.X] == exponents[Vector.OLD] == exponents[Vector.INNER] == -9
    for part, array in rounded.items():
        np.testing.assert_allclose(layer.arrays()[part], array, atol=1e-12)
