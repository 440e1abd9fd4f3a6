"""Bits that a batch moves, counted again while the interpreter moves them."""

import dataclasses

import numpy as np
import pytest
from shiftwork.golden.ternary.column_array import ColumnArray
from shiftwork.golden.ternary.descriptor import Destination, Kind
from shiftwork.golden.ternary.encode import Order, encode
from shiftwork.golden.ternary.interpreter import Machine
from shiftwork.golden.ternary.traffic import Traffic, batch_traffic, program_traffic

from .networks import CONFIGS, random_input, random_network


class Store:
    """`ColumnArray.store`, and how many places of its memories it has written."""

    def __init__(self, store):
        self.store, self.counts = store, {Destination.ROWS: 0, Destination.VECTOR: 0}

    def __call__(self, array, d, values):
        memory = array.rows if d.destination is Destination.ROWS else array.vector
        found = []
        for before in (0, 255):
            memory[:] = before
            self.store(array, d, values)
            found.append(memory.copy())
        self.counts[d.destination] += int(np.count_nonzero(found[0] == found[1]))


def ran(monkeypatch, config, layers, seed, order=Order.ASCENDING):
    rng = np.random.default_rng([seed, *layers])
    network = random_network(rng, *layers)
    images = None if layers[0] else 2 * config.arrays
    program, machine = encode(network, config, order=order, images=images), Machine(config)
    machine.load(program.to_words())
    store = Store(ColumnArray.store)
    monkeypatch.setattr(ColumnArray, "store", lambda array, d, values: store(array, d, values))
    beats = program.pack_input(random_input(rng, network, images or config.batch))
    return program, machine, beats, machine.run(beats), store.counts


@pytest.mark.parametrize("seed, layers, arrays", [
    (1, (1, 0), 1), (2, (2, 0), 3), (3, (2, 2), 1), (4, (1, 2), 2), (5, (0, 2), 3)])
@pytest.mark.parametrize("name", ["tiny", "grid8x8"])
def test_batches(monkeypatch, seed, layers, arrays, name):
    config = dataclasses.replace(CONFIGS[name], arrays=arrays)
    program, machine, beats, out, written = ran(monkeypatch, config, layers, seed, list(Order)[seed % 2])
    found = batch_traffic(machine.layers, config)
    a, lanes = config.activation_width, config.all_lanes
    assert found.input == beats.size * a and found.output == out.size * 16
    assert found.rows_written == written[Destination.ROWS] * a
    assert found.vectors_written == written[Destination.VECTOR] * a + written[Destination.VECTOR] // arrays

    expected, entries = dict.fromkeys(vars(Traffic()), 0), 1
    for number, *_, bitmaps in machine.dot_products():
        d, terms = machine.layers[number].descriptor, int(bitmaps.sum())
        conv = d.kind is Kind.CONV
        expected["weights_read"] += 2 * config.lanes * (len(bitmaps) if conv else terms)
        expected["rows_read"] += terms * lanes * a * conv
        expected["vectors_read"] += 0 if conv else bitmaps.size + terms * arrays * config.drain_width * a
        expected["accumulators_read"] += terms * lanes * config.acc_width
        expected["snapshots_written"] += lanes * config.acc_width
    for run in machine.layers:
        d, entries = run.descriptor, entries + 16
        if d.kind is Kind.CONV:
            dots = int(np.prod(run.loops))
            entries += dots
            expected["snapshots_read"] += dots * lanes * config.acc_width
        elif d.kind is Kind.DENSE:
            entries += d.outputs * d.m_count
            expected["snapshots_read"] += d.outputs * d.m_count * arrays * config.acc_width
    expected["accumulators_written"] = expected["accumulators_read"]
    expected["table_read"] = entries * config.table_width
    for name_of in ("table_read", "weights_read", "rows_read", "vectors_read", "accumulators_read",
                    "accumulators_written", "snapshots_read", "snapshots_written"):
        assert getattr(found, name_of) == expected[name_of], name_of
    assert found.program == found.table_written == found.weights_written == 0
    assert found.external == found.input + found.output
    assert found.external + found.internal == sum(dataclasses.astuple(found))


def test_program(monkeypatch):
    config = CONFIGS["tiny"]
    program, machine, *_ = ran(monkeypatch, config, (2, 0), 1)
    table, weights = program.sections
    assert program_traffic(program) == Traffic(
        program=32 * len(program.to_words()), table_written=len(table.words) * config.table_width,
        weights_written=len(weights.words) * 16)


def test_traffics_add_and_multiply():
    one, other = Traffic(input=3, rows_read=5), Traffic(input=1, output=2)
    assert (one + other) * 3 == Traffic(input=12, output=6, rows_read=15)


def test_bit_serial_engines_have_no_words():
    with pytest.raises(ValueError, match="bit_serial must be False where words are counted, not True"):
        batch_traffic((), dataclasses.replace(CONFIGS["tiny"], bit_serial=True))
