"""Measurements of the circulant engine on sequences: noise of integers, spoken digits."""

import numpy as np
from shiftwork.golden.circulant.cells import Gru, Lstm
from shiftwork.golden.circulant.config import CirculantConfig
from shiftwork.golden.circulant.noise import snr

from . import circulant
from .bench import at_least, at_most, exactly, reported
from .bench_tools import simulated

__all__ = ["ENTRIES"]

SEEDS = (0, 1, 2)
STEPS = 100     #: of a sequence whose noise is measured
DRIFT = 3.0     #: dB that the second half of a sequence may be noisier than the first
CELLS = {"lstm": Lstm(inputs=24, hidden=64),
         "lstm-projection": Lstm(inputs=24, hidden=64, projection=32, peephole=True),
         "gru-before": Gru(inputs=24, hidden=64), "gru-after": Gru(inputs=24, hidden=64, reset="after")}

SPOKEN = {8: CirculantConfig(block=8, rows=4, weight_depth=2048, state_depth=128),
          16: CirculantConfig(block=16, rows=4, weight_depth=1024, state_depth=128)}
"""Engines of the spoken digits' GRU."""
LOST = {8: 1.0, 16: 2.0}    #: points, by block size


def noise(bench):
    """Signal to noise of outputs: one step in integers against floats, above its bound; then no drift.

    Random networks, vectors and weights of 12 and of 16 bits; sequences of `STEPS` steps, seeds 0 to 2.
    """
    for bits in (12, 16):
        config = CirculantConfig(vector_width=bits, weight_width=bits, acc_width=44, sum_width=22)
        for name, cell in CELLS.items():
            bench.note(f"{name}, {bits} bits")
            found = [snr(config, cell, STEPS, seed) for seed in SEEDS]
            worst = min(found, key=lambda one: one.step - one.bound)
            yield at_least(f"snr/{name}@{bits}", f"dB, one step; worst of {len(SEEDS)} seeds", worst.step,
                           worst.bound)
            yield reported(f"snr/{name}@{bits}/sequence", f"dB, {STEPS} steps on its own, mean",
                           float(np.mean([one.second for one in found])))
            yield at_most(f"snr/{name}@{bits}/drift", "dB, second half noisier than the first, worst",
                          max(one.first - one.second for one in found), DRIFT)


def speech(bench):
    """Spoken digits: float, then blocks of 8 and 16 in 12 bits, all held-out utterances through the RTL."""
    from .recipes_circulant import spoken, train_spoken

    data, accuracies = spoken(), {"float": [], 8: [], 16: []}
    different, utterances = 0, 0
    for seed in SEEDS:
        bench.note(f"spoken digits, seed {seed}")
        trained = train_spoken(seed, data=data)
        accuracies["float"].append(trained.accuracy)
        for size, config in SPOKEN.items():
            prepared = circulant.Prepared(network=trained.compressed[size].network, typical=data.train)
            said, wrong = _spoken(bench, prepared, config, data.test)
            accuracies[size].append(float(np.mean(said == data.test_y)))
            different, utterances = different + wrong, utterances + len(said)
    mean = {name: 100 * float(np.mean(found)) for name, found in accuracies.items()}
    yield at_least("speech/float", f"percent, mean of {len(SEEDS)} seeds", mean["float"], 95)
    for size, most in LOST.items():
        yield reported(f"speech/hardware@{size}", "percent, mean of the seeds", mean[size])
        yield at_most(f"speech/lost@{size}", "points", mean["float"] - mean[size], most)
    yield at_least("speech/utterances", "through the compiled RTL", utterances, 100)
    yield exactly("speech/different", "values and cycles", different, 0)


def _spoken(bench, prepared, config, sequences):
    """(classes that the RTL's outputs name, values and cycles that differ from golden).

    Utterances of one length go through the engine together, as packets of that many steps.
    """
    said, different = np.zeros(len(sequences), np.int64), 0
    program = circulant.encode(prepared, config)
    for length in np.unique(sequences.lengths):
        chosen = np.flatnonzero(sequences.lengths == length)
        x = circulant.quantize(program, sequences.x[chosen, :length])
        _, found, wrong = simulated(bench, f"{len(chosen)} utterances", config, prepared, x, circulant)
        said[chosen] = circulant.classes(program, found.values, prepared)
        different += wrong
    return said, different


ENTRIES = {"snr": noise, "speech": speech}
