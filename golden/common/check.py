"""Whether a network is one that an engine of column arrays computes exactly: shapes, ranges, numbers."""

import numpy as np

from .activations import output_range

__all__ = ["EncodeError", "NetworkCheck", "conv_shape", "require"]


class EncodeError(ValueError):
    """A network that does not fit the engine, or is none; one sentence says why."""


def require(condition, message):
    """Raises EncodeError with ``message`` where ``condition`` does not hold."""
    if not condition:
        raise EncodeError(message)


def conv_shape(layer, shape):
    """Sizes (height, width) of a convolution's map before and after pooling, for an input (C, H, W).

    size = (H + top + bottom - R) // stride + 1, pooled = (size - window) // pool_stride + 1; widths alike
    """
    def slide(sizes, window, stride):
        return tuple((n - k) // s + 1 for n, k, s in zip(sizes, window, stride, strict=True))

    size = slide(_padded(layer, shape), layer.kernel, layer.stride)
    return size, slide(size, layer.pool, layer.pool_stride)


def _padded(layer, shape):
    top, left, bottom, right = layer.pads
    return shape[1] + top + bottom, shape[2] + left + right


class NetworkCheck:
    """Checks ``network``, layer after layer, against ``config``.

    An engine adds ``check_mode(layer)``, ``check_weights(layer)``, ``input_size(layer, shape)``, what a
    layer's ``channels`` (convolution) or ``inputs`` must be behind outputs of ``shape``, and
    ``check_width(layer, shape, low, high)`` for the range of its inputs. Each raises EncodeError.
    """

    def __init__(self, network, config):
        self.network, self.config = network, config

    def shapes(self):
        """Shapes behind every layer, a list of (C, H, W) or (M,).

        Raises EncodeError, a sentence that names the layer, where the network is malformed or does not fit.
        """
        network, config = self.network, self.config
        require(network.layers, "Network must have at least one layer, not 0")
        shape, before, shapes = tuple(network.input_shape), None, []
        conv = network.layers[0].convolution
        require(len(shape) == (3 if conv else 1) and min(shape) >= 1,
                f"Input shape of the network must be {'(C, H, W)' if conv else '(K,)'}, not {shape}")
        require(1 <= network.input_bits <= config.activation_width,
                f"Input of the network must have 1 .. {config.activation_width} bits, as the engine's "
                f"activation_width says, not {network.input_bits}")
        for layer in network.layers:
            self.check_mode(layer)
            self.check_weights(layer)
            self._check_scales(layer)
            low, high = self._input_range(layer, before)
            if layer.convolution:
                out = self._check_geometry(layer, shape)
            else:
                wanted = self.input_size(layer, shape)
                require(layer.inputs == wanted,
                        f"Inputs of layer '{layer.name}' must be {wanted}, not {layer.inputs}")
                out = (layer.filters,)
            self.check_width(layer, shape, low, high)
            before, shape = layer, out
            shapes.append(shape)
        return shapes

    def check_mode(self, layer):
        """Whether the engine has the mode that ``layer`` needs."""

    def _check_scales(self, layer):
        where, scales = f"of layer '{layer.name}'", self.config.scales
        half = 1 << scales.bias_width - 1
        for name, least, most in (("bias", -half, half - 1), ("scale", 0, 2 ** scales.scale_width - 1),
                                  ("shift", scales.min_shift, scales.max_shift)):
            values, what = np.asarray(getattr(layer, name)), f"{name.capitalize()} {where}"
            require(values.shape == (layer.filters,) and values.dtype.kind in "iu",
                    f"{what} must be {layer.filters} integers, not {values.dtype} of shape {values.shape}")
            wrong = values[(values < least) | (values > most)]
            require(not wrong.size, f"{what} must be within {least} .. {most}, not {wrong[:1].tolist()}")
        least, most = output_range(True, 16)
        require(least <= layer.low <= layer.high <= most,
                f"Outputs {where} must be within {least} .. {most}, low at most high, "
                f"not {layer.low} .. {layer.high}")

    def _input_range(self, layer, before):
        """Range of what ``layer`` reads from the layer ``before`` it, None for the network's input."""
        if before is None:
            return self.network.input_range
        least, most = output_range(layer.input_signed, self.config.activation_width)
        require(not layer.convolution or before.convolution,
                f"Convolution '{layer.name}' must stand before the fully connected layers, "
                f"not after '{before.name}'")
        require(least <= before.low and before.high <= most,
                f"Outputs of layer '{before.name}' must be within {least} .. {most}, as layer "
                f"'{layer.name}' reads them, not {before.low} .. {before.high}")
        return before.low, before.high

    def _check_geometry(self, layer, shape):
        where = f"of layer '{layer.name}'"
        for name, least in (("stride", 1), ("pads", 0), ("pool", 1), ("pool_stride", 1)):
            values, count = tuple(getattr(layer, name)), 4 if name == "pads" else 2
            require(len(values) == count and min(values) >= least,
                    f"{name.capitalize()} {where} must be {count} numbers of at least {least}, not {values}")
        wanted, kernel, padded = self.input_size(layer, shape), layer.kernel, _padded(layer, shape)
        require(layer.channels == wanted, f"Input channels {where} must be {wanted}, not {layer.channels}")
        require(kernel[0] <= padded[0] and kernel[1] <= padded[1],
                f"Kernel {where} must fit into its padded map of {padded[0]} x {padded[1]}, "
                f"not be {kernel[0]} x {kernel[1]}")
        size, pooled = conv_shape(layer, shape)
        require(min(pooled) >= 1, f"Pool window {where} must fit into its map of {size[0]} x {size[1]}, "
                                  f"not be {layer.pool[0]} x {layer.pool[1]}")
        return (layer.filters, *pooled)
