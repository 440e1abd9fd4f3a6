"""Measurements of the circulant engine on whole networks of the literature: cycles, clock, latency."""

from dataclasses import replace
from functools import partial

import numpy as np
from shiftwork.golden.circulant.cells import Gru, Lstm
from shiftwork.golden.circulant.compress import Options, compress
from shiftwork.golden.circulant.config import PRESETS, CirculantConfig
from shiftwork.golden.circulant.encode import encode
from shiftwork.golden.circulant.layers import Layer
from shiftwork.golden.circulant.lower import lower
from shiftwork.golden.circulant.network import RecurrentNetwork, Sequences
from shiftwork.golden.circulant.timing import multiplications, multipliers, predict

from . import circulant
from .bench import at_least, at_most, exactly, reported
from .bench_tools import RESOURCES, SEEDS, simulated, synthesis, used

__all__ = ["CELLS", "CONFIGS", "ENTRIES"]

CELLS = {"google-lstm": Lstm(inputs=153, hidden=1024, projection=512, peephole=True),
         "gru-1024": Gru(inputs=153, hidden=1024)}
"""The LSTM of ESE, C-LSTM and E-RNN, and E-RNN's GRU, one layer each."""

_COMMON = {"phase_depth": 8, "state_depth": 512, "output_depth": 512, "sum_width": 20}
CONFIGS = {
    ("google-lstm", 16): PRESETS["google-lstm"],
    ("google-lstm", 8): CirculantConfig(block=8, rows=11, weight_depth=5120, row_depth=1024,
                                        coefficient_depth=2560, spectrum_depth=512, **_COMMON),
    ("gru-1024", 16): CirculantConfig(block=16, rows=5, weight_depth=3072, row_depth=512, peepholes=False,
                                      cell_tanh=False, coefficient_depth=2048, spectrum_depth=512, **_COMMON),
    ("gru-1024", 8): CirculantConfig(block=8, rows=11, weight_depth=5632, row_depth=1024, peepholes=False,
                                     cell_tanh=False, coefficient_depth=2048, spectrum_depth=1024, **_COMMON),
}
"""By cell and block size: engines of 119 to 127 multipliers that hold one sequence."""

INTERLEAVED = 3     #: sequences side by side, as many as C-LSTM and E-RNN have frames under way
FREQUENCY = 100.0   #: MHz that placement strives for
STEPS = 4           #: of the sequence that the compiled RTL runs
E_RNN = {("google-lstm", 16): (466, 824), ("google-lstm", 8): (864, 830), ("gru-1024", 16): (449, None),
         ("gru-1024", 8): (703, None)}
"""Cycles from frame to frame at 200 MHz on the XCKU060, from its frames per second, and what must be
multiplied in one of them."""
LATENCIES = {"ESE": 57.0, "C-LSTM": 9.1, "E-RNN": 7.4}
"""Microseconds; on the XCKU060, Virtex-7 690T and XCKU060, blocks of 16."""


def _prepared(bench, name, size):
    """The cell with random weights and inputs, on its way to integers."""
    def make():
        network = compress(RecurrentNetwork.random([Layer(cell=CELLS[name])], 10), Options.of(size)).network
        x = np.random.default_rng(0).uniform(-1, 1, (1, STEPS, CELLS[name].inputs))
        return circulant.Prepared(network=network, typical=Sequences(x, np.array([STEPS])))

    return bench.once(("prepared", name, size), make)


def _program(bench, name, size):
    return bench.once(("program", name, size),
                      lambda: circulant.encode(_prepared(bench, name, size), CONFIGS[name, size]))


def _interleaved(bench, name, size):
    """Cycles of a frame where `INTERLEAVED` sequences take turns, on memories that hold them."""
    config = CONFIGS[name, size]
    wide = replace(config, spectrum_depth=4 * config.spectrum_depth, row_depth=4 * config.row_depth,
                   state_depth=4 * config.state_depth, output_depth=4 * config.output_depth, phase_depth=32)
    network = _prepared(bench, name, size).network
    return predict(encode(lower(network, wide), wide, sequences=INTERLEAVED)).step_cycles / INTERLEAVED


def utilization(name, least, bench):
    """Cycles of a frame, single stream, from its input's being there until its output is transformed.

        utilization = complex slots (k / 2 of a block) * 3 / (multipliers * cycles)

    A slot of two real bins takes 2 multiplications, the others 3: ``busy`` counts these.
    """
    for size in (8, 16):
        program = _program(bench, name, size)
        count, cycles = multipliers(program.config), predict(program).step_cycles
        work = multiplications(program)
        slots = work * (size // 2) // (3 * (size // 2) - 1)
        share = 3 * slots / (count * cycles)
        for what, unit, value, bound in (("utilization", "of the multipliers' cycles", share, least),
                                         ("multipliers", "MULT18X18D", count, least and 120)):
            row = f"{name}/{what}@{size}", unit, value
            yield at_least(*row, bound) if bound else reported(*row)
        yield reported(f"{name}/busy@{size}", "of the multipliers' cycles", work / (count * cycles))
        yield reported(f"{name}/cycles@{size}", "cycles a frame, single stream", cycles)
        yield reported(f"{name}/interleaved@{size}", f"cycles a frame, {INTERLEAVED} sequences",
                       _interleaved(bench, name, size))


def work(name, bench):
    """Cycles times multipliers of a frame, beside E-RNN's cycles from frame to frame."""
    for size in (8, 16):
        program = _program(bench, name, size)
        product = multipliers(program.config) * predict(program).step_cycles
        yield reported(f"{name}/work@{size}", "cycles x multipliers a frame", product)
        yield reported(f"{name}/multiplications@{size}", "a frame", multiplications(program))
        cycles, multiplied = E_RNN[name, size]
        yield reported(f"{name}/e-rnn-cycles@{size}", "cycles a frame at 200 MHz", cycles)
        if multiplied:
            yield reported(f"{name}/e-rnn-work@{size}", "cycles x multiplications in one of them",
                           cycles * multiplied)


def latency(name, most, bench):
    """The engine of blocks of 16, all weights on the chip, placed and routed; its latency, single stream.

    Ports are on pins of the largest package, as nextpnr chooses.
    """
    config = CONFIGS[name, 16]
    program = _program(bench, name, 16)
    cycles = predict(program).step_cycles
    made = synthesis(bench, circulant, config, seeds=SEEDS, out_of_context=False, frequency=FREQUENCY)
    found = cycles / made.median
    yield (at_most(f"{name}/latency", "us, single stream", found, most) if most else
           reported(f"{name}/latency", "us, single stream", found))
    yield reported(f"{name}/fmax", "MHz, ECP5 speed 6, median of seeds 1-3", made.median)
    yield reported(f"{name}/interleaved-rate", f"frames a second, {INTERLEAVED} sequences",
                   1e6 * made.median / _interleaved(bench, name, 16))
    for resource, key in RESOURCES.items():
        if resource != "multipliers":
            yield reported(f"{name}/{resource}", key, used(made, key))
    yield exactly(f"{name}/multipliers", "MULT18X18D, those of the cycles' rows",
                  used(made, RESOURCES["multipliers"]), multipliers(config))
    for other, microseconds in LATENCIES.items():
        yield reported(f"{name}/latency-{other.lower()}", "us, as published", microseconds)


def different(name, bench):
    """A sequence through the compiled RTL, every value and cycle compared with golden."""
    rng = np.random.default_rng(0)
    for size in (8, 16):
        config = CONFIGS[name, size]
        limit = 1 << config.vector_width - 1
        x = rng.integers(-limit, limit, (1, STEPS, CELLS[name].inputs))
        _, _, wrong = simulated(bench, f"{name}, blocks of {size}", config, _prepared(bench, name, size), x,
                                circulant)
        yield exactly(f"{name}/different@{size}", "values and cycles", wrong, 0)


ENTRIES = {f"{name}/{what}": partial(entry, name, *more) for name, least, most in
           (("google-lstm", 0.9, 35), ("gru-1024", None, None)) for what, entry, more in
           (("utilization", utilization, (least,)), ("work", work, ()), ("latency", latency, (most,)),
            ("different", different, ()))}
