"""LSTM and GRU cells: their equations, options and arrays.

x is the input at one step, y the output (and y' the one of the step before), c an LSTM's inner state; ``.``
is the product of entries, sig(a) = 1 / (1 + exp(-a)). W is the array "input", R "recurrent", P "projection",
b "bias", d "recurrent_bias", p "peephole". A cell's arrays go by part:

* "input" (gates, hidden, inputs), "recurrent" (gates, hidden, outputs), "projection" (1, outputs, hidden):
  matrices, one for each gate, dense, or block-circulant: first columns (gates, p, q, k), each gate padded by
  itself;
* "bias" (gates * hidden,), "recurrent_bias" (hidden,), "peephole" (3 * hidden,): vectors, never circulant.
"""

from dataclasses import dataclass

import numpy as np

from .matrix import diagonal_sums, expand

__all__ = ["Gru", "Lstm", "MATRICES", "dense_matrices", "initial", "sigmoid", "tied_gradients"]

MATRICES = ("input", "recurrent", "projection")
_CANDIDATES = ("tanh", "sigmoid")


def _check_sizes(cell, *names):
    for name in names:
        value = getattr(cell, name)
        if not (type(value) is int and value >= 1):
            raise ValueError(f"{name} must be an integer of at least 1, not {value!r}")


def _check_choice(name, value, allowed):
    if value not in allowed:
        raise ValueError(f"{name} must be {' or '.join(allowed)}, not {value!r}")


@dataclass(frozen=True, kw_only=True)
class Lstm:
    """A long short-term memory, gates in the order i, f, g, o (arXiv:1812.07106, papers.md 3.1).

        i = sig(W_i x + R_i y' + p_i . c' + b_i)
        f = sig(W_f x + R_f y' + p_f . c' + b_f + forget_bias)
        g = candidate(W_g x + R_g y' + b_g)
        c = f . c' + g . i
        o = sig(W_o x + R_o y' + p_o . c + b_o)          the new c
        m = o . tanh(c),   y = P m

    Without ``peephole`` all p are 0; without ``projection`` (the number of outputs) y = m.
    """

    inputs: int
    hidden: int
    projection: int | None = None
    peephole: bool = False
    candidate: str = "tanh"         #: "tanh" (trained models) or "sigmoid" (C-LSTM's and E-RNN's equations)
    forget_bias: float = 0.0

    gates = 4

    def __post_init__(self):
        _check_sizes(self, "inputs", "hidden", *(["projection"] if self.projection is not None else []))
        _check_choice("candidate", self.candidate, _CANDIDATES)

    @property
    def outputs(self):
        return self.projection or self.hidden

    @property
    def shapes(self):
        """{part: shape of its dense array}."""
        found = {"input": (4, self.hidden, self.inputs), "recurrent": (4, self.hidden, self.outputs),
                 "bias": (4 * self.hidden,)}
        if self.peephole:
            found["peephole"] = (3 * self.hidden,)
        if self.projection:
            found["projection"] = (1, self.projection, self.hidden)
        return found

    @property
    def states(self):
        """Widths of the states: y and c."""
        return self.outputs, self.hidden


@dataclass(frozen=True, kw_only=True)
class Gru:
    """A gated recurrent unit, gates in the order z, r, n (arXiv:1812.07106, papers.md 3.1).

        z = sig(W_z x + R_z y' + b_z)
        r = sig(W_r x + R_r y' + b_r)
        n = candidate(W_n x + R_n (r . y') + b_n)            reset "before" the matrix (E-RNN)
        n = candidate(W_n x + r . (R_n y' + d_n) + b_n)      reset "after" it
        y = (1 - z) . y' + z . n                             z "updates" (E-RNN)
        y = z . y' + (1 - z) . n                             z "keeps" (ONNX, TensorFlow)
    """

    inputs: int
    hidden: int
    reset: str = "before"
    update: str = "updates"
    candidate: str = "tanh"

    gates = 3

    def __post_init__(self):
        _check_sizes(self, "inputs", "hidden")
        _check_choice("candidate", self.candidate, _CANDIDATES)
        _check_choice("reset", self.reset, ("before", "after"))
        _check_choice("update", self.update, ("updates", "keeps"))

    @property
    def outputs(self):
        return self.hidden

    @property
    def shapes(self):
        """{part: shape of its dense array}."""
        found = {"input": (3, self.hidden, self.inputs), "recurrent": (3, self.hidden, self.hidden),
                 "bias": (3 * self.hidden,)}
        if self.reset == "after":
            found["recurrent_bias"] = (self.hidden,)
        return found

    @property
    def states(self):
        """Widths of the states: y."""
        return (self.hidden,)


def sigmoid(a):
    """1 / (1 + exp(-a)), without overflow, in the type of ``a``."""
    half = a.dtype.type(0.5)
    return half * np.tanh(half * a) + half


def initial(cell, rng):
    """{part: float32 array}: matrices uniform within +-1 / sqrt(columns), vectors 0."""
    return {part: (rng.uniform(-1, 1, shape) / np.sqrt(shape[-1])).astype(np.float32) if part in MATRICES
            else np.zeros(shape, np.float32) for part, shape in cell.shapes.items()}


def dense_matrices(cell, arrays):
    """``arrays`` ({part: array}) of ``cell`` with first columns replaced by the matrices they stand for.

    Raises ValueError for missing or further parts, and for wrong shapes.
    """
    if arrays.keys() != cell.shapes.keys():
        raise ValueError(f"cell must have the arrays {sorted(cell.shapes)}, not {sorted(arrays)}")
    found = {}
    for part, shape in cell.shapes.items():
        array = arrays[part]
        if part in MATRICES and array.ndim == 4:
            array = expand(array, shape)
        if array.shape != shape:
            raise ValueError(f"array {part} must be of shape {shape}, not {array.shape}")
        found[part] = array
    return found


def tied_gradients(arrays, gradients):
    """``gradients`` by dense matrices as those by ``arrays``: of first columns, the diagonals' sums."""
    return {part: diagonal_sums(found, arrays[part].shape[-1])
            if part in MATRICES and arrays[part].ndim == 4 else found for part, found in gradients.items()}
