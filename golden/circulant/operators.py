"""Layers as ONNX's operators LSTM and GRU, and back: attributes, orders of gates, arrays.

docs/network-format.md says what a node may have. ONNX's gates stand i, o, f, c (here i, f, g, o) and z, r, h;
its peepholes i, o, f (here i, f, o); its B is two biases that are added, but for R's of a GRU's h with
``linear_before_reset``.
"""

import numpy as np
from shiftwork.golden.common.network_file import Node

from .cells import Gru, Lstm
from .layers import Layer
from .matrix import BLOCK_SIZES, block_counts, columns_of_rows

__all__ = ["KINDS", "layer_of", "node_of"]

KINDS = {"LSTM": Lstm, "GRU": Gru}
_ORDER = {Lstm: [0, 3, 1, 2], Gru: [0, 1, 2]}
_PEEPHOLES = [0, 2, 1]
_INPUTS = {"LSTM": ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P", "projection"),
           "GRU": ("X", "W", "R", "B", "sequence_lens", "initial_h")}
_ABSENT = ("sequence_lens", "initial_h", "initial_c")
_DIRECTIONS = {"forward": "forward", "reverse": "reverse", "bidirectional": "both"}
_SQUASH = {"Tanh": "tanh", "Sigmoid": "sigmoid"}
_FIXED = {"LSTM": {"layout": 0, "input_forget": 0}, "GRU": {"layout": 0}}
_FREE = {"LSTM": {"forget_bias": 0.0, "projection_size": 0},
         "GRU": {"linear_before_reset": 0, "update": "keeps"}}
_SHARED = {"direction": "forward", "activations": None, "block_sizes": None, "first_rows": 0,
           "merge": "concatenate"}


def node_of(number, layer, arrays, source):
    """The Node of layer ``number``, which reads the tensor ``source``, and its arrays by name.

    ``arrays`` are {direction: {part: array}}. Raises ValueError where the two directions' matrices differ in
    block size: a node has one for both.
    """
    cell, name = layer.cell, f"layer{number}"
    kind = "LSTM" if isinstance(cell, Lstm) else "GRU"
    parts, sizes = {}, []
    for slot, part in (("W", "input"), ("R", "recurrent"), ("projection", "projection")):
        if part not in cell.shapes:
            continue
        found = [arrays[way][part] for way in layer.ways]
        if len({array.shape for array in found}) > 1:
            raise ValueError(f"both directions of layer {number} must have one block size of {part}, not two")
        sizes.append(found[0].shape[-1] if found[0].ndim == 4 else 0)
        parts[slot] = np.stack([_reordered(array, _ORDER[type(cell)]) if slot != "projection" else array[0]
                                for array in found])
    parts["B"] = np.stack([_biases(cell, arrays[way]) for way in layer.ways])
    if "peephole" in cell.shapes:
        parts["P"] = np.stack([arrays[way]["peephole"].reshape(3, -1)[_PEEPHOLES].ravel()
                               for way in layer.ways])
    slots = [source, *(f"{name}.{slot}" if slot in parts else "" for slot in _INPUTS[kind][1:])]
    while not slots[-1]:
        slots.pop()
    node = Node(op_type=kind, name=name, inputs=slots, outputs=(name, f"{name}.last"),
                attributes=_attributes(kind, layer, sizes))
    return node, {f"{name}.{slot}": array for slot, array in parts.items()}


def _reordered(array, order):
    """Gates in another order; of a dense array also one axis for gates and rows."""
    turned = array[order]
    return turned if array.ndim == 4 else turned.reshape(-1, array.shape[-1])


def _biases(cell, arrays):
    bias = arrays["bias"].reshape(cell.gates, -1)[_ORDER[type(cell)]]
    second = np.zeros_like(bias)
    if "recurrent_bias" in arrays:
        second[2] = arrays["recurrent_bias"]
    return np.concatenate([bias.ravel(), second.ravel()])


def _attributes(kind, layer, sizes):
    cell, spelled = layer.cell, {ours: theirs for theirs, ours in _SQUASH.items()}
    squash = ["Sigmoid", spelled[cell.candidate], "Tanh"][:3 if kind == "LSTM" else 2]
    found = {"direction": {ours: theirs for theirs, ours in _DIRECTIONS.items()}[layer.direction],
             "activations": squash * len(layer.ways), "block_sizes": sizes if any(sizes) else None,
             "merge": layer.merge}
    if kind == "LSTM":
        found |= {"forget_bias": float(cell.forget_bias), "projection_size": cell.projection or 0}
    else:
        found |= {"linear_before_reset": int(cell.reset == "after"), "update": cell.update}
    defaults = _SHARED | _FREE[kind]
    return {"hidden_size": cell.hidden} | {name: value for name, value in found.items()
                                           if value != defaults[name]}


def layer_of(node, arrays, inputs):
    """The Layer of ``node``, which reads ``inputs`` entries a step, and {direction: {part: array}}.

    ``arrays`` are the file's. Raises ValueError with a sentence that names the node, what it must be and what
    it was.
    """
    kind, where = KINDS[node.op_type], f"{node.op_type} {node.name!r}"
    values = _checked(where, node)
    if len(node.outputs) != 2:
        raise ValueError(f"{where} must have 2 outputs, Y and Y_h, not {len(node.outputs)}")
    slots = _slots(where, node)
    settings = {"inputs": inputs, "hidden": values["hidden_size"], "candidate": values["candidate"]}
    if kind is Lstm:
        settings |= {"projection": values["projection_size"] or None, "forget_bias": values["forget_bias"],
                     "peephole": "P" in slots}
    else:
        settings |= {"reset": "after" if values["linear_before_reset"] else "before",
                     "update": values["update"]}
    cell = kind(**settings)
    layer = Layer(cell=cell, direction=_DIRECTIONS[values["direction"]], merge=values["merge"])
    found = {slot: _array(where, slot, name, arrays, shape) for (slot, name), shape in zip(
        slots.items(), _shapes(slots, layer, values["block_sizes"]), strict=True)}
    if values["first_rows"]:
        found |= {slot: columns_of_rows(found[slot]) for slot, size in values["block_sizes"].items() if size}
    return layer, {way: _parts(cell, {slot: array[n] for slot, array in found.items()})
                   for n, way in enumerate(layer.ways)}


def _choice(where, name, value, allowed):
    if value not in allowed:
        raise ValueError(f"{where} attribute {name} must be {' or '.join(map(str, allowed))}, not {value!r}")


def _checked(where, node):
    """Attributes with their defaults; ``candidate`` beside them, ``block_sizes`` by input."""
    kind, values = node.op_type, _SHARED | _FREE[node.op_type] | node.attributes
    known = {"hidden_size", *_SHARED, *_FREE[kind], *_FIXED[kind]}
    for name in node.attributes:
        if name not in known:
            raise ValueError(f"{where} attributes must be {', '.join(sorted(known))}, not {name}")
    for name, only in _FIXED[kind].items():
        _choice(where, name, values.get(name, only), (only,))
    for name, least in (("hidden_size", 1), ("projection_size", 0)):
        value = values.get(name, None if least else 0)
        if not (type(value) is int and value >= least):
            raise ValueError(f"{where} attribute {name} must be an integer of at least {least}, "
                             f"not {value!r}")
    _choice(where, "direction", values["direction"], tuple(_DIRECTIONS))
    _choice(where, "merge", values["merge"], ("concatenate", "sum"))
    _choice(where, "update", values.get("update", "keeps"), ("keeps", "updates"))
    for name in ("first_rows", "linear_before_reset"):
        _choice(where, name, values.get(name, 0), (0, 1))
    if type(values.get("forget_bias", 0.0)) not in (int, float):
        raise ValueError(f"{where} attribute forget_bias must be a number, not {values['forget_bias']!r}")
    return values | {"candidate": _candidate(where, node, values), "block_sizes": _sizes(where, node, values)}


def _candidate(where, node, values):
    ways = 2 if values["direction"] == "bidirectional" else 1
    good = {(("Sigmoid", squash, "Tanh")[:3 if node.op_type == "LSTM" else 2]) * ways: ours
            for squash, ours in _SQUASH.items()}
    value = values["activations"] or next(iter(good))
    if value not in list(good):       # a list: what came from a file need not be hashable
        raise ValueError(f"{where} attribute activations must be "
                         f"{' or '.join(', '.join(names) for names in good)}, not {value!r}")
    return good[value]


def _sizes(where, node, values):
    matrices = ("W", "R", "projection")[:3 if values.get("projection_size") else 2]
    value = values["block_sizes"] or (0,) * len(matrices)
    if not (isinstance(value, tuple) and len(value) == len(matrices)
            and all(type(v) is int and v in (0, *BLOCK_SIZES) for v in value)):
        raise ValueError(f"{where} attribute block_sizes must be a number for each of {', '.join(matrices)}, "
                         f"0 or one of {', '.join(map(str, BLOCK_SIZES))}, not {value!r}")
    return dict(zip(matrices, value, strict=True))


def _slots(where, node):
    """Names of the arrays that are there, by ONNX's name of the input."""
    names = _INPUTS[node.op_type]
    if not 3 <= len(node.inputs) <= len(names):
        raise ValueError(f"{where} must have 3 to {len(names)} inputs, not {len(node.inputs)}")
    found = {slot: name for slot, name in zip(names[1:], node.inputs[1:], strict=False) if name}
    for slot in _ABSENT:
        if slot in found:
            raise ValueError(f"{where} must be without {slot}, not have {found[slot]!r} there")
    for slot, needed in (("W", True), ("R", True),
                         ("projection", bool(node.attributes.get("projection_size")))):
        if needed != (slot in found):
            raise ValueError(f"{where} input {slot} must be {'an array' if needed else 'left out'}, "
                             f"not {repr(found[slot]) if slot in found else 'left out'}")
    return found


def _shapes(slots, layer, sizes):
    """What the arrays of ``slots`` must be."""
    cell, ways = layer.cell, len(layer.ways)
    plain = {"W": (cell.hidden, cell.inputs), "R": (cell.hidden, cell.outputs),
             "projection": (cell.outputs, cell.hidden), "B": (2 * cell.gates * cell.hidden,),
             "P": (3 * cell.hidden,)}
    for slot in slots:
        shape, gates = plain[slot], cell.gates if slot in ("W", "R") else 1
        if sizes.get(slot):
            front = (ways, gates) if gates > 1 else (ways,)
            yield (*front, *block_counts(shape, sizes[slot]), sizes[slot])
        else:
            yield (ways, gates * shape[0], *shape[1:])


def _array(where, slot, name, arrays, shape):
    if name not in arrays:
        raise ValueError(f"{where} input {slot} must be an array of the file, not the missing {name!r}")
    found = arrays[name]
    if found.shape != shape:
        raise ValueError(f"{where} input {slot} must be of shape {shape}, not {found.shape}")
    if found.dtype.kind != "f" or not np.all(np.isfinite(found)):
        raise ValueError(f"{where} input {slot} must be of finite floats, not "
                         f"{found.dtype if found.dtype.kind != 'f' else 'with NaN or infinity'}")
    return found


def _parts(cell, found):
    """One direction's arrays by part."""
    order = np.argsort(_ORDER[type(cell)])

    def gates(array):
        return (array if array.ndim == 4 else array.reshape(cell.gates, cell.hidden, -1))[order]

    parts = {"input": gates(found["W"]), "recurrent": gates(found["R"])}
    zeros = np.zeros((2 * cell.gates * cell.hidden,), found["W"].dtype)
    first, second = found.get("B", zeros).reshape(2, cell.gates, cell.hidden)[:, order]
    if "recurrent_bias" in cell.shapes:
        parts["recurrent_bias"] = second[2]
        second = np.concatenate([second[:2], np.zeros_like(second[2:])])
    parts["bias"] = (first + second).ravel()
    if "P" in found:
        parts["peephole"] = found["P"].reshape(3, -1)[_PEEPHOLES].ravel()
    if "projection" in found:
        parts["projection"] = found["projection"][None]
    return parts
