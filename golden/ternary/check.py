"""Whether a network is one that an engine computes exactly: shapes, ranges, widths."""

import numpy as np

from ..common.check import EncodeError, NetworkCheck, conv_shape, require
from ..common.intervals import dot_interval

__all__ = ["EncodeError", "conv_shape", "check_network"]


class _Check(NetworkCheck):
    def check_mode(self, layer):
        config, conv = self.config, layer.convolution
        require(config.convolution if conv else config.transposed,
                f"Engine must have the {'convolution' if conv else 'transposed'} mode for layer "
                f"'{layer.name}', not only the other")

    def check_weights(self, layer):
        where, weights = f"of layer '{layer.name}'", np.asarray(layer.weights)
        wanted = 4 if layer.convolution else 2
        require(weights.ndim == wanted and weights.size,
                f"Weights {where} must have {wanted} dimensions, none of them 0, not shape {weights.shape}")
        other = weights[~np.isin(weights, (-1, 0, 1))]
        require(not other.size, f"Weights {where} must be -1, 0 or 1, not {other[:1].tolist()}")

    def input_size(self, layer, shape):
        return shape[0] if layer.convolution else int(np.prod(shape))

    def check_width(self, layer, shape, low, high):
        # The interval holds every subset of the terms: any order of adding, and zeros of padding.
        half = 1 << self.config.acc_width - 1
        least, most = dot_interval(layer.weights, low, high)
        least, most = int(least.min()), int(most.max())
        require(-half <= least and most < half,
                f"Accumulator of layer '{layer.name}' must stay within {-half} .. {half - 1}, "
                f"{self.config.acc_width} bits, not {least} .. {most}")


def check_network(network, config):
    """Shapes behind every layer, a list of (C, H, W) or (M,).

    Raises EncodeError, a sentence that names the layer, where ``network`` is malformed or does not fit the
    widths and modes of ``config``.
    """
    return _Check(network, config).shapes()
