"""A float network with ternary weights to the integer network of ``layers.py``.

A layer is a block of nodes, Conv or Gemm first, then BatchNormalization, Relu and MaxPool as they occur. With
weights alpha_m * t, input step s, batch normalization gamma_m, beta_m, mean_m, v_m = sqrt(variance_m +
epsilon), bias c_m, the block's output in units of its own step q is

    factor_m * acc + offset_m,      acc = sum t * x (integers),
    factor_m = alpha_m * gamma_m / v_m * s / q        offset_m = ((c_m - mean_m) * gamma_m / v_m + beta_m) / q

A negative factor turns the filter's signs. The factor becomes mantissa / 2 ** shift, f_m say, and the offset
bias_m = round(offset_m / f_m). Before the clamp an output then differs from the formula's by at most

    1/2 + f_m / 2 + |acc| * |f_m - factor_m|        where |f_m - factor_m| <= 2 ** (-shift_m - 1)

and by at most 1 where a filter became a constant (see ``_scales``).
"""

from dataclasses import dataclass, field

import numpy as np
from shiftwork.golden.common.fixed import normalize_scale
from shiftwork.golden.common.intervals import dot_interval, signed_width

from .config import TernaryConfig
from .layers import MAX_SHIFT, MIN_SHIFT, ConvLayer, DenseLayer, TernaryNetwork, input_range, output_range

__all__ = ["lower"]


@dataclass
class _Block:
    core: object
    norm: object = None
    relu: bool = False
    pool: object = None
    nodes: list = field(default_factory=list)

    @property
    def output(self):
        return self.nodes[-1].outputs[0]


def _chain(network):
    """Nodes from the input to the output, each the only reader of the one before."""
    for node, before in zip(network.nodes, (None,) + network.nodes[:-1], strict=True):
        wanted = before.outputs[0] if before else network.input_name
        if node.sources != (wanted,):
            found = " and ".join(map(repr, node.sources))
            raise ValueError(f"{node.op_type} {node.name!r} must read {wanted!r}, the output before it and "
                             f"nothing else (the ternary engine runs chains), not {found}")
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


def _blocks(network):
    blocks, flat = [], len(network.input_shape) == 1
    for node in _chain(network):
        where = f"{node.op_type} {node.name!r}"
        if node.op_type == "Flatten":
            flat = True
        elif node.op_type == "Conv" and flat:
            raise ValueError(f"{where} must stand before Flatten and Gemm, not behind them")
        elif node.op_type in ("Conv", "Gemm"):
            blocks.append(_Block(core=node, nodes=[node]))
        elif flat and blocks and blocks[-1].core.op_type == "Conv":
            raise ValueError(f"{where} must stand before Flatten, not behind it")
        else:
            _add(blocks[-1] if blocks else None, node)
    if not blocks:
        raise ValueError(f"network must have a Conv or a Gemm, not {len(network.nodes)} other nodes")
    return blocks


def _ternary(node, arrays):
    """Signs (int8) and alpha (float64, one a filter) of a Conv's or Gemm's weights."""
    weights = arrays[node.inputs[1]].astype(np.float64)
    if node.op_type == "Gemm" and not node.attributes.get("transB", 0):
        weights = weights.T
    magnitude = np.abs(weights).reshape(len(weights), -1)
    alpha = magnitude.max(axis=1)
    wrong = ((magnitude != 0) & (magnitude != alpha[:, None])).any(axis=1)
    if wrong.any():
        filter_ = int(np.argmax(wrong))
        count = len(np.unique(magnitude[filter_][magnitude[filter_] != 0]))
        raise ValueError(f"{node.op_type} {node.name!r} filter {filter_} must be ternary "
                         f"(0 and one magnitude), not of {count} magnitudes (ternarize it first)")
    return np.sign(weights).astype(np.int8), alpha


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


def _scales(where, factor, offset, interval, bounds, config):
    """Integer bias, mantissa and shift of each filter, and the numbers of filters that became constants."""
    most, empty, entries = 2 ** (config.acc_width - 1) - 1, [], []
    for m, (f, off, least, greatest) in enumerate(zip(factor, offset, *interval, strict=True)):
        try:
            mantissa, shift = normalize_scale(f, config.scale_width, MIN_SHIFT, MAX_SHIFT)
        except ValueError as error:
            raise ValueError(f"{where} filter {m} {error}") from None
        bias = int(np.floor(off * 2.0 ** shift / mantissa + 0.5)) if mantissa else most + 1
        first, final = np.clip((off + f * least, off + f * greatest), *bounds)
        # A faint filter needs a bias out of range; where its results are within a step of each other (or all
        # saturate) it becomes a constant: scale 1 (1/2 if the mantissa has 8 bits), the result as bias.
        if abs(bias) > most and final - first < 1:
            empty.append(m)
            mantissa, shift = min(2 ** MIN_SHIFT, 2 ** (config.scale_width - 1)), MIN_SHIFT
            bias = int(np.floor((first + final) / 2 + 0.5)) * 2 ** shift // mantissa
        if abs(bias) > most:
            raise ValueError(f"{where} filter {m} bias must fit {config.acc_width} bits, not be {bias} "
                             f"(a greater acc_width would hold it)")
        entries.append((bias, mantissa, shift))
    return (*np.array(entries, np.int64).T, empty)


def _output_step(factor, offset, interval, config):
    """The last layer's common step: no logit saturates 16 bits, and no factor leaves the mantissa's range."""
    least, greatest = interval
    reach = np.maximum(greatest, -least) * factor + np.abs(offset)
    # Not 32,767: rounding bias and mantissa adds at most 128 each (scale_width 16 and 8, respectively).
    steepest = (2 ** config.scale_width - 1) / 2 ** MIN_SHIFT
    return max(float(reach.max()) / 32_500, float(factor.max()) / steepest) or 1.0


def lower(network, config=None, bits=8):
    """The integer network (TernaryNetwork) of ``network``, which must have ternary weights and ``ranges``.

    ``network`` must be a chain Conv [BatchNormalization] [Relu] [MaxPool] ..., Flatten, Gemm
    [BatchNormalization] [Relu] .... Activations, the network's input among them, are of ``bits`` bits,
    unsigned behind a Relu and signed otherwise (of a layer at most 32767, 15 bits if unsigned); the last
    layer's outputs 16 bits with one step for all. Raises ValueError with a sentence that names the node for
    what does not fit the engine of ``config`` (default: TernaryConfig()).
    """
    config = config or TernaryConfig()
    if not 1 <= bits <= config.activation_width:
        raise ValueError(f"bits must be between 1 and {config.activation_width}, the engine's "
                         f"activation_width, not {bits}")
    blocks = _blocks(network)
    name = network.input_name
    read = input_range(network.ranges.get(name, (0,))[0] < 0, bits)
    input_step = step = _step(network, name, *read)
    layers = []
    for block in blocks:
        where = f"{block.core.op_type} {block.core.name!r}"
        last = block is blocks[-1]
        signs, alpha = _ternary(block.core, network.arrays)
        gain, offset = _affine(block, network.arrays)
        factor, offset = alpha * gain * step, np.broadcast_to(offset, len(alpha))
        turned = (factor < 0).reshape((-1,) + (1,) * (signs.ndim - 1))
        signs, factor = np.where(turned, -signs, signs).astype(np.int8), np.abs(factor)
        interval = dot_interval(signs, *read)
        width = signed_width(*interval)
        if width > config.acc_width:
            raise ValueError(f"{where} accumulators must fit {config.acc_width} bits, not need {width}")
        if last:
            next_step = _output_step(factor, offset, interval, config)
            bounds = output_range(not block.relu, 16)
        else:
            bounds = output_range(not block.relu, bits)
            next_step = _step(network, block.output, *bounds)
        factor, offset = factor / next_step, offset / next_step
        bias, scale, shift, empty = _scales(where, factor, offset, interval, bounds, config)
        signs[empty] = 0
        common = dict(name=block.core.name, weights=signs, bias=bias, scale=scale, shift=shift, low=bounds[0],
                      high=bounds[1], input_signed=read[0] < 0)
        if block.core.op_type == "Conv":
            attributes, pool = block.core.attributes, block.pool.attributes if block.pool else {}
            window = pool.get("kernel_shape", (1, 1))
            layers.append(ConvLayer(**common, stride=attributes.get("strides", (1, 1)),
                                    pads=attributes.get("pads", (0, 0, 0, 0)), pool=window,
                                    pool_stride=pool.get("strides", (1, 1))))
        else:
            layers.append(DenseLayer(**common))
        step, read = next_step, bounds
    shape = network.input_shape if blocks[0].core.op_type == "Conv" else (layers[0].weights.shape[1],)
    return TernaryNetwork(input_shape=shape, input_scale=input_step, output_scale=step, layers=tuple(layers),
                          input_bits=bits)
