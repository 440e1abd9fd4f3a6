"""Rows of the circulant engine's networks and sequences, on small cells; no tool runs, golden is the RTL."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from shiftwork.flow import bench_circulant, bench_circulant_networks, bench_circulant_sequences, circulant
from shiftwork.flow import recipes_circulant as recipes
from shiftwork.flow.bench import Bench
from shiftwork.golden.circulant.cells import Gru, Lstm
from shiftwork.golden.circulant.compress import Options, compress
from shiftwork.golden.circulant.config import CirculantConfig
from shiftwork.golden.circulant.layers import Layer
from shiftwork.golden.circulant.network import RecurrentNetwork, Sequences
from shiftwork.golden.circulant.noise import Snr
from shiftwork.golden.circulant.timing import predict

INPUTS, HIDDEN, OUTPUTS = 20, 48, 32
CELLS = {"google-lstm": Lstm(inputs=INPUTS, hidden=HIDDEN, projection=OUTPUTS, peephole=True),
         "gru-1024": Gru(inputs=INPUTS, hidden=HIDDEN)}
ROWS = {8: 3, 16: 2}
CONFIGS = {(name, size): CirculantConfig(block=size, rows=rows, peepholes=name == "google-lstm", sum_width=20,
                                         cell_tanh=name == "google-lstm")
           for name in CELLS for size, rows in ROWS.items()}
MULTIPLIERS = {("google-lstm", 8): 3 * 11 + 6, ("google-lstm", 16): 2 * 23 + 6,
               ("gru-1024", 8): 3 * 11 + 4, ("gru-1024", 16): 2 * 23 + 4}


def blocks(name, size):
    """Blocks of the cell's matrices."""
    x, hidden, y = -(-INPUTS // size), HIDDEN // size, OUTPUTS // size
    return 4 * hidden * (x + y) + y * hidden if name == "google-lstm" else 3 * hidden * (x + hidden)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return Bench(tmp_path_factory.mktemp("bench"))


@pytest.fixture
def small(monkeypatch):
    """Cells and engines of `CELLS` and `CONFIGS`."""
    monkeypatch.setattr(bench_circulant_networks, "CELLS", CELLS)
    monkeypatch.setattr(bench_circulant_networks, "CONFIGS", CONFIGS)


@pytest.fixture
def rtl(monkeypatch):
    """Golden in the place of the compiled RTL, and the shapes of what went through it.

    Each run takes ``slow`` cycles more than it should.
    """
    seen = SimpleNamespace(slow=0, shapes=[])

    def simulate(program, x, rtl, folder, stage):
        assert rtl == f"RTL of {program.config.fingerprint}"
        seen.shapes.append(x.shape)
        found = circulant.golden(program, x)
        return replace(found, run_cycles=found.run_cycles + np.eye(1, len(x), dtype=int)[0] * seen.slow)

    monkeypatch.setattr(circulant, "verilog", lambda config: f"RTL of {config.fingerprint}")
    monkeypatch.setattr(circulant, "simulate", simulate)
    return seen


def rows_of(entry, bench):
    """{name: its row}; the entry is one that `shiftwork bench` has."""
    found = list(bench_circulant.ENTRIES[entry](bench))
    assert len({row.name for row in found}) == len(found)
    return {row.name: row for row in found}


def cycles(bench, name, size):
    """A step's, single stream."""
    return predict(bench_circulant_networks._program(bench, name, size)).step_cycles


@pytest.mark.parametrize("name", CELLS)
def test_utilization(small, bench, name):
    rows = rows_of(f"{name}/utilization", bench)
    assert set(rows) == {f"{name}/{what}@{size}" for size in ROWS for what in (
        "utilization", "multipliers", "busy", "cycles", "interleaved")}
    for size in ROWS:
        count, many = MULTIPLIERS[name, size], blocks(name, size)
        value = {what: rows[f"{name}/{what}@{size}"].value for what in (
            "utilization", "multipliers", "busy", "cycles", "interleaved")}
        assert value["multipliers"] == count and value["cycles"] == cycles(bench, name, size)
        assert value["utilization"] == pytest.approx(many * size // 2 * 3 / (count * value["cycles"]))
        assert value["busy"] == pytest.approx(many * (3 * (size // 2) - 1) / (count * value["cycles"]))
        # three frames share the waits of one; no lane does more than a block a cycle
        assert many / ROWS[size] <= value["interleaved"] < value["cycles"]
        assert (3 * value["interleaved"]) % 1 == pytest.approx(0)
        judged = [rows[f"{name}/{what}@{size}"] for what in ("utilization", "multipliers")]
        expected = [(">= 0.9", False), (">= 120", False)] if name == "google-lstm" else [("", None)] * 2
        assert [(row.must, row.ok) for row in judged] == expected


@pytest.mark.parametrize("name", CELLS)
def test_work(small, bench, name):
    rows = rows_of(f"{name}/work", bench)
    published = {"google-lstm": {8: (864, 717120), 16: (466, 383984)}, "gru-1024": {8: (703,), 16: (449,)}}
    for size in ROWS:
        value = {row.name.split("/")[1][:-len(f"@{size}")]: row.value for row in rows.values()
                 if row.name.endswith(f"@{size}")}
        assert value.pop("work") == MULTIPLIERS[name, size] * cycles(bench, name, size)
        assert value.pop("multiplications") == blocks(name, size) * (3 * (size // 2) - 1)
        assert tuple(value.values()) == published[name][size]
    assert all(row.ok is None for row in rows.values())


@pytest.mark.parametrize("extra, clock, met", [(0, 100.0, (True, True)), (1, 100.0, (True, False)),
                                               (0, 1.0, (False, True))])
@pytest.mark.parametrize("name", CELLS)
def test_latency(small, bench, monkeypatch, name, extra, clock, met):
    """Latency and multipliers, each as wanted or not."""
    config = CONFIGS[name, 16]

    def synthesis(bench, engine, asked, **more):
        assert engine is circulant and asked is config
        assert more == {"seeds": (1, 2, 3), "out_of_context": False, "frequency": 100.0}
        return SimpleNamespace(median=clock, utilization={
            "TRELLIS_COMB": (1234, 83640), "MULT18X18D": (MULTIPLIERS[name, 16] + extra, 156)})

    monkeypatch.setattr(bench_circulant_networks, "synthesis", synthesis)
    rows = {key.removeprefix(f"{name}/"): row for key, row in rows_of(f"{name}/latency", bench).items()}
    assert rows["latency"].value == cycles(bench, name, 16) / clock
    limited = name == "google-lstm"
    assert rows["latency"].must == ("<= 35" if limited else "")
    assert rows["latency"].ok is (met[0] if limited else None)
    assert (rows["multipliers"].value, rows["multipliers"].ok) == (MULTIPLIERS[name, 16] + extra, met[1])
    assert (rows["comb"].value, rows["ff"].value, rows["fmax"].value) == (1234, 0, clock)
    single = 1e6 * clock / cycles(bench, name, 16)
    assert single < rows["interleaved-rate"].value <= 1e6 * clock / (blocks(name, 16) / ROWS[16])
    assert [rows[f"latency-{other}"].value for other in ("ese", "c-lstm", "e-rnn")] == [57.0, 9.1, 7.4]


@pytest.mark.parametrize("name", CELLS)
def test_different(small, bench, rtl, name):
    """A cycle too many is counted, and not met."""
    for rtl.slow, ok in ((0, True), (1, False)):
        rows = rows_of(f"{name}/different", bench)
        assert [(row.name, row.value, row.must, row.ok) for row in rows.values()] == [
            (f"{name}/different@{size}", rtl.slow, "= 0", ok) for size in ROWS]
    assert rtl.shapes == [(1, 4, INPUTS)] * 4


def test_noise(bench, monkeypatch):
    """The seed nearest to its bound, the mean of second halves, the greatest drift."""
    made = {0: Snr(first=50, second=49, step=60, bound=40, share=0.5),
            1: Snr(first=54, second=50, step=70, bound=65, share=0.5),
            2: Snr(first=40, second=48, step=55, bound=45, share=0.5)}
    asked = []

    def snr(config, cell, steps, seed):
        asked.append((config.vector_width, config.weight_width, cell, steps, seed))
        return made[seed] if config.vector_width == 12 else replace(made[seed], bound=66, first=45)

    monkeypatch.setattr(bench_circulant_sequences, "snr", snr)
    monkeypatch.setattr(bench_circulant_sequences, "CELLS", {"one": CELLS["gru-1024"]})
    rows = rows_of("snr", bench)
    assert asked == [(bits, bits, CELLS["gru-1024"], 100, seed) for bits in (12, 16) for seed in range(3)]
    assert [(row.name, row.value, row.must, row.ok) for row in rows.values()] == [
        ("snr/one@12", 70, ">= 65", True), ("snr/one@12/sequence", 49, "", None),
        ("snr/one@12/drift", 4, "<= 3", False),
        ("snr/one@16", 55, ">= 66", False), ("snr/one@16/sequence", 49, "", None),
        ("snr/one@16/drift", -3, "<= 3", True)]


def test_noise_of_a_cell(bench, monkeypatch):
    """Short sequences of a small cell keep what is derived for one step."""
    monkeypatch.setattr(bench_circulant_sequences, "CELLS", {"one": Gru(inputs=8, hidden=16)})
    monkeypatch.setattr(bench_circulant_sequences, "STEPS", 6)
    rows = rows_of("snr", bench)
    for bits in (12, 16):
        row = rows[f"snr/one@{bits}"]
        assert row.ok and 45 < row.value < 100 and 20 < float(row.must.removeprefix(">= ")) < row.value


LENGTHS = np.array([2, 1, 2, 3])
FLOAT = 0.92, 1.0


@pytest.fixture
def speech(monkeypatch):
    """Utterances of 1 to 3 frames and random networks of 4 classes, whose `said` is theirs one by one."""
    cell, rng = Gru(inputs=10, hidden=32), np.random.default_rng(0)
    x = rng.uniform(-4, 4, (len(LENGTHS), 3, cell.inputs))
    sequences, said, trained = Sequences(x, LENGTHS), {}, []
    configs = {size: CirculantConfig(block=size, rows=2) for size in (8, 16)}
    for seed, accuracy in enumerate(FLOAT):
        network = RecurrentNetwork.random([Layer(cell=cell)], 4, seed)
        trained.append(SimpleNamespace(accuracy=accuracy, compressed={
            size: compress(network, Options.of(size)) for size in configs}))
        for size, config in configs.items():
            prepared = circulant.Prepared(network=trained[-1].compressed[size].network, typical=sequences)
            program = circulant.encode(prepared, config)
            values = [circulant.golden(program, circulant.quantize(program, one[None, :length])).values
                      for one, length in zip(x, LENGTHS, strict=True)]
            said[seed, size] = [int(circulant.classes(program, one, prepared)[0]) for one in values]
    assert all(len(set(classes)) > 1 for classes in said.values())
    data = recipes.Split(sequences, np.zeros(len(x), int), sequences, np.array(said[0, 8]))
    monkeypatch.setattr(recipes, "spoken", lambda: data)
    monkeypatch.setattr(recipes, "train_spoken", lambda seed, data: trained[seed])
    monkeypatch.setattr(bench_circulant_sequences, "SPOKEN", configs)
    monkeypatch.setattr(bench_circulant_sequences, "SEEDS", tuple(range(len(FLOAT))))
    return said, data.test_y


def test_speech(speech, rtl, bench):
    """Utterances of one length run together; a cycle too many of each such run is counted."""
    said, labels = speech
    rtl.slow = 1
    rows = {name.removeprefix("speech/"): row for name, row in rows_of("speech", bench).items()}
    assert rtl.shapes == [(1, 1, 10), (2, 2, 10), (1, 3, 10)] * 4
    assert rows["float"].value == pytest.approx(96) and rows["float"].ok
    for size, most in ((8, 1), (16, 2)):
        right = 100 * np.mean([np.mean(said[seed, size] == labels) for seed in range(2)])
        assert rows[f"hardware@{size}"].value == pytest.approx(right)
        lost = rows[f"lost@{size}"]
        assert (lost.value, lost.must) == (pytest.approx(96 - right), f"<= {most}") and not lost.ok
    assert (rows["utterances"].value, rows["utterances"].ok) == (2 * 2 * len(LENGTHS), False)
    assert (rows["different"].value, rows["different"].ok) == (4 * 3, False)
