"""The design space of the circulant engine: what is counted, what is chosen, and that it can be encoded."""

from dataclasses import replace

import numpy as np
import pytest
from shiftwork.golden.circulant.cells import Gru, Lstm
from shiftwork.golden.circulant.compress import Options, compress
from shiftwork.golden.circulant.config import PRESETS, CirculantConfig
from shiftwork.golden.circulant.encode import encode
from shiftwork.golden.circulant.explore import (
    NETWORKS,
    Candidate,
    Choice,
    Losses,
    as_cell,
    best,
    candidates,
    fitted,
    pareto,
    phase_one,
    proposal,
    rows_within,
    segment_bits,
)
from shiftwork.golden.circulant.layers import Layer
from shiftwork.golden.circulant.lower import lower
from shiftwork.golden.circulant.network import RecurrentNetwork
from shiftwork.golden.circulant.resources import (
    DEVICES,
    MEASURED,
    Device,
    Logic,
    Resources,
    memories,
    resources,
)
from shiftwork.golden.circulant.resources import LOGIC as MODEL
from shiftwork.golden.circulant.timing import predict

ULX3S = DEVICES["ulx3s-85f"]
LOGIC = Logic(fixed=1000, bit=1.0, mux=2.0)


def test_phase_one_counts_what_the_paper_counts():
    losses = Losses(block={"lstm": {8: 0.14, 16: 0.31}, "gru": {16: 0.4}})
    found = phase_one(NETWORKS["google-lstm"], losses, memory_bits=2457600, most_loss=0.35)
    assert [(one.cell, one.block) for one in found] == [(cell, k) for cell in ("lstm", "gru")
                                                        for k in (4, 8, 16, 32, 64)]
    by = {(one.cell, one.block): one for one in found}
    # arXiv:1812.07106: 0.41 and 0.20 million; a GRU of 1024 without projection 0.45 and 0.23.
    assert [by[key].weights for key in (("lstm", 8), ("lstm", 16), ("gru", 8), ("gru", 16))] == [
        409600, 204800, 454656, 227328]
    assert by["lstm", 8].multiplications == (84 * 512 + 64 * 128) * 11
    assert [by["lstm", k].fits for k in (8, 16)] == [False, True]
    assert [by["lstm", k].accurate for k in (8, 16, 32)] == [True, True, False]
    assert not by["gru", 16].accurate and proposal(found) is by["lstm", 16]
    assert proposal([one for one in found if one.block == 8]) is None


def test_phase_one_without_losses_takes_the_cells_that_are_there():
    layers = (Layer(cell=Gru(inputs=6, hidden=24)), Layer(cell=Gru(inputs=24, hidden=16)))
    found = phase_one(layers, None, memory_bits=10 ** 6)
    assert [one.fits for one in found] == [True, True, False, False, False]    # 24 is no multiple of 16
    assert all(one.accurate and one.loss is None for one in found) and proposal(found).block == 8
    with pytest.raises(ValueError, match="^layers must have cells of one kind, not LSTM and GRU$"):
        phase_one((*layers, Layer(cell=Lstm(inputs=16, hidden=8))), None, memory_bits=1)


def test_layers_of_another_cell_keep_their_hidden_size():
    layers = (Layer(cell=Lstm(inputs=6, hidden=24, projection=8, peephole=True)),
              Layer(cell=Gru(inputs=8, hidden=16)))
    gru = as_cell(layers, "gru")
    assert [layer.cell for layer in gru] == [Gru(inputs=6, hidden=24), Gru(inputs=24, hidden=16)]
    lstm = as_cell(layers, "lstm")
    assert [layer.cell for layer in lstm] == [layers[0].cell, Lstm(inputs=8, hidden=16)]


@pytest.mark.parametrize("block, projection", [(4, None), (4, 16), (8, 24)])
def test_memories_are_as_deep_as_a_real_network_needs(block, projection):
    layers = (Layer(cell=Lstm(inputs=10, hidden=32, peephole=True, projection=projection)),
              Layer(cell=Gru(inputs=projection or 32, hidden=16)))
    plain = replace(PRESETS["tiny"], block=block, acc_width=40)
    config, cycles = fitted(layers, plain)
    network = RecurrentNetwork.random(layers, 3, 1)
    network = compress(replace(network, arrays={name: array if "head" in name else np.random.default_rng(
        len(name)).uniform(-0.3, 0.3, array.shape) for name, array in network.arrays.items()}),
        Options.of(block)).network
    program = encode(lower(network, config), config)
    assert predict(program).step_cycles == cycles
    for name in ("phase", "row", "weight", "coefficient", "state"):
        less = replace(config, **{f"{name}_depth": getattr(config, f"{name}_depth") - 1})
        with pytest.raises(ValueError, match=f"^{name}_depth must be at least "):
            encode(lower(network, less), less)
    with pytest.raises(ValueError, match="^spectrum_depth must be at least "):
        less = replace(config, spectrum_depth=config.spectrum_depth // 2)
        encode(lower(network, less), less)


def test_resources_are_those_of_the_parts():
    config = CirculantConfig(block=16, rows=5, weight_depth=3072, row_depth=512, coefficient_depth=2560,
                             state_depth=512)
    found = resources(config, ULX3S, LOGIC)
    assert found.multipliers == 5 * (7 * 3 + 2) + 6
    assert ULX3S.blocks(3072, 960) == (54 * 3, 3)       # 27 * 6 as well, but more layers
    assert ULX3S.blocks(2560, 64) == (10, 5) and ULX3S.blocks(16, 192) == (0, 1)
    assert ULX3S.blocks(512, 96) == (3, 1) and ULX3S.blocks(2048, 9) == (1, 1)
    assert ULX3S.blocks(2049, 9) == (2, 2) and ULX3S.blocks(2049, 4) == (1, 1)
    # Each row's weights stand apart, in 11 RAMs of 18 bits.
    others = {name: shape for name, shape in memories(config).items() if name != "weights"}
    assert found.rams == 5 * 11 * 3 + sum(ULX3S.blocks(*shape)[0] for shape in others.values())
    assert found.memory_bits == sum(depth * width for depth, width in memories(config).values())
    chosen = 960 * 2 + 64 * 4
    assert found.luts == 1000 + 5 * 23 * config.acc_width + 2 * chosen + 2130 and found.fits(ULX3S)
    assert not found.fits(DEVICES["icebreaker"])
    for name in ("multipliers", "rams", "luts"):
        tight = replace(ULX3S, **{name: getattr(found, name)})
        assert found.fits(tight) and not found.fits(replace(tight, **{name: getattr(found, name) - 1}))


def test_logic_is_fitted_by_least_squares():
    configs = [CirculantConfig(block=8, rows=rows, weight_depth=depth) for rows in (1, 2, 3)
               for depth in (256, 3072)]
    truth = Logic(fixed=700, bit=1.25, mux=0.75)
    model = Logic.fitted([(config, truth(config, ULX3S)) for config in configs], ULX3S)
    assert [model(config, ULX3S) for config in configs] == [truth(config, ULX3S) for config in configs]
    with pytest.raises(ValueError, match="^measured configurations must be three at least that differ in "
                                         "lanes and in memories, not 2 alike$"):
        Logic.fitted([(config, 5000) for config in configs[:2]], ULX3S)


def test_the_model_is_near_what_was_measured():
    """Within 5 % of each engine that it was fitted to."""
    for config, cells in MEASURED:
        assert abs(MODEL(config, ULX3S) - cells) < 0.05 * cells, config


def test_candidates_are_every_number_of_rows_and_bits():
    layers = NETWORKS["google-lstm"]
    choice = phase_one(layers, Losses(block={"lstm": {32: 0.5}}), memory_bits=10 ** 7, blocks=(32,))[0]
    assert list(rows_within(32, ULX3S)) == [1, 2, 3] and list(rows_within(32, DEVICES["icebreaker"])) == []
    found = [one for rows in (1, 3) for one in candidates(
        layers, choice=choice, rows=rows, device=ULX3S, bits={12: 0.0, 8: 0.25}, most_error=0.01,
        logic=LOGIC)]
    assert [(one.config.rows, one.config.weight_width, one.loss) for one in found] == [
        (1, 12, 0.5), (1, 8, 0.75), (3, 12, 0.5), (3, 8, 0.75)]
    assert found[0].cycles > found[2].cycles and found[0].config.segment_bits == 1
    assert found[0].config.peepholes and found[0].config.cell_tanh and found[0].activation_error < 0.01
    assert found[0].resources.memory_bits > found[1].resources.memory_bits
    lstm, = candidates(as_cell(layers, "gru"), choice=choice, rows=1, device=ULX3S, bits={12: 0.0},
                       most_error=0.001, logic=LOGIC)
    assert not lstm.config.cell_tanh and not lstm.config.peepholes and lstm.config.segment_bits == 2


def test_accumulators_hold_what_any_weights_add_up_to():
    """Weights as great as they can be are not refused for the accumulators' width."""
    layers = (Layer(cell=Gru(inputs=64, hidden=32)),)
    choice, = phase_one(layers, None, memory_bits=10 ** 7, blocks=(8,))
    one, = candidates(layers, choice=choice, rows=2, device=ULX3S, bits={12: 0.0}, most_error=0.01,
                      logic=LOGIC)
    network = RecurrentNetwork.random(layers, 2, 0)
    arrays = {name: np.full_like(array, 1.0) if array.ndim == 3 else array
              for name, array in network.arrays.items()}
    network = compress(replace(network, arrays=arrays), Options.of(8, rounding=None)).network
    assert encode(lower(network, one.config), one.config).parse()


def test_segments_are_the_fewest_within_the_error():
    assert segment_bits(0.01)[0] == 1 and segment_bits(0.001)[0] == 2 and segment_bits(0.0007)[0] == 3
    with pytest.raises(ValueError, match="^error of activations must be at least 0.00061, not 1e-05$"):
        segment_bits(1e-5)


def made(cycles, multipliers, luts=1, rams=1, loss=0.0, fits=True):
    choice = Choice(cell="gru", block=8, weights=1, memory_bits=1, multiplications=1, loss=None, fits=True,
                    accurate=True)
    return Candidate(choice=choice, config=CirculantConfig(), cycles=cycles, activation_error=0, loss=loss,
                     fits=fits, resources=Resources(multipliers=multipliers, rams=rams, memory_bits=1,
                                                    luts=luts))


def test_the_pareto_front_is_what_no_other_beats():
    rng = np.random.default_rng(0)
    some = [made(*map(int, rng.integers(1, 6, 4))) for _ in range(60)]
    found = pareto(some)
    front = {one.costs for one in some if not any(
        other.costs != one.costs and all(a <= b for a, b in zip(other.costs, one.costs, strict=True))
        for other in some)}
    assert {one.costs for one in found} == front and len(found) == len(front) < 60
    assert [one.costs for one in found] == sorted(front) and pareto([]) == []


def test_the_best_is_the_fastest_that_fits():
    some = [made(5, 9, fits=False), made(7, 4), made(7, 3), made(9, 1)]
    assert best(some) is some[2] and best(some[:1]) is None


REFUSED = [
    ([], "losses must be a JSON object, not []"),
    ({}, "losses by block must be of lstm, gru or both, not {}"),
    ({"rnn": {"8": 1}}, "losses by block must be of lstm, gru or both, not {'rnn': {8: 1}}"),
    ({"gru": [1]}, "losses of gru must be a table, not [1]"),
    ({"gru": {"8": "1"}}, "losses of gru must be numbers, not '1' for 8"),
    ({"gru": {"8": float("nan")}}, "losses of gru must be numbers, not nan for 8"),
    ({"gru": {"7": 1}}, "losses of gru must be for block sizes 4, 8, 16, 32, 64, not 7"),
    ({"gru": {"eight": 1}}, "losses must be for numbers, not others (invalid literal for int() with base 10: "
                            "'eight')"),
    ({"gru": {"8": 1}, "bits": {"32": 0}}, "losses by bits must be for 8 to 17 bits, not 32"),
    ({"gru": {"8": 1}, "bits": 12}, "losses by bits must be a table, not 12"),
]


@pytest.mark.parametrize("text, message", REFUSED, ids=[m for _, m in REFUSED])
def test_losses_refuse(text, message):
    with pytest.raises(ValueError) as raised:
        Losses.read(text)
    assert str(raised.value) == message


def test_losses_are_read():
    found = Losses.read({"lstm": {"8": 0.5}, "bits": {"12": 0, "10": 0.25}})
    assert found == Losses(block={"lstm": {8: 0.5}}, bits={12: 0, 10: 0.25})


def test_a_device_of_one_shape():
    device = Device(multipliers=1, rams=1, luts=1, clock=1.0, shapes=((256, 16),), shallow=0)
    assert device.blocks(257, 17) == (4, 2)
