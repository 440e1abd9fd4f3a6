"""What turns gradients into steps: Adam, the cosine learning rate, and shifted images."""

import math

import numpy as np

__all__ = ["Adam", "cosine_rate", "shift_images"]


class Adam:
    """Adam, in place on a dictionary of arrays, with decoupled weight decay on those of rank 2 and more.

        m = b1*m + (1-b1)*g    v = b2*v + (1-b2)*g^2
        w -= rate * (m / (1-b1^t) / (sqrt(v / (1-b2^t)) + 1e-8) + decay * w)
    """

    def __init__(self, decay=0.0, b1=0.9, b2=0.999):
        self.decay, self.b1, self.b2 = decay, b1, b2
        self._steps, self._moments = 0, {}

    def step(self, arrays, gradients, rate):
        self._steps += 1
        scale = rate * math.sqrt(1 - self.b2 ** self._steps) / (1 - self.b1 ** self._steps)
        floor = 1e-8 * math.sqrt(1 - self.b2 ** self._steps)
        for name, gradient in gradients.items():
            weight = arrays[name]
            m, v = self._moments.setdefault(name, (np.zeros_like(weight), np.zeros_like(weight)))
            m += (1 - self.b1) * (gradient - m)
            v += (1 - self.b2) * (gradient * gradient - v)
            if self.decay and weight.ndim > 1:
                weight -= rate * self.decay * weight
            weight -= scale * m / (np.sqrt(v) + floor)


def cosine_rate(rate, step, steps, floor=0.01):
    """``rate`` at step 0, falling along half a cosine to ``floor * rate`` at ``steps``."""
    return rate * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * step / steps)))


def shift_images(x, most, rng):
    """Each image of ``x`` (N, C, H, W) moved by -most..most rows and columns, uniform from ``rng``."""
    padded = np.pad(x, ((0, 0), (0, 0), (most, most), (most, most)))
    height, width = x.shape[2:]
    offsets = rng.integers(0, 2 * most + 1, (len(x), 2))
    return np.stack([image[:, r:r + height, s:s + width]
                     for image, (r, s) in zip(padded, offsets, strict=True)])
