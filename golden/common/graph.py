"""Checks of a network's graph: operators, attributes, tensors, shapes."""

import numpy as np

__all__ = ["infer_shapes", "OPERATORS"]

OPERATORS = {
    "Conv": (2, 3, {"kernel_shape", "strides", "pads", "group"},
             {"dilations": (1, 1), "auto_pad": "NOTSET"}),
    "Gemm": (2, 3, {"transB"}, {"transA": 0, "alpha": 1.0, "beta": 1.0}),
    "MaxPool": (1, 1, {"kernel_shape", "strides"},
                {"pads": (0, 0, 0, 0), "dilations": (1, 1), "auto_pad": "NOTSET", "ceil_mode": 0,
                 "storage_order": 0}),
    "BatchNormalization": (5, 5, {"epsilon", "momentum"}, {"training_mode": 0, "spatial": 1}),
    "Relu": (1, 1, set(), {}),
    "Flatten": (1, 1, set(), {"axis": 1}),
    "Add": (2, 2, set(), {}),
}
"""Of each operator: least and greatest number of inputs, free attributes, those with one allowed value."""


def _check_attributes(where, node):
    _, _, free, fixed = OPERATORS[node.op_type]
    for name, value in node.attributes.items():
        if name in fixed:
            if value != fixed[name]:
                raise ValueError(f"{where} attribute {name} must be {fixed[name]}, not {value}")
        elif name not in free:
            known = ", ".join(sorted(free | set(fixed))) or "none at all"
            raise ValueError(f"{where} attributes must be {known}, not {name}")
    for name, count, least in (("kernel_shape", 2, 1), ("strides", 2, 1), ("pads", 4, 0)):
        value = node.attributes.get(name)
        if value is not None and name in free and not (
                isinstance(value, tuple) and len(value) == count
                and all(type(v) is int and v >= least for v in value)):
            raise ValueError(f"{where} attribute {name} must be {count} integers of at least {least}, "
                             f"not {value}")
    if node.attributes.get("transB", 0) not in (0, 1):
        raise ValueError(f"{where} attribute transB must be 0 or 1, not {node.attributes['transB']}")
    for name in ("epsilon", "momentum"):
        value = node.attributes.get(name, 1.0)
        if not (isinstance(value, (int, float)) and 0 < value <= 1):
            raise ValueError(f"{where} attribute {name} must be between 0 and 1, not {value}")


def _tensor(where, arrays, name, what, shape):
    """The initializer ``name``, whose shape must match ``shape`` (None: any size)."""
    if name not in arrays:
        raise ValueError(f"{where} {what} must be an array of the file, not the missing tensor {name!r}")
    found = arrays[name].shape
    if len(found) != len(shape):
        raise ValueError(f"{where} {what} {name!r} must have {len(shape)} dimensions, not {len(found)}")
    if any(size is not None and size != have for size, have in zip(shape, found, strict=True)):
        wanted = "x".join("?" if size is None else str(size) for size in shape)
        raise ValueError(f"{where} {what} {name!r} must have shape {wanted}, not {'x'.join(map(str, found))}")
    return arrays[name]


def _rank(where, shape, rank, what):
    if len(shape) != rank:
        raise ValueError(f"{where} input must be {what}, not of shape {tuple(shape)}")


def _slide(where, shape, kernel, strides, pads):
    padded = (shape[1] + pads[0] + pads[2], shape[2] + pads[1] + pads[3])
    if kernel[0] > padded[0] or kernel[1] > padded[1]:
        raise ValueError(f"{where} kernel must fit into the padded map of {padded[0]}x{padded[1]}, "
                         f"not be {kernel[0]}x{kernel[1]}")
    return tuple((size - k) // step + 1 for size, k, step in zip(padded, kernel, strides, strict=True))


def _conv(where, node, arrays, shape):
    _rank(where, shape, 3, "a map (channels, rows, columns)")
    kernel, group = node.attributes.get("kernel_shape", (None, None)), node.attributes.get("group", 1)
    if type(group) is not int or group not in (1, shape[0]):
        raise ValueError(f"{where} attribute group must be 1, or {shape[0]}, the channels of its input "
                         f"(depthwise), not {group}")
    filters = None if group == 1 else group     # one filter a channel
    weight = _tensor(where, arrays, node.inputs[1], "weight", (filters, shape[0] // group) + kernel)
    if len(node.inputs) > 2:
        _tensor(where, arrays, node.inputs[2], "bias", (len(weight),))
    strides, pads = node.attributes.get("strides", (1, 1)), node.attributes.get("pads", (0, 0, 0, 0))
    return (len(weight),) + _slide(where, shape, weight.shape[2:], strides, pads)


def _gemm(where, node, arrays, shape):
    _rank(where, shape, 1, "a vector (flatten it first)")
    rows = node.attributes.get("transB", 0)
    weight = _tensor(where, arrays, node.inputs[1], "weight", (None, shape[0]) if rows else (shape[0], None))
    outputs = weight.shape[0 if rows else 1]
    if len(node.inputs) > 2:
        _tensor(where, arrays, node.inputs[2], "bias", (outputs,))
    return (outputs,)


def _max_pool(where, node, arrays, shape):
    _rank(where, shape, 3, "a map (channels, rows, columns)")
    if "kernel_shape" not in node.attributes:
        raise ValueError(f"{where} must have the attribute kernel_shape, not only {sorted(node.attributes)}")
    strides = node.attributes.get("strides", (1, 1))
    return (shape[0],) + _slide(where, shape, node.attributes["kernel_shape"], strides, (0, 0, 0, 0))


def _batch_norm(where, node, arrays, shape):
    for what, name in zip(("scale", "bias", "mean", "variance"), node.inputs[1:], strict=True):
        _tensor(where, arrays, name, what, (shape[0],))
    if np.any(arrays[node.inputs[4]] < 0):
        raise ValueError(f"{where} variance must not be negative, not {arrays[node.inputs[4]].min():g}")
    return shape


def _add(where, node, arrays, shape, other):
    if shape != other:
        raise ValueError(f"{where} inputs must have equal shapes, not {shape} and {other}")
    return shape


_SHAPES = {"Conv": _conv, "Gemm": _gemm, "MaxPool": _max_pool, "BatchNormalization": _batch_norm,
           "Add": _add, "Relu": lambda where, node, arrays, shape: shape,
           "Flatten": lambda where, node, arrays, shape: (int(np.prod(shape)),)}


def infer_shapes(network):
    """Checks ``network`` and returns {activation's name: shape of one image}.

    Raises ValueError with a sentence that names the node, what it must be and what it was.
    """
    shape = network.input_shape
    if len(shape) not in (1, 3) or not all(type(v) is int and v >= 1 for v in shape):
        raise ValueError(f"input shape must be (K,) or (channels, rows, columns), not {shape}")
    for name, array in network.arrays.items():
        if array.dtype.kind not in "fiu":
            raise ValueError(f"array {name!r} must be of numbers, not {array.dtype}")
        if not np.all(np.isfinite(array)):
            raise ValueError(f"array {name!r} must be finite, not contain NaN or infinity")
    shapes, names = {network.input_name: shape}, set()
    for node in network.nodes:
        where = f"{node.op_type} {node.name!r}"
        if node.op_type not in OPERATORS:
            raise ValueError(f"{where} must be one of {', '.join(OPERATORS)}, not {node.op_type}")
        if node.name in names:
            raise ValueError(f"{where} must have a name of its own, not one that another node has")
        names.add(node.name)
        least, most, _, _ = OPERATORS[node.op_type]
        if not least <= len(node.inputs) <= most:
            raise ValueError(f"{where} must have {least} to {most} inputs, not {len(node.inputs)}")
        if len(node.outputs) != 1:
            raise ValueError(f"{where} must have one output, not {len(node.outputs)}")
        for source in node.sources:
            if source not in shapes:
                raise ValueError(f"{where} input must be the output of an earlier node, not {source!r}")
        if node.outputs[0] in shapes or node.outputs[0] in network.arrays:
            raise ValueError(f"{where} output must be a new tensor, not {node.outputs[0]!r} again")
        _check_attributes(where, node)
        found = [shapes[source] for source in node.sources]
        shapes[node.outputs[0]] = _SHAPES[node.op_type](where, node, network.arrays, *found)
    if network.output_name not in shapes:
        raise ValueError(f"output must be a tensor of the graph, not {network.output_name!r}")
    for name, bounds in network.ranges.items():
        if name not in shapes:
            raise ValueError(f"range must be of an activation of the graph, not of {name!r}")
        if len(bounds) != 2 or not np.all(np.isfinite(bounds)) or not bounds[0] <= 0 <= bounds[1] \
                or bounds[0] == bounds[1]:
            raise ValueError(f"range of {name!r} must be (low <= 0, high >= 0), not {tuple(bounds)}")
    return shapes
