"""The network format: a small graph in ONNX's words, and its arrays, in one npz file.

The file holds one JSON string, ``graph``, and one array for each initializer, under the tensor's name (never
pickled):

    {"format": "shiftwork-network", "version": 1,
     "input": {"name": "x", "shape": [1, 8, 8]}, "output": "logits",
     "nodes": [{"name": "conv1", "op_type": "Conv", "inputs": ["x", "conv1.weight"], "outputs": ["conv1"],
                "attributes": {"kernel_shape": [3, 3], "strides": [1, 1], "pads": [1, 1, 1, 1]}}, ...],
     "ranges": {"x": [0, 1], ...}}

Operators, their inputs and their attributes are ONNX's (pads are top, left, bottom, right); nodes stand in
the order of computation. ``ranges`` is optional: of an activation, the clip range (low, high) that 8 bits
should cover; low is 0 where it is never negative.
"""

import json
import os
import zipfile
import zlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from io import BytesIO
from pathlib import Path

import numpy as np

from .graph import infer_shapes
from .layers import FORWARD

__all__ = ["Node", "Network", "save", "load", "calibrate"]

FORMAT, VERSION = "shiftwork-network", 1


@dataclass(frozen=True, kw_only=True)
class Node:
    """One operation: ``outputs = op_type(inputs)``; activations come first (Add has two), then arrays."""

    op_type: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict = field(default_factory=dict)   #: ONNX's names; lists become tuples

    def __post_init__(self):
        for name in ("inputs", "outputs"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for value in (self.op_type, self.name, *self.inputs, *self.outputs):
            if not isinstance(value, str):
                raise ValueError(f"node's op_type, name, inputs and outputs must be strings, not {value!r}")
        attributes = {k: tuple(v) if isinstance(v, list) else v for k, v in self.attributes.items()}
        object.__setattr__(self, "attributes", attributes)

    @property
    def sources(self):
        """Names of the activations among the inputs."""
        return self.inputs[:2 if self.op_type == "Add" else 1]


@dataclass(frozen=True, kw_only=True)
class Network:
    """A checked network; one input (C, H, W) or (K,), one output.

    Raises ValueError with a sentence that names the node, what it must be and what it was.
    """

    nodes: tuple[Node, ...]
    arrays: dict[str, np.ndarray]
    input_shape: tuple[int, ...]
    input_name: str = "x"
    output_name: str = "logits"
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self):
        infer_shapes(self)

    @cached_property
    def shapes(self):
        """Shape of one image, for each activation's name."""
        return infer_shapes(self)

    def activations(self, x):
        """All activations of ``x`` (N, ...), float32, by name: arrays (..., N), the batch last."""
        x = np.asarray(x, np.float32)
        if x.shape[1:] != tuple(self.input_shape):
            raise ValueError(f"input must be of shape (N, {str(tuple(self.input_shape))[1:]}, not {x.shape}")
        arrays = {name: array.astype(np.float32) for name, array in self.arrays.items()}
        values = {self.input_name: np.ascontiguousarray(np.moveaxis(x, 0, -1))}
        for node in self.nodes:
            found = [values[source] for source in node.sources]
            values[node.outputs[0]] = FORWARD[node.op_type](node, arrays, False, *found)[0]
        return values

    def forward(self, x, batch=256):
        """The float reference: output (N, ...) of ``x`` (N, C, H, W) or (N, K), float32, in batches."""
        parts = [self.activations(x[n:n + batch])[self.output_name] for n in range(0, max(len(x), 1), batch)]
        return np.concatenate([np.moveaxis(part, -1, 0) for part in parts])

    def accuracy(self, x, labels):
        """Share of ``x`` whose greatest output is the label's."""
        return float(np.mean(self.forward(x).argmax(axis=1) == labels))


def _graph_json(network):
    nodes = [{"name": n.name, "op_type": n.op_type, "inputs": n.inputs, "outputs": n.outputs,
              "attributes": n.attributes} for n in network.nodes]
    return json.dumps({"format": FORMAT, "version": VERSION, "output": network.output_name, "nodes": nodes,
                       "input": {"name": network.input_name, "shape": network.input_shape},
                       "ranges": network.ranges}, sort_keys=True)


def save(network, path):
    """Writes ``network`` to ``path``: same network, same bytes; the file appears whole or not."""
    if "graph" in network.arrays:
        raise ValueError("array name must not be 'graph', the name of the file's description")
    entries = {"graph": np.array(_graph_json(network)), **network.arrays}
    path = Path(path)
    beside = path.with_name(path.name + ".part")
    with zipfile.ZipFile(beside, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(entries):
            buffer = BytesIO()
            np.lib.format.write_array(buffer, np.array(entries[name], order="C"), allow_pickle=False)
            # A fixed date: zip entries carry the time of writing otherwise.
            entry = zipfile.ZipInfo(name + ".npy", date_time=(1980, 1, 1, 0, 0, 0))
            archive.writestr(entry, buffer.getvalue())
    os.replace(beside, path)


def _read(path):
    if not Path(path).exists():
        raise FileNotFoundError(f"network file {path} must exist, not be absent")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"network file {path} must be an npz archive, not another kind of file")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"network file {path} must hold plain arrays, not others ({error})") from None
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise ValueError(f"network file {path} must hold plain arrays, not the entry {name!r}")
    return arrays


def load(path):
    """Reads a network file.

    Raises FileNotFoundError, or ValueError with a sentence that says what the file must be and what it was.
    """
    arrays = _read(path)
    if "graph" not in arrays:
        raise ValueError(f"network file {path} must have the entry 'graph', not only {sorted(arrays)}")
    try:
        graph = json.loads(str(arrays.pop("graph")))
        found = (graph.get("format"), graph.get("version"))
    except (json.JSONDecodeError, AttributeError) as error:
        raise ValueError(f"graph of {path} must be a JSON object, not something else ({error})") from None
    if found != (FORMAT, VERSION):
        raise ValueError(f"graph of {path} must be {FORMAT} version {VERSION}, "
                         f"not {found[0]} version {found[1]}")
    try:
        nodes = tuple(Node(op_type=n["op_type"], name=n["name"], inputs=n["inputs"], outputs=n["outputs"],
                           attributes=n.get("attributes", {})) for n in graph["nodes"])
        settings = {"input_shape": tuple(graph["input"]["shape"]), "input_name": graph["input"]["name"],
                    "output_name": graph["output"],
                    "ranges": {k: (float(v[0]), float(v[1])) for k, v in graph.get("ranges", {}).items()}}
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"graph of {path} must have input, output and nodes as documented, "
                         f"not miss or misshape {error}") from None
    return Network(nodes=nodes, arrays=arrays, **settings)


def _clip_range(values, bits):
    """Range whose uniform quantization to ``bits`` bits has the least mean squared error on ``values``."""
    signed = bool(values.min() < 0)
    levels = 2 ** (bits - 1) - 1 if signed else 2 ** bits - 1
    greatest = float(np.abs(values).max()) or 1.0
    best = None
    for clip in greatest * np.linspace(0.3, 1, 71):
        step = clip / levels
        rounded = np.clip(np.round(values / step), -levels - 1 if signed else 0, levels) * step
        error = float(np.mean((rounded - values) ** 2))
        if best is None or error < best[0]:
            best = error, float(clip)
    return (-best[1] if signed else 0.0, best[1])


def calibrate(network, x, bits=8):
    """``network`` with ``ranges`` of all activations measured on ``x`` (N, ...).

    An activation's range is the one of least mean squared quantization error; the input's is its exact
    range, or the one the network already has.
    """
    ranges = {}
    for name, values in network.activations(x).items():
        if name == network.input_name:
            low, high = float(values.min()), float(values.max())
            ranges[name] = network.ranges.get(name, (min(low, 0.0), max(high, 0.0) or 1.0))
        else:
            flat = values.reshape(-1)
            ranges[name] = _clip_range(flat[::max(1, len(flat) // 100_000)], bits)
    return replace(network, ranges=ranges)
