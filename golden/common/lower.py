"""A float network to a chain of integer layers: blocks of nodes, steps of activations, scales of results.

A layer is a block of nodes, Conv or Gemm first, then BatchNormalization, Relu and MaxPool as they occur. With
weights alpha_m * t, t integers, input step s, batch normalization gamma_m, beta_m, mean_m, v_m =
sqrt(variance_m + epsilon), bias c_m, the block's output in units of its own step q is

    factor_m * acc + offset_m,      acc = sum t * x (integers),
    factor_m = alpha_m * gamma_m / v_m * s / q        offset_m = ((c_m - mean_m) * gamma_m / v_m + beta_m) / q

A negative factor turns the filter's signs. The factor becomes mantissa / 2 ** shift, f_m say, and the offset
bias_m = round(offset_m / f_m). Before the clamp an output then differs from the formula's by at most

    1/2 + f_m / 2 + |acc| * |f_m - factor_m|        where |f_m - factor_m| <= 2 ** (-shift_m - 1)

and by at most 1 where a filter became a constant (see ``_entries``).
"""

from dataclasses import dataclass, field

import numpy as np

from .activations import input_range, output_range
from .fixed import normalize_scale
from .intervals import dot_interval, signed_width

__all__ = ["Block", "Lowering", "geometry"]


@dataclass
class Block:
    """A Conv or Gemm and the nodes behind it that are part of its layer."""

    core: object
    norm: object = None
    relu: bool = False
    pool: object = None
    nodes: list = field(default_factory=list)

    @property
    def where(self):
        """The block in a message."""
        return f"{self.core.op_type} {self.core.name!r}"

    @property
    def output(self):
        """Name of the block's activation."""
        return self.nodes[-1].outputs[0]


def _chain(network, engine):
    """Nodes from the input to the output, each the only reader of the one before."""
    for node, before in zip(network.nodes, (None,) + network.nodes[:-1], strict=True):
        wanted = before.outputs[0] if before else network.input_name
        if node.sources != (wanted,):
            found = " and ".join(map(repr, node.sources))
            raise ValueError(f"{node.op_type} {node.name!r} must read {wanted!r}, the output before it and "
                             f"nothing else (the {engine} engine runs chains), not {found}")
    if not network.nodes or network.output_name != network.nodes[-1].outputs[0]:
        raise ValueError(f"output must be the last node's, not {network.output_name!r}")
    return network.nodes


def _add(block, node):
    """Takes ``node`` into ``block``, or raises ValueError."""
    where = f"{node.op_type} {node.name!r}"
    if block is None:
        raise ValueError(f"{where} must stand behind a Conv or Gemm, not first")
    if node.op_type == "BatchNormalization":
        if len(block.nodes) > 1:
            raise ValueError(f"{where} must stand right behind a Conv or Gemm, not behind "
                             f"{block.nodes[-1].op_type} {block.nodes[-1].name!r}")
        block.norm = node
    elif node.op_type == "MaxPool":
        if block.core.op_type != "Conv":
            raise ValueError(f"{where} must follow a Conv, not a {block.core.op_type}")
        if block.pool is not None:
            raise ValueError(f"{where} must be the only MaxPool behind Conv {block.core.name!r}, "
                             f"not a second one")
        block.pool = node
    else:
        block.relu = True
    block.nodes.append(node)


def _blocks(network, engine):
    blocks, flat = [], len(network.input_shape) == 1
    for node in _chain(network, engine):
        where = f"{node.op_type} {node.name!r}"
        if node.op_type == "Flatten":
            flat = True
        elif node.op_type == "Conv" and flat:
            raise ValueError(f"{where} must stand before Flatten and Gemm, not behind them")
        elif node.op_type in ("Conv", "Gemm"):
            blocks.append(Block(core=node, nodes=[node]))
        elif flat and blocks and blocks[-1].core.op_type == "Conv":
            raise ValueError(f"{where} must stand before Flatten, not behind it")
        else:
            _add(blocks[-1] if blocks else None, node)
    if not blocks:
        raise ValueError(f"network must have a Conv or a Gemm, not {len(network.nodes)} other nodes")
    return blocks


def _affine(block, arrays):
    """Gain and offset of each filter, from bias and batch normalization: gain * y + offset."""
    inputs = block.core.inputs
    bias = arrays[inputs[2]].astype(np.float64) if len(inputs) > 2 else 0.0
    if block.norm is None:
        return 1.0, bias
    gamma, beta, mean, var = (arrays[name].astype(np.float64) for name in block.norm.inputs[1:])
    gain = gamma / np.sqrt(var + block.norm.attributes.get("epsilon", 1e-5))
    return gain, (bias - mean) * gain + beta


def _step(network, name, least, most):
    """The step whose multiples least .. most cover the range of activation ``name``."""
    if name not in network.ranges:
        raise ValueError(f"activation {name!r} must have a range (calibrate the network), not none")
    low, high = network.ranges[name]
    if least == 0 and high == 0:
        raise ValueError(f"activation {name!r} must have a range that reaches above 0, not {(low, high)}")
    if most == 0:
        raise ValueError(f"activation {name!r} must have at least 2 bits, as it may be negative, not 1")
    return max(low / least, high / most) if least else high / most


def _entries(where, factor, offset, interval, bounds, scales, width, bias_in_sum):
    """Integer bias, mantissa and shift of each filter, and the numbers of filters that became constants.

    ``width``: name of the bias's width; ``bias_in_sum``: whether sums with the bias must have it, too.
    """
    most, empty, entries = 2 ** (scales.bias_width - 1) - 1, [], []
    for m, (f, off, least, greatest) in enumerate(zip(factor, offset, *interval, strict=True)):
        try:
            mantissa, shift = normalize_scale(f, scales.scale_width, scales.min_shift, scales.max_shift)
        except ValueError as error:
            raise ValueError(f"{where} filter {m} {error}") from None
        bias = int(np.floor(off * 2.0 ** shift / mantissa + 0.5)) if mantissa else most + 1
        first, final = np.clip((off + f * least, off + f * greatest), *bounds)
        reach = max(abs(bias), abs(bias + least), abs(bias + greatest)) if bias_in_sum else abs(bias)
        # A faint filter needs a bias out of range; where its results are within a step of each other (or all
        # saturate) it becomes a constant: scale 1 (or as near as the mantissa gets), the result as bias.
        if reach > most and final - first < 1:
            empty.append(m)
            shift = scales.min_shift
            mantissa = min(2 ** shift, 2 ** (scales.scale_width - 1))
            bias = int(np.floor((first + final) / 2 + 0.5)) * 2 ** shift // mantissa
            reach = abs(bias)
        if reach > most:
            what = "bias and its sums" if bias_in_sum else "bias"
            raise ValueError(f"{where} filter {m} {what} must fit {scales.bias_width} bits, not be {bias} "
                             f"(a greater {width} would hold it)")
        entries.append((bias, mantissa, shift))
    return (*np.array(entries, np.int64).T, empty)


def _output_step(factor, offset, interval, scales):
    """The last layer's common step: no logit saturates 16 bits, and no factor leaves the mantissa's range."""
    least, greatest = interval
    reach = np.maximum(greatest, -least) * factor + np.abs(offset)
    # Not 32,767: rounding bias and mantissa adds at most 128 each (scale_width 16 and 8, respectively).
    steepest = (2 ** scales.scale_width - 1) / 2 ** scales.min_shift
    return max(float(reach.max()) / 32_500, float(factor.max()) / steepest) or 1.0


class Lowering:
    """Lowers ``network``, which must have ``ranges``, for an engine of ``config``.

    An engine sets ``ENGINE``, its name, ``WIDTH``, the parameter that is the width of a sum and of its bias,
    and ``BIAS_IN_SUM``, whether the two together must fit it. It has ``weights(block)``, integer weights
    (M, ...) and alpha (M,), and ``layer(block, turned, empty, common)``: its layer, the signs of filters
    ``turned`` (bool) reversed, those of filters ``empty`` (numbers) zero, with the fields ``common`` and, of
    a Conv, those of `geometry`.
    """

    ENGINE, WIDTH, BIAS_IN_SUM = "", "", False

    def __init__(self, network, config, bits):
        if not 1 <= bits <= config.activation_width:
            raise ValueError(f"bits must be between 1 and {config.activation_width}, the engine's "
                             f"activation_width, not {bits}")
        self.network, self.config, self.bits = network, config, bits

    def layers(self):
        """Layers, the network's input step, and the step of its outputs."""
        network, bits = self.network, self.bits
        blocks = _blocks(network, self.ENGINE)
        name = network.input_name
        read = input_range(network.ranges.get(name, (0,))[0] < 0, bits)
        input_step = step = _step(network, name, *read)
        layers = []
        for block in blocks:
            weights, alpha = self.weights(block)
            gain, offset = _affine(block, network.arrays)
            factor, offset = alpha * gain * step, np.broadcast_to(offset, len(alpha))
            turned, factor = factor < 0, np.abs(factor)
            interval = self._interval(block, weights, turned, read)
            if block is blocks[-1]:
                next_step = _output_step(factor, offset, interval, self.config.scales)
                bounds = output_range(not block.relu, 16)
            else:
                bounds = output_range(not block.relu, bits)
                next_step = _step(network, block.output, *bounds)
            bias, scale, shift, empty = _entries(
                block.where, factor / next_step, offset / next_step, interval, bounds, self.config.scales,
                self.WIDTH, self.BIAS_IN_SUM)
            layers.append(self.layer(block, turned, empty, dict(
                name=block.core.name, bias=bias, scale=scale, shift=shift, low=bounds[0], high=bounds[1],
                input_signed=read[0] < 0)))
            step, read = next_step, bounds
        return tuple(layers), input_step, step

    def _interval(self, block, weights, turned, read):
        weights = np.where(turned.reshape((-1,) + (1,) * (weights.ndim - 1)), -weights, weights)
        interval = dot_interval(weights, *read)
        width, most = signed_width(*interval), getattr(self.config, self.WIDTH)
        if width > most:
            raise ValueError(f"{block.where} accumulators must fit {most} bits, not need {width}")
        return interval


def geometry(block):
    """Fields of a Conv's layer: stride, pads and pooling."""
    attributes, pool = block.core.attributes, block.pool.attributes if block.pool else {}
    return dict(stride=attributes.get("strides", (1, 1)), pads=attributes.get("pads", (0, 0, 0, 0)),
                pool=pool.get("kernel_shape", (1, 1)), pool_stride=pool.get("strides", (1, 1)))
