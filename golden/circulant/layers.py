"""Cells run over sequences: forward, backward or both ways, each sequence within its own length."""

from dataclasses import dataclass, field

import numpy as np

from . import gru, lstm
from .cells import Gru, Lstm, dense_matrices, tied_gradients

__all__ = ["Layer", "layer_backward", "layer_forward", "valid_frames"]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One cell, or two of one kind that read the sequence in opposite directions."""

    cell: Lstm | Gru
    direction: str = "forward"      #: "forward", "reverse" or "both"
    merge: str = "concatenate"      #: of both: "concatenate" (forward first) or "sum"

    ways: tuple[str, ...] = field(init=False, repr=False)    #: the directions it reads in

    def __post_init__(self):
        for name, allowed in (("direction", ("forward", "reverse", "both")),
                              ("merge", ("concatenate", "sum"))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be {', '.join(allowed[:-1])} or {allowed[-1]}, "
                                 f"not {getattr(self, name)!r}")
        both = self.direction == "both"
        object.__setattr__(self, "ways", ("forward", "reverse") if both else (self.direction,))

    @property
    def outputs(self):
        """Entries of an output."""
        return self.cell.outputs * (2 if self.direction == "both" and self.merge == "concatenate" else 1)

    def split(self, y):
        """Of an output, or its gradient, (..., outputs): what each direction has of it."""
        if len(self.ways) == 1:
            return [y]
        return [y, y] if self.merge == "sum" else np.split(y, 2, axis=-1)

    def join(self, parts):
        """The output (..., outputs) of what the directions yield."""
        return np.concatenate(parts, axis=-1) if self.merge == "concatenate" else sum(parts)


def valid_frames(lengths, steps, dtype):
    """(T, N, 1), 1 where frame t lies within the sequence, else 0."""
    return (np.arange(steps)[:, None] < lengths).astype(dtype)[..., None]


def _turned(x, lengths):
    """Each sequence of ``x`` (T, N, entries) turned round within its length; its own inverse."""
    steps = np.arange(len(x))[:, None]
    order = np.where(steps < lengths, lengths - 1 - steps, steps)
    return x[order, np.arange(x.shape[1])]


def _zeros(cell, like):
    return tuple(np.zeros((like.shape[1], width), like.dtype) for width in cell.states)


def _module(cell):
    return lstm if isinstance(cell, Lstm) else gru


def layer_forward(layer, arrays, x, lengths, states=None):
    """Outputs (T, N, outputs), {direction: last states}, and a cache.

    ``x`` (T, N, inputs), ``lengths`` (N,); ``arrays`` is {direction: {part: array}}, matrices dense or first
    columns; ``states`` {direction: states before its first frame}, zeros if left out. Outputs behind a
    sequence's end are 0; the reverse direction starts at each sequence's last frame. States are (y,) or
    (y, c), each (N, entries).
    """
    # From the longest to the shortest: cells compute what is still running, and nothing else.
    order = np.argsort(-lengths, kind="stable")
    back, x, lengths = np.argsort(order), x[:, order], lengths[order]
    active = np.count_nonzero(valid_frames(lengths, len(x), bool)[..., 0], axis=1)
    outputs, last, caches = [], {}, {}
    for way in layer.ways:
        dense = dense_matrices(layer.cell, arrays[way])
        begin = tuple(state[order] for state in (states or {}).get(way) or _zeros(layer.cell, x))
        seen = _turned(x, lengths) if way == "reverse" else x
        y, end, cache = _module(layer.cell).forward(layer.cell, dense, seen, active, begin)
        last[way] = tuple(state[back] for state in end)
        outputs.append((_turned(y, lengths) if way == "reverse" else y)[:, back])
        caches[way] = dense, cache
    return layer.join(outputs), last, (caches, lengths, order, back)


def layer_backward(layer, arrays, cache, dy, dlast=None):
    """Gradients (by x, {direction: {part: by its array}}) of a loss.

    ``dy`` (T, N, outputs) is the one by the outputs, ``dlast`` {direction: by the last states} (0 if left
    out). Gradients by first columns are those of the tied weights.
    """
    caches, lengths, order, back = cache
    dx, found = 0, {}
    for way, part in zip(layer.ways, layer.split(dy[:, order]), strict=True):
        dense, inner = caches[way]
        end = tuple(state[order] for state in (dlast or {}).get(way) or _zeros(layer.cell, dy))
        flowing = _turned(part, lengths) if way == "reverse" else part
        here, _, by = _module(layer.cell).backward(layer.cell, dense, inner, flowing, end)
        dx = dx + (_turned(here, lengths) if way == "reverse" else here)
        found[way] = tied_gradients(arrays[way], by)
    return dx[:, back], found
