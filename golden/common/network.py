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

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from .graph import infer_shapes
from .layers import FORWARD
from .network_file import Node, read_file, write_file

__all__ = ["Node", "Network", "save", "load", "calibrate"]

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


def save(network, path):
    """Writes ``network`` to ``path``: same network, same bytes; the file appears whole or not."""
    write_file(path, nodes=network.nodes, arrays=network.arrays, input_name=network.input_name,
               input_shape=network.input_shape, output_name=network.output_name, ranges=network.ranges)


def load(path):
    """Reads a network file.

    Raises FileNotFoundError, or ValueError with a sentence that says what the file must be and what it was.
    """
    return Network(**read_file(path))


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
