"""Recurrent networks: layers one behind the other, and a head that names a class.

Arrays go by name: "layer0.forward.input" and so on, ``layer<number>.<direction>.<part>`` with the parts of
`cells`, and "head.weight" (classes, features), "head.bias" (classes,).
"""

from dataclasses import dataclass

import numpy as np
from shiftwork.golden.common.layers import softmax_cross_entropy

from .cells import MATRICES, dense_matrices, initial
from .layers import Layer, layer_backward, layer_forward, valid_frames
from .matrix import block_counts

__all__ = ["RecurrentNetwork", "Sequences", "gradients"]


@dataclass(frozen=True, eq=False)
class Sequences:
    """Features ``x`` (N, T, entries), float, of which the first ``lengths`` (N,) frames count."""

    x: np.ndarray
    lengths: np.ndarray

    def __post_init__(self):
        if self.x.ndim != 3 or self.lengths.shape != self.x.shape[:1]:
            raise ValueError(f"sequences must be (N, T, entries) with N lengths, "
                             f"not {self.x.shape} with {self.lengths.shape}")
        if len(self.lengths) and not 1 <= self.lengths.min() <= self.lengths.max() <= self.x.shape[1]:
            raise ValueError(f"lengths must be from 1 to {self.x.shape[1]}, "
                             f"not {self.lengths.min()} to {self.lengths.max()}")

    def __len__(self):
        return len(self.x)

    def __getitem__(self, chosen):
        """The chosen ones, cut at the end of the longest."""
        lengths = self.lengths[chosen]
        return Sequences(self.x[chosen, :lengths.max(initial=1)], lengths)


@dataclass(frozen=True, kw_only=True, eq=False)
class RecurrentNetwork:
    """``layers``, and a head on the last states of the last one, or on the mean of its outputs over time.

        logits = A s + b;   s = each direction's output behind its last frame ("last"), or
                            (1 / length) * sum over t of y[t] ("mean")

    Raises ValueError where layers, classes or arrays do not fit each other.
    """

    layers: tuple[Layer, ...]
    classes: int
    arrays: dict[str, np.ndarray]
    head: str = "last"

    def __post_init__(self):
        if self.head not in ("last", "mean"):
            raise ValueError(f"head must be last or mean, not {self.head!r}")
        for before, layer in zip(self.layers, self.layers[1:], strict=False):
            if before.outputs != layer.cell.inputs:
                raise ValueError(f"inputs of a layer must be the {before.outputs} outputs of the one before, "
                                 f"not {layer.cell.inputs}")
        names = {"head.weight", "head.bias"}
        for number, layer in enumerate(self.layers):
            for way, parts in self.parts(number, self.arrays).items():
                dense_matrices(layer.cell, parts)
                names |= {f"layer{number}.{way}.{part}" for part in parts}
        if self.arrays.keys() != names:
            raise ValueError(f"arrays must be {sorted(names)}, not {sorted(self.arrays)}")
        shape = self.classes, self.layers[-1].outputs
        found = self.arrays["head.weight"].shape, self.arrays["head.bias"].shape
        if found != (shape, shape[:1]):
            raise ValueError(f"head must have a weight {shape} and a bias {shape[:1]}, "
                             f"not {found[0]} and {found[1]}")

    @classmethod
    def random(cls, layers, classes, seed=0, head="last"):
        """One of small random weights, float32."""
        rng, arrays = np.random.default_rng(seed), {}
        for number, layer in enumerate(layers):
            for way in layer.ways:
                arrays |= {f"layer{number}.{way}.{part}": array
                           for part, array in initial(layer.cell, rng).items()}
        width = layers[-1].outputs
        arrays["head.weight"] = (rng.uniform(-1, 1, (classes, width)) / np.sqrt(width)).astype(np.float32)
        arrays["head.bias"] = np.zeros(classes, np.float32)
        return cls(layers=tuple(layers), classes=classes, arrays=arrays, head=head)

    @classmethod
    def random_circulant(cls, cells, size, seed=0, scale=1.0):
        """Forward layers of ``cells``, float64, whose matrices are first columns of blocks of ``size``.

        Entries of matrices have a deviation of ``scale`` / sqrt(columns), those of vectors ``scale`` / 4; the
        head is 0. ``seed`` may be a Generator.
        """
        rng, arrays = np.random.default_rng(seed), {}
        for number, cell in enumerate(cells):
            for part, shape in cell.shapes.items():
                spread = scale / 4
                if part in MATRICES:
                    spread = scale / np.sqrt(shape[-1])
                    shape = (*shape[:-2], *block_counts(shape, size), size)
                arrays[f"layer{number}.forward.{part}"] = rng.normal(0, spread, shape)
        arrays |= {"head.weight": np.zeros((1, cells[-1].outputs)), "head.bias": np.zeros(1)}
        return cls(layers=tuple(Layer(cell=cell) for cell in cells), classes=1, arrays=arrays)

    @property
    def matrices(self):
        """{name: shape of the dense array} of all matrices of cells."""
        return {f"layer{number}.{way}.{part}": shape for number, layer in enumerate(self.layers)
                for way in layer.ways for part, shape in layer.cell.shapes.items() if part in MATRICES}

    def parts(self, number, arrays):
        """Those of ``arrays`` that are layer ``number``'s, {direction: {part: array}}."""
        prefixes = {way: f"layer{number}.{way}." for way in self.layers[number].ways}
        return {way: {name.removeprefix(prefix): array for name, array in arrays.items()
                      if name.startswith(prefix)} for way, prefix in prefixes.items()}

    def outputs(self, sequences):
        """Outputs (N, T, outputs) of the last layer, 0 behind a sequence's end."""
        y, _, _, _ = _layers(self, self.arrays, sequences)
        return y.swapaxes(0, 1)

    def forward(self, sequences, batch=256):
        """Logits (N, classes) of ``sequences``, in batches."""
        def logits(part):
            y, last, _, _ = _layers(self, self.arrays, part)
            return _head(self, self.arrays, y, last, part)[0].T
        return np.concatenate([logits(sequences[n:n + batch]) for n in range(0, len(sequences), batch)])

    def accuracy(self, sequences, labels):
        """Share of ``sequences`` whose greatest logit is the label's."""
        return float(np.mean(self.forward(sequences).argmax(axis=1) == labels))


def _layers(network, arrays, sequences):
    """Last layer's outputs (T, N, outputs), its last states, arrays by layer, caches by layer."""
    y = np.ascontiguousarray(sequences.x.swapaxes(0, 1), dtype=arrays["head.weight"].dtype)
    last, parts, caches = None, [], []
    for number, layer in enumerate(network.layers):
        parts.append(network.parts(number, arrays))
        y, last, cache = layer_forward(layer, parts[-1], y, sequences.lengths)
        caches.append(cache)
    return y, last, parts, caches


def _head(network, arrays, y, last, sequences):
    """Logits (classes, N), and what the head saw of them, (N, outputs)."""
    layer = network.layers[-1]
    if network.head == "last":
        seen = layer.join([last[way][0] for way in layer.ways])
    else:
        seen = y.sum(axis=0) / sequences.lengths[:, None].astype(y.dtype)
    return arrays["head.weight"] @ seen.T + arrays["head.bias"][:, None], seen


def _head_backward(network, dseen, y, sequences):
    """Gradients by the outputs ``y`` and by the last states of what the head saw."""
    layer, dy = network.layers[-1], np.zeros_like(y)
    if network.head == "last":
        return dy, {way: (part, *(np.zeros((len(part), width), y.dtype) for width in layer.cell.states[1:]))
                    for way, part in zip(layer.ways, layer.split(dseen), strict=True)}
    dy += dseen / sequences.lengths[:, None].astype(y.dtype)
    return dy * valid_frames(sequences.lengths, len(y), y.dtype), None


def gradients(network, arrays, sequences, labels):
    """Softmax cross entropy of a batch and its gradient by every array: (loss, {name: gradient}).

    Backpropagation through all of time. Of first columns, the gradient is that of the tied weights.
    """
    y, last, parts, caches = _layers(network, arrays, sequences)
    logits, seen = _head(network, arrays, y, last, sequences)
    loss, dlogits = softmax_cross_entropy(logits, labels)
    found = {"head.weight": dlogits @ seen, "head.bias": dlogits.sum(axis=1)}
    dy, dlast = _head_backward(network, dlogits.T @ arrays["head.weight"], y, sequences)
    for number in reversed(range(len(network.layers))):
        dy, by = layer_backward(network.layers[number], parts[number], caches[number], dy, dlast)
        dlast = None
        found |= {f"layer{number}.{way}.{part}": gradient for way, here in by.items()
                  for part, gradient in here.items()}
    return loss, found
