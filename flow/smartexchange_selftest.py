"""A small network with random factors for a SmartExchange engine that comes without one."""

import numpy as np
from shiftwork.golden.smartexchange.encode import encode
from shiftwork.golden.smartexchange.layers import ConvLayer, DenseLayer, SmartExchangeNetwork

from .errors import FlowError

__all__ = ["selftest"]


def selftest(config):
    """Integers of the first of some small networks that fits an engine of ``config``, factors from a fixed
    seed.
    """
    rows, columns, taps = config.grid_rows, config.grid_columns, min(config.taps, 3)
    refusal = None
    for shape, filters, pooled, outputs in (
        ((2, 2 * rows, 2 * columns), 4, True, 5),
        ((1, rows, columns), 2, False, 5),
        ((1, rows, columns), 1, False, None),
    ):
        network = _random_network(shape, filters, pooled, outputs, taps, np.random.default_rng(1))
        try:
            encode(network, config)
            return network
        except ValueError as error:
            refusal = refusal or error
    raise FlowError(f"Memories must be large enough for one small network, not smaller ({refusal})")


def _random_network(shape, filters, pooled, outputs, taps, rng):
    """A convolution of 3 x ``taps`` kernels and, if there are ``outputs``, a fully connected layer."""
    channels, height, width = shape
    pool = (2, 2) if pooled else (1, 1)
    last = outputs is None
    conv = ConvLayer(
        name="conv1", kernel_rows=3, pads=(1, taps // 2, 1, (taps - 1) // 2), pool=pool, pool_stride=pool,
        **_numbers(filters, 3 * channels, taps, last, rng))
    layers = [conv]
    if not last:
        inputs = filters * (height // pool[0]) * (width // pool[1])
        layers.append(DenseLayer(name="dense2", **_numbers(outputs, inputs, 1, True, rng)))
    return SmartExchangeNetwork(input_shape=shape, input_scale=1.0, output_scale=1.0, layers=tuple(layers))


def _numbers(filters, rows, taps, last, rng):
    """Factors in one slice, half of the coefficients zero; outputs of all but the last layer are 0 .. 255."""
    shape = filters, rows, taps
    return dict(
        signs=(rng.choice([-1, 1], shape) * (rng.random(shape) < 0.5)).astype(np.int8),
        exponents=rng.integers(0, 5, shape).astype(np.int8),
        bounds=(0, rows),
        basis=rng.integers(-127, 128, (filters, 1, taps, taps)).astype(np.int8),
        bias=rng.integers(-1000, 1000, filters),
        scale=rng.integers(500, 1000, filters),
        shift=rng.integers(18, 22, filters),
        low=-32768 if last else 0,
        high=32767 if last else 255,
        input_signed=False,
    )
