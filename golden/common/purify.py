"""Network Purification and Unused Path Removal (arXiv:1908.10017, eq. 8, 9 and its algorithm).

The weights of a Conv or Gemm are a matrix: a row is a filter, a column one input at one kernel position. A
channel is the columns that read one channel of the layer's input: R*S of a Conv, H*W of a Gemm behind
Flatten, one of a Gemm behind a Gemm. ``purify`` zeroes channels and filters of little weight, which changes
the network's function a little; ``remove_unused_paths`` takes what is zero out of the arrays, which does not.
"""

from dataclasses import dataclass, replace

import numpy as np

from .channels import (
    channel_widths,
    check_groups,
    count_weights,
    spread,
    unmarked,
    weight_array,
    weight_matrix,
    weighted,
)

__all__ = ["Removal", "Thresholds", "purify", "remove_unused_paths"]


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Below what a channel or a filter goes: Th1 to Th4 of the paper, which gives no values.

    Three are factors of a mean over what is not zero in the same layer: so one setting suits layers of any
    scale and density, and as factors are at most 1, a layer's greatest channel and filter always stay. With
    0.2, a layer that loses half of its channels loses less than a tenth of its squared weight.
    """

    column: float = 0.2     #: Th1: columns below it, in mean squared column norms, count as empty
    filled: float = 0.5     #: Th2: a channel may go if a lesser share of its columns is not empty, and
    channel: float = 0.2    #: Th3: if its importance is below this, in mean importances
    filter: float = 0.2     #: Th4: a filter below it, in mean squared filter norms, goes

    def __post_init__(self):
        for name in ("column", "filled", "channel", "filter"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"threshold {name} must be between 0 and 1, not {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True)
class Removal:
    """What was zeroed or taken out, by the node's name, in the numbering of the network that was given."""

    filters: dict[str, tuple[int, ...]]     #: filters: indices along the weights' axis of outputs
    inputs: dict[str, tuple[int, ...]]      #: indices along the weights' axis of inputs
    nodes: tuple[str, ...] = ()             #: nodes that led nowhere


def _weak(values, factor):
    """Which of ``values`` are not zero, but below ``factor`` times the mean of those that are not."""
    return (values > 0) & (values < factor * values.sum() / max(np.count_nonzero(values), 1))


def purify(network, thresholds=None):
    """``network`` with weak channels and filters zeroed, and a Removal that names them.

    Layer after layer, with delta columns in each channel of a layer:

        eta_j   = #{k in channel j: ||column_k||^2 >= Th1} / delta
        sigma_j = sum over k in channel j of ||column_k||^2 / delta
        channel j goes if eta_j < Th2 and sigma_j < Th3;    then filter m goes if ||filter_m||^2 < Th4

    where Th1, Th3 and Th4 are the factors of ``thresholds`` (default: Thresholds()) times the layer's means.
    Filters that are the network's outputs stay. Only weights change: that a channel takes along the filter
    before it, and a filter the channels behind it, is the work of ``remove_unused_paths``. Raises ValueError
    for a depthwise Conv.
    """
    check_groups(weighted(network), "purification")
    thresholds = thresholds or Thresholds()
    arrays, filters, inputs = dict(network.arrays), {}, {}
    widths, outputs = channel_widths(network), unmarked(network)
    outputs[network.output_name][:] = True
    spread(network, outputs)
    for node in weighted(network):
        matrix, width = weight_matrix(node, arrays).copy(), widths[node.sources[0]]
        columns = np.sum(matrix.astype(np.float64) ** 2, axis=0).reshape(matrix.shape[1] // width, -1)
        eta = np.mean((columns > 0) & ~_weak(columns, thresholds.column), axis=1)
        weak = (eta < thresholds.filled) & _weak(columns.mean(axis=1), thresholds.channel)
        channels = np.flatnonzero(np.repeat(weak, width))
        matrix[:, channels] = 0
        faint = _weak(np.sum(matrix.astype(np.float64) ** 2, axis=(1, 2)), thresholds.filter)
        faint = np.flatnonzero(faint & ~outputs[node.outputs[0]])
        matrix[faint] = 0
        arrays[node.inputs[1]] = weight_array(node, matrix, arrays)
        filters[node.name], inputs[node.name] = tuple(faint.tolist()), tuple(channels.tolist())
    return replace(network, arrays=arrays), Removal(filters=filters, inputs=inputs)


def _new_name(name, taken):
    while name in taken:
        name += "_"
    return name


def _prepared(network):
    """``network`` without nodes that lead nowhere, and with each array read in one place only."""
    needed, nodes, arrays = {network.output_name, network.input_name}, [], {}
    for node in reversed(network.nodes):
        if node.outputs[0] in needed:
            needed |= set(node.sources)
            nodes.insert(0, node)
    for number, node in enumerate(nodes):
        names = []
        for name in node.inputs[len(node.sources):]:
            taken = {*network.arrays, *network.shapes, *arrays}
            names.append(_new_name(f"{node.name}.{name}", taken) if name in arrays else name)
            arrays[names[-1]] = network.arrays[name]
        nodes[number] = replace(node, inputs=(*node.sources, *names))
    ranges = {name: bounds for name, bounds in network.ranges.items() if name in needed}
    return replace(network, nodes=tuple(nodes), arrays=arrays, ranges=ranges)


def _constants(network):
    """Of each activation, along its first axis, the value that no input changes; NaN where there is none."""
    arrays, values = network.arrays, {network.input_name: np.full(network.input_shape[0], np.nan)}
    for node in network.nodes:
        x = values[node.sources[0]]
        if node.op_type in ("Conv", "Gemm"):
            bias = arrays[node.inputs[2]].astype(np.float64) if len(node.inputs) > 2 else 0.0
            x = np.where(weight_matrix(node, arrays).any(axis=(1, 2)), np.nan, bias)
        elif node.op_type == "BatchNormalization":
            gamma, beta, mean, variance = (arrays[name].astype(np.float64) for name in node.inputs[1:])
            gain = gamma / np.sqrt(variance + node.attributes.get("epsilon", 1e-5))
            x = np.where(gain == 0, beta, (x - mean) * gain + beta)
        elif node.op_type == "Relu":
            x = np.maximum(x, 0)
        elif node.op_type == "Flatten":
            x = np.repeat(x, network.shapes[node.outputs[0]][0] // len(x))
        elif node.op_type == "Add":
            x = x + values[node.sources[1]]
        values[node.outputs[0]] = x
    return values


def _inner_taps(node, network):
    """Which of a Conv's or Gemm's taps never read padding."""
    if node.op_type == "Gemm":
        return np.ones(1, bool)
    kernel = network.arrays[node.inputs[1]].shape[2:]
    strides, pads = node.attributes.get("strides", (1, 1)), node.attributes.get("pads", (0, 0, 0, 0))
    (_, *sizes), (_, *steps) = network.shapes[node.sources[0]], network.shapes[node.outputs[0]]
    rows, columns = ((np.arange(taps) >= before) & (np.arange(taps) - before + stride * (count - 1) < size)
                     for taps, before, stride, count, size in
                     zip(kernel, pads[:2], strides, steps, sizes, strict=True))
    return np.outer(rows, columns).reshape(-1)


def _needed(network, constants):
    """Which channels must stay, for each activation's entries along the first axis."""
    needed = unmarked(network)
    needed[network.input_name][:] = needed[network.output_name][:] = True
    for node in weighted(network):
        taps = weight_matrix(node, network.arrays).any(axis=0)
        value = constants[node.sources[0]]
        # A tap that reads padding sees 0 there: sums differ between positions, and no bias can replace them.
        folds = np.isfinite(value) & ~taps[:, ~_inner_taps(node, network)].any(axis=1)
        needed[node.sources[0]] |= taps.any(axis=1) & (value != 0) & ~folds
    spread(network, needed)
    return needed


def _narrowed_layer(node, network, value, needed, kept):
    """Conv or Gemm ``node`` without what is not kept, and its arrays; ``value``: its input's constants."""
    matrix, (source,), (output,) = weight_matrix(node, network.arrays).copy(), node.sources, node.outputs
    # What goes and has no constant (NaN) is not read at all.
    folded = np.where(needed[source], 0, np.nan_to_num(value))
    shift = (matrix.sum(axis=2, dtype=np.float64) @ folded)[kept[output]]
    matrix[:, ~needed[source]] = 0
    matrix[~needed[output]] = 0
    left = {node.inputs[1]: weight_array(node, matrix[kept[output]][:, kept[source]], network.arrays)}
    if len(node.inputs) > 2:
        left[node.inputs[2]] = network.arrays[node.inputs[2]][kept[output]]
    if shift.any():
        if len(node.inputs) == 2:
            name = _new_name(f"{node.name}.bias", {*network.arrays, *network.shapes})
            node = replace(node, inputs=(*node.inputs, name))
        bias = left.get(node.inputs[2], 0) + shift
        left[node.inputs[2]] = bias.astype(np.result_type(matrix.dtype, np.float32))
    return node, left


def _narrowed(network):
    """One round of removal: (network, {activation's name: which entries of its first axis are left})."""
    constants = _constants(network)
    needed = _needed(network, constants)
    kept = {name: mark.copy() for name, mark in needed.items()}
    for node in weighted(network):
        if not kept[node.outputs[0]].any():
            kept[node.outputs[0]][0] = True
            spread(network, kept)
    arrays, nodes = {}, []
    for node in network.nodes:
        if node.op_type in ("Conv", "Gemm"):
            node, left = _narrowed_layer(node, network, constants[node.sources[0]], needed, kept)
        else:
            names = node.inputs[len(node.sources):]
            left = {name: network.arrays[name][kept[node.outputs[0]]] for name in names}
        nodes.append(node)
        arrays |= left
    return replace(network, nodes=tuple(nodes), arrays=arrays), kept


def remove_unused_paths(network):
    """``network`` without the channels that nothing depends on, and a Removal that names them.

    A channel, which is one through BatchNormalization, Relu, MaxPool, Flatten and Add, is taken out of all
    arrays, with the filters that make it and the columns that read it, if of every layer that reads it

    * the columns are zero, or
    * the channel's value there is constant, as it is behind filters of zeros (or a scale of zero), and it is
      0 or no non-zero tap of it ever reads padding: value * sum(taps) is added to the layer's biases.

    Rounds go on until one changes nothing. The function stays the same, but for the rounding of biases.
    Inputs and outputs of the network stay, and so does one channel of a layer that has none left, with
    weights of zero. An array that several nodes read becomes one for each, and nodes that lead nowhere go.
    Raises ValueError for a depthwise Conv.
    """
    check_groups(weighted(network), "the removal of paths")
    given, network = network, _prepared(network)
    entries = {name: np.arange(shape[0]) for name, shape in network.shapes.items()}
    before = None
    while before != (before := count_weights(network)):
        network, kept = _narrowed(network)
        entries = {name: numbers[kept[name]] for name, numbers in entries.items()}

    def gone(name):
        return tuple(np.setdiff1d(np.arange(given.shapes[name][0]), entries[name]).tolist())

    layers, left = weighted(network), {node.name for node in network.nodes}
    return network, Removal(filters={node.name: gone(node.outputs[0]) for node in layers},
                            inputs={node.name: gone(node.sources[0]) for node in layers},
                            nodes=tuple(node.name for node in given.nodes if node.name not in left))
