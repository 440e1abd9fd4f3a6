"""Recurrent networks as files: layers, then a head, in the network format (docs/network-format.md)."""

import numpy as np
from shiftwork.golden.common.network_file import Node, read_file, write_file

from .network import RecurrentNetwork
from .operators import KINDS, layer_of, node_of

__all__ = ["is_recurrent", "load", "of_file", "save"]

_MEAN = {"axes": (0,), "keepdims": 0}


def save(network, path):
    """Writes ``network`` to ``path``: same network, same bytes; the file appears whole or not.

    Raises ValueError where the two directions of a layer differ in block size.
    """
    nodes, arrays, source = [], {}, "x"
    for number, layer in enumerate(network.layers):
        node, found = node_of(number, layer, network.parts(number, network.arrays), source)
        nodes.append(node)
        arrays |= found
        source = node.outputs[0]
    if network.head == "mean":
        nodes.append(Node(op_type="ReduceMean", name="mean", inputs=(source,), outputs=("mean",),
                          attributes=_MEAN))
    nodes.append(Node(op_type="Gemm", name="logits", outputs=("logits",), attributes={"transB": 1}, inputs=(
        "mean" if network.head == "mean" else nodes[-1].outputs[1], "head.weight", "head.bias")))
    arrays |= {name: network.arrays[name] for name in ("head.weight", "head.bias")}
    write_file(path, nodes=nodes, arrays=arrays, input_name="x", output_name="logits", ranges={},
               input_shape=("steps", network.layers[0].cell.inputs))


def load(path):
    """Reads a file of a recurrent network.

    Raises FileNotFoundError, or ValueError with a sentence that says what the file must be and what it was.
    """
    return of_file(read_file(path))


def is_recurrent(file):
    """Whether a file's graph has an LSTM or a GRU."""
    return any(node.op_type in KINDS for node in file["nodes"])


def of_file(file):
    """The RecurrentNetwork of what `read_file` returned; raises ValueError as `load` does."""
    shape, source, used = file["input_shape"], file["input_name"], set()
    if len(shape) != 2 or shape[0] != "steps" or type(shape[1]) is not int or shape[1] < 1:
        raise ValueError(f"input shape must be steps and a number of at least 1, not {shape}")
    layers, arrays, width, states = [], {}, shape[1], None
    nodes = list(file["nodes"])
    while nodes and nodes[0].op_type in KINDS:
        node = nodes.pop(0)
        _follows(node, source)
        layer, found = layer_of(node, file["arrays"], width)
        arrays |= {f"layer{len(layers)}.{way}.{part}": array for way, parts in found.items()
                   for part, array in parts.items()}
        layers.append(layer)
        width, (source, states) = layer.outputs, node.outputs
        used |= set(node.inputs[1:])
    if not layers:
        raise ValueError("nodes must begin with an LSTM or a GRU, "
                         f"not {nodes[0].op_type if nodes else 'end there'}")
    head = "last"
    if nodes and nodes[0].op_type == "ReduceMean":
        source, head = _mean(nodes.pop(0), source), "mean"
    found = _head(nodes, source if head == "mean" else states, file["arrays"], width)
    if nodes[0].outputs != (file["output_name"],):
        raise ValueError(f"output must be that of the Gemm, {', '.join(nodes[0].outputs)!r}, "
                         f"not {file['output_name']!r}")
    left = file["arrays"].keys() - used - set(nodes[0].inputs[1:])
    if left:
        raise ValueError(f"arrays must be those that nodes read, not also {', '.join(sorted(left))}")
    return RecurrentNetwork(layers=tuple(layers), classes=len(found["head.weight"]), head=head,
                            arrays=arrays | found)


def _follows(node, source):
    if not node.inputs or node.inputs[0] != source:
        raise ValueError(f"{node.op_type} {node.name!r} input must be {source!r}, "
                         f"not {node.inputs[0] if node.inputs else None!r}")


def _mean(node, source):
    _follows(node, source)
    if node.attributes != _MEAN or len(node.outputs) != 1:
        raise ValueError(f"ReduceMean {node.name!r} must have axes (0,), keepdims 0 and one output, "
                         f"not {node.attributes} and {len(node.outputs)}")
    return node.outputs[0]


def _head(nodes, source, arrays, width):
    """The head's arrays of the Gemm that must be left."""
    if len(nodes) != 1 or nodes[0].op_type != "Gemm":
        raise ValueError("nodes behind the layers must be a Gemm, with or without a ReduceMean before it, "
                         f"not {', '.join(node.op_type for node in nodes) or 'missing'}")
    node, = nodes
    where = f"Gemm {node.name!r}"
    _follows(node, source)
    if node.attributes.get("transB", 0) not in (0, 1) or node.attributes.keys() - {"transB"}:
        raise ValueError(f"{where} attributes must be transB, 0 or 1, not {node.attributes}")
    if len(node.inputs) not in (2, 3):
        raise ValueError(f"{where} must have 2 or 3 inputs, not {len(node.inputs)}")
    missing = [name for name in node.inputs[1:] if name not in arrays]
    if missing:
        raise ValueError(f"{where} inputs must be arrays of the file, not the missing {missing[0]!r}")
    weight = arrays[node.inputs[1]]
    weight = weight if node.attributes.get("transB", 0) else weight.T
    if weight.ndim != 2 or weight.shape[1] != width or not len(weight):
        raise ValueError(f"{where} weight must be of shape (classes, {width}), not {weight.shape}")
    bias = arrays[node.inputs[2]] if len(node.inputs) == 3 else np.zeros(len(weight), weight.dtype)
    if bias.shape != weight.shape[:1]:
        raise ValueError(f"{where} bias must be of shape {weight.shape[:1]}, not {bias.shape}")
    for what, array in (("weight", weight), ("bias", bias)):
        if array.dtype.kind != "f" or not np.all(np.isfinite(array)):
            raise ValueError(f"{where} {what} must be of finite floats, not "
                             f"{array.dtype if array.dtype.kind != 'f' else 'with NaN or infinity'}")
    return {"head.weight": weight, "head.bias": bias}
