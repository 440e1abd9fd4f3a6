"""Features of sound: log energies in mel bands, or their cepstrum, and differences over time."""

from dataclasses import dataclass

import numpy as np

__all__ = ["FrontEnd", "cosine_transform", "deltas", "mel_bank"]


def _mel(hertz):
    return 2595 * np.log10(1 + np.asarray(hertz) / 700)


def mel_bank(bands, transform, rate, low, high):
    """Weights (bands, transform / 2 + 1) of the bins of a power spectrum: triangles of height 1.

    Band j rises from edge j to edge j + 1 and falls to edge j + 2; the bands + 2 edges stand in equal
    distances of m(f) = 2595 log10(1 + f / 700) from ``low`` to ``high`` hertz. A bin's weight is its
    triangle's height at the bin's frequency.
    """
    edges = 700 * (10 ** (np.linspace(_mel(low), _mel(high), bands + 2) / 2595) - 1)
    bins = np.arange(transform // 2 + 1) * rate / transform
    left, top, right = (edges[n:n + bands, None] for n in range(3))
    return np.maximum(0, np.minimum((bins - left) / (top - left), (right - bins) / (right - top)))


def cosine_transform(x, count):
    """The first ``count`` of the orthonormal cosine transform (type II) along the last axis (n entries).

        y[k] = s[k] * sum over i of x[i] cos(pi k (2 i + 1) / (2 n)),  s[0] = sqrt(1 / n), else sqrt(2 / n)
    """
    n = x.shape[-1]
    basis = np.cos(np.pi / (2 * n) * np.outer(2 * np.arange(n) + 1, np.arange(count))) * np.sqrt(2 / n)
    basis[:, 0] /= np.sqrt(2)
    return x @ basis


def deltas(x, reach=2):
    """Slopes over time of ``x`` (T, entries): sum of n (x[t+n] - x[t-n]) / (2 * sum of n^2), n = 1 .. reach.

    The first and the last frame stand for what lies beyond them.
    """
    steps, frames = range(1, reach + 1), np.arange(len(x))
    rise = sum(n * (x[np.minimum(frames + n, len(x) - 1)] - x[np.maximum(frames - n, 0)]) for n in steps)
    return rise / (2 * sum(n * n for n in steps))


@dataclass(frozen=True, kw_only=True)
class FrontEnd:
    """From samples to frames of features.

        frame t = samples t * hop to t * hop + window - 1, times a Hann window, padded with zeros
        e[t] = log(floor + mel_bank |FFT(frame t)|^2)
        entries: e, or the first ``cepstrum`` of its cosine transform, then as often as ``differences`` says
        the slopes over time of what came last

    Samples are fractions of full scale, -1 to 1.
    """

    rate: int = 8000            #: samples a second
    window: int = 256           #: samples of a frame
    hop: int = 160              #: samples from one frame to the next
    bands: int = 32
    low: float = 50.0           #: hertz
    high: float = 4000.0
    floor: float = 1e-4
    cepstrum: int | None = None
    differences: int = 0        #: 0, 1 (slopes) or 2 (slopes of slopes too)

    def __post_init__(self):
        for name in ("rate", "window", "hop", "bands"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if not 0 <= self.low < self.high <= self.rate / 2:
            raise ValueError(f"low and high must be from 0 to half the rate, {self.rate / 2:g}, "
                             f"not {self.low:g} and {self.high:g}")
        if self.cepstrum is not None and not 1 <= self.cepstrum <= self.bands:
            raise ValueError(f"cepstrum must be from 1 to {self.bands}, the bands, not {self.cepstrum}")
        if self.differences not in (0, 1, 2):
            raise ValueError(f"differences must be 0, 1 or 2, not {self.differences}")
        if not self.floor > 0:
            raise ValueError(f"floor must be positive, not {self.floor}")

    @property
    def transform(self):
        """Points of the Fourier transform: the next power of two."""
        return 1 << (self.window - 1).bit_length()

    @property
    def entries(self):
        """Entries of a frame."""
        return (self.cepstrum or self.bands) * (1 + self.differences)

    def frames(self, samples):
        """How many frames ``samples`` have: only whole ones, but at least one."""
        return max((samples - self.window) // self.hop + 1, 1)

    def features(self, samples):
        """Features (T, entries), float32, of ``samples`` (n,); fewer than a frame are padded with zeros."""
        count = self.frames(len(samples))
        padded = np.pad(np.asarray(samples, np.float64), (0, max(self.window - len(samples), 0)))
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.window)[::self.hop][:count]
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.window) / self.window)
        power = np.abs(np.fft.rfft(frames * hann, self.transform)) ** 2
        bank = mel_bank(self.bands, self.transform, self.rate, self.low, self.high)
        parts = [np.log(self.floor + power @ bank.T)]
        if self.cepstrum:
            parts = [cosine_transform(parts[0], self.cepstrum)]
        for _ in range(self.differences):
            parts.append(deltas(parts[-1]))
        return np.concatenate(parts, axis=1).astype(np.float32)
