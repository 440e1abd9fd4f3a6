"""The real Fourier transform in integers: its parameters, bins, factors, and the order of its values.

Specification: docs/engines/circulant-transform.md.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .matrix import BLOCK_SIZES

__all__ = ["MOST_CONSTANTS", "Swap", "TransformConfig", "bins", "digits", "latency", "schedule"]

MOST_CONSTANTS = 3
"""Different constants of a rotation up to which products are shifts and additions, not multipliers."""


@dataclass(frozen=True, kw_only=True)
class TransformConfig:
    """A transform of blocks of ``size`` reals (forward), or to such blocks (inverse).

    ``width``: bits of each number that goes in, two's complement. ``factor_bits``: T; cosines and sines are
    multiples of 2 ** -T. ``shifts``: of each stage, in the order of execution, whether its results are
    halved; without it none of a forward transform's is and all of an inverse one's are, so that
    inverse(forward(x)) is about x.

    Raises ValueError for what is none of these.
    """

    size: int
    width: int = 16
    factor_bits: int = 12
    inverse: bool = False
    shifts: tuple[int, ...] | None = None

    def __post_init__(self):
        if self.size not in BLOCK_SIZES:
            raise ValueError(f"block size must be one of {', '.join(map(str, BLOCK_SIZES))}, "
                             f"not {self.size!r}")
        if not 2 <= self.width <= 32:
            raise ValueError(f"width must be between 2 and 32, not {self.width!r}")
        if not 4 <= self.factor_bits <= 16:
            raise ValueError(f"factor_bits must be between 4 and 16, not {self.factor_bits!r}")
        if self.shifts is None:
            object.__setattr__(self, "shifts", (int(self.inverse),) * self.stages)
        if len(self.shifts) != self.stages or not set(self.shifts) <= {0, 1}:
            raise ValueError(f"shifts must be {self.stages} numbers, each 0 or 1, not {self.shifts!r}")

    @property
    def stages(self):
        """log2 of the size."""
        return self.size.bit_length() - 1

    @property
    def cycles(self):
        """h, cycles of a block, two numbers each."""
        return self.size // 2

    @cached_property
    def spans(self):
        """M of each stage, in the order of execution: 2, 4, ..., k, of the inverse transform k, ..., 2."""
        spans = [2 << n for n in range(self.stages)]
        return tuple(spans[::-1] if self.inverse else spans)

    def factors(self, span):
        """(c, s) of slots 1, 2, ... of span / 2: of exp(-+ 2 pi i g / span), int arrays, c >= 0.

            c = round(2 ** T cos(2 pi g / span)),  s = round(2 ** T sin(2 pi g / span)), negated if inverse
        """
        angles = 2 * np.pi * np.array(bins(span)[2::2]) / span
        sign = -1 if self.inverse else 1
        parts = np.cos(angles), sign * np.sin(angles)
        return tuple(np.floor(part * 2 ** self.factor_bits + 0.5).astype(np.int64) for part in parts)


def bins(span):
    """The bins f of slots 0 .. span / 2 - 1; slot 0 holds bins 0 and span / 2, which are real.

    Of f and span - f, whose values are conjugate, one has a slot. From those of m = span / 2: slot 1 has bin
    m / 2; slots 2 q and 2 q + 1 have the two bins that slot q contributes to, first that with cos >= 0.
    """
    if span == 2:
        return [0]
    half = span // 2
    near = [f if f < half / 2 else f + half for f in bins(half)[1:]]
    return [0, half // 2, *(b for g in near for b in (g, (g + half) % span))]


def digits(value):
    """Canonical signed digits of ``value`` > 0, lowest first: [(exponent, 1 or -1), ...].

        value = sum of sign * 2 ** exponent,  no two exponents next to each other
    """
    found, exponent = [], 0
    while value:
        if value & 1:
            found.append((exponent, sign := 2 - (value & 3)))
            value -= sign
        value >>= 1
        exponent += 1
    return found


@dataclass(frozen=True)
class Swap:
    """Values change lines: in each cycle t of ``crossed``, the upper one with the lower of t - distance.

    Of a block's values v[t][line]: v[t][0] and v[t - distance][1] change places.
    """

    distance: int
    crossed: tuple[bool, ...]

    def __call__(self, values):
        """``values`` (h, 2, ...) after it."""
        found = np.copy(values)
        for t in np.flatnonzero(self.crossed):
            found[t, 0], found[t - self.distance, 1] = values[t - self.distance, 1], values[t, 0]
        return found


@dataclass(frozen=True)
class Step:
    """A stage of `schedule`: ``swaps`` that the forward transform has before it, the inverse one behind it.

    ``labels`` (h, 2, 3): (j, slot, part) of what stands at the butterfly's lines, of spectra of span / 2;
    ``results``: of what the butterfly makes of them, of spectra of ``span``. Imaginary parts stand
    ``distance`` cycles behind their real parts.
    """

    span: int
    swaps: tuple[Swap, ...]
    distance: int
    labels: np.ndarray
    results: np.ndarray


def schedule(size):
    """The forward transform's stages, a list of `Step`, span 2 first.

    j is the number of a spectrum, that of the samples n with n = j modulo size / span; part 0 is the real
    part, 1 the imaginary one; of slot 0 they are the first bin and the middle one.
    """
    cycles, stages = size // 2, size.bit_length() - 1
    labels = np.zeros((cycles, 2, 3), np.int64)
    labels[..., 0] = np.arange(size).reshape(cycles, 2)
    steps = []
    for stage in range(1, stages + 1):
        swaps, distance = [], 1
        if stage >= 4:
            # Slots from 2 on have their parts one behind the other: put them side by side.
            old = labels[:, 0, 1] >= 2
            swaps.append(_swap(size >> stage, old))
        if stages > 1:
            distance = size >> (stage + 1) if stage < stages else size // 4
            swaps.append(_swap(distance, np.ones(cycles, bool)))
        for swap in swaps:
            labels = swap(labels)
        results = _results(labels, size >> stage)
        steps.append(Step(2 ** stage, tuple(swaps), distance, labels, results))
        labels = results
    return steps


def _swap(distance, where):
    late = np.arange(len(where)) & distance != 0
    return Swap(distance, tuple(bool(crossed) for crossed in late & where))


def _results(labels, count):
    """What a butterfly makes of the values at its lines, ``count`` spectra being left."""
    results = np.array(labels)
    for (j, slot, part), pair in zip(labels[:, 0], results, strict=True):
        if slot:
            pair[:] = (j, 2 * slot, part), (j, 2 * slot + 1, part)
        else:
            pair[:] = (j, part, 0), (j, part, 1)
    assert results[..., 0].max() < count
    return results


def latency(config):
    """Cycles from a block's first pair to its first pair of results.

    Of each stage: the distances of its swaps, 2 for the butterfly, and for a rotation its distance, 1, and

        span 8:          digits of its one constant
        up to `MOST_CONSTANTS` constants: digits of the one that has most
        more:            2
    """
    found = 0
    for step in schedule(config.size):
        found += 2 + sum(swap.distance for swap in step.swaps)
        if step.span >= 8:
            factors = {int(abs(f)) for part in config.factors(step.span) for f in part}
            constants = factors - {0, 1 << config.factor_bits}
            multiplied = len(constants) > MOST_CONSTANTS
            found += step.distance + 1 + (2 if multiplied else max(len(digits(f)) for f in constants))
    return found
