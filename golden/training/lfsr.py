"""Random numbers of the stochastic rounding: linear feedback shift registers, one for each lane."""

import math

import numpy as np

from .config import RANDOM_BITS

__all__ = ["LAGS", "STATE_BITS", "RandomLanes", "jump", "seed_state"]

STATE_BITS = 32
LAGS = (32, 30, 26, 25)
"""Bits are sums of these: the primitive polynomial x^32 + x^7 + x^6 + x^2 + 1."""

_MASK = (1 << STATE_BITS) - 1


def _step(states):
    """Next states: 16 new bits each. Every lag is at least 16, so that none depends on another new bit."""
    new = np.zeros_like(states)
    for lag in LAGS:
        new ^= states >> np.uint64(STATE_BITS - lag)
    return states >> np.uint64(RANDOM_BITS) | (new & np.uint64(0xFFFF)) << np.uint64(STATE_BITS - RANDOM_BITS)


def seed_state(seed):
    """State of lane 0 for ``seed`` 0 .. 2 ** 31 - 1: 0x9E3779B9 (2 seed + 1) mod 2 ** 32.

    Odd times odd: never 0, and different for different seeds. Raises ValueError for another seed.
    """
    if not 0 <= seed < 1 << 31:
        raise ValueError(f"seed must be between 0 and {(1 << 31) - 1}, not {seed!r}")
    return 0x9E3779B9 * (2 * seed + 1) & _MASK


def _product(columns, vectors):
    """Matrix (as its columns, integers) times each of ``vectors``, over GF(2)."""
    found = []
    for vector in vectors:
        result = 0
        for n, column in enumerate(columns):
            result ^= column if vector >> n & 1 else 0
        found.append(result)
    return found


def jump(state, words):
    """The state ``words`` words after ``state``, by squaring the step's matrix."""
    columns = [int(word) for word in _step(np.uint64(1) << np.arange(STATE_BITS, dtype=np.uint64))]
    while words:
        if words & 1:
            state, = _product(columns, [state])
        columns, words = _product(columns, columns), words >> 1
    return state


class RandomLanes:
    """``lanes`` registers of 32 bits; numbers of 16 bits, those of filter f from lane f mod ``lanes``.

    Bit 0 of a state is the oldest bit. One step of a lane computes the next 16 bits of its sequence,

        b[n] = b[n - 32] ^ b[n - 30] ^ b[n - 26] ^ b[n - 25],

    a look-up table of four inputs for each; they are the number, the oldest its bit 0. A lane's numbers
    repeat after 2 ** 32 - 1. Lane l begins l * ((2 ** 32 - 1) // lanes) numbers behind lane 0, so that no two
    lanes come across the same part before that many steps.

    One step of all lanes is for ``lanes`` filters of one column; `tiles`, `errors` and `biases` have the
    order. A unit with a divisor of ``lanes`` as its width keeps the states in turn.
    """

    def __init__(self, seed, lanes):
        spacing = _MASK // lanes
        first = seed_state(seed)
        self.states = np.array([jump(first, lane * spacing) for lane in range(lanes)], np.uint64)

    def tiles(self, shape, block):
        """Numbers for a weight of ``shape`` (M, C, R, S) in tiles of ``block`` filters by ``block`` channels.

        Steps go tile by tile: tile of filters, tile of channels, tap (row by row); in a tile, of each
        ``lanes`` of its filters one channel after the other. What fills the last tiles up draws numbers, too.
        int64, of ``shape``.
        """
        (filters, channels, *taps), lanes = shape, len(self.states)
        rows, columns, taps = -(-filters // block), -(-channels // block), math.prod(taps)
        drawn = self.numbers(rows * columns * taps * block * block // lanes)
        tiles = drawn.reshape(rows, columns, taps, block // lanes, block, lanes)
        whole = tiles.transpose(0, 3, 5, 1, 4, 2).reshape(rows * block, columns * block, taps)
        return whole[:filters, :channels].reshape(shape)

    def errors(self, shape, block):
        """Numbers for an error of ``shape`` (M, H, W, N) or (M, N) in tiles of ``block`` filters by images.

        Steps go tile of filters, pixel (row by row), tile of images; in a tile, of each ``lanes`` of its
        filters one image after the other. What fills the last tiles up draws numbers, too. int64, of
        ``shape``.
        """
        (filters, *pixels, images), lanes = shape, len(self.states)
        rows, columns, pixels = -(-filters // block), -(-images // block), math.prod(pixels)
        drawn = self.numbers(rows * pixels * columns * block * block // lanes)
        tiles = drawn.reshape(rows, pixels, columns, block // lanes, block, lanes)
        whole = tiles.transpose(0, 3, 5, 1, 2, 4).reshape(rows * block, pixels, columns * block)
        return whole[:filters, :, :images].reshape(shape)

    def biases(self, count, block):
        """Numbers for a bias (``count``,): ``lanes`` filters a step, to whole tiles of ``block``; int64."""
        return self.numbers(-(-count // block) * block // len(self.states)).reshape(-1)[:count]

    def numbers(self, steps):
        """The numbers of ``steps`` steps of all lanes, int64 (steps, lanes)."""
        lanes = len(self.states)
        words = np.zeros((max(steps, STATE_BITS), lanes), np.uint16)
        states = self.states
        for n in range(min(steps, STATE_BITS)):
            states = _step(states)
            words[n] = states >> np.uint64(STATE_BITS - RANDOM_BITS)
        # Squared four times, the polynomial relates words as it relates bits: 25 of them can be had at once.
        for n in range(STATE_BITS, steps, LAGS[-1]):
            stop = min(n + LAGS[-1], steps)
            for lag in LAGS:
                words[n:stop] ^= words[n - lag:stop - lag]
        if steps > STATE_BITS:
            older, newer = words[steps - 2:].astype(np.uint64)
            states = older | newer << np.uint64(RANDOM_BITS)
        self.states = states
        return words[:steps].astype(np.int64)
