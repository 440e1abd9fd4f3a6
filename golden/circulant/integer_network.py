"""Recurrent layers in integers: what the circulant engine computes, before anything has a place in it.

A layer is a list of *products*, block-circulant matrices times vectors, each of several *gates*: rows of one
kind, which `Gate` has the element unit's settings of. Preactivations are in units of 2^-12; vectors x, y and
what is between them in units of powers of two.

    LSTM    gates i, f, g, o of [y' ; x];  with a projection, p of m = o . tanh(c)
    GRU     reset before:  r, z of [y' ; x];  n of [x ; r . y']
            reset after:   r, z of [y' ; x];  nr of y';  nx of x
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from .cells import Gru, Lstm
from .transform import unpack
from .words import Act, Addend, Left, Right, Row

__all__ = ["IntegerLayer", "IntegerNetwork", "Plan", "Product", "Vector", "gates", "plans"]


class Vector(StrEnum):
    """A layer's vectors."""

    X = "x"         #: the input
    OLD = "y'"      #: the output of the step before
    INNER = "m"     #: what a product of the layer makes for a later one: o . tanh(c), or r . y'
    Y = "y"         #: the output


@dataclass(frozen=True)
class Plan:
    """A product of a cell.

    ``columns``: which vectors, and which of the cell's arrays the weights are; ``by_element``: rows of one
    element stand together, as their results are needed soon, otherwise those of one gate do.
    """

    gates: tuple[str, ...]
    columns: tuple[tuple[Vector, str], ...]
    makes: Vector | None
    by_element: bool = False


_BOTH = (Vector.OLD, "recurrent"), (Vector.X, "input")


def plans(cell):
    """The products of ``cell``, in the order of their computation."""
    if isinstance(cell, Lstm):
        made = Vector.INNER if cell.projection else Vector.Y
        found = [Plan(("i", "f", "g", "o"), _BOTH, made, by_element=True)]
        return found + [Plan(("p",), ((Vector.INNER, "projection"),), Vector.Y)] * bool(cell.projection)
    if cell.reset == "before":
        # The rows of r first: r . y' is on its way while those of z are computed.
        return [Plan(("r", "z"), _BOTH, Vector.INNER),
                Plan(("n",), ((Vector.X, "input"), (Vector.INNER, "recurrent")), Vector.Y)]
    return [Plan(("r", "z"), _BOTH, None), Plan(("nr",), _BOTH[:1], None), Plan(("nx",), _BOTH[1:], Vector.Y)]


def gates(cell):
    """{gate: (its number in the cell's arrays, Row of what the element unit does)}; places are left open."""
    candidate = Act.TANH if cell.candidate == "tanh" else Act.SIGMOID
    if isinstance(cell, Lstm):
        sees = {"act": Act.SIGMOID, "peephole": cell.peephole}
        return {"i": (0, Row(**sees, old=True, to_t0=True)),
                "f": (1, Row(**sees, old=True, right=Right.C, to_c=True)),
                "g": (2, Row(act=candidate, right=Right.T0, addend=Addend.C, to_c=True)),
                "o": (3, Row(**sees, right=Right.TANH_C, to_vector=True)),
                "p": (0, Row(to_vector=True))}
    mixed = ({"left": Left.A_LESS_C, "addend": Addend.C} if cell.update == "updates"
             else {"left": Left.C_LESS_A, "addend": Addend.A})
    last = {"act": candidate, **mixed, "right": Right.T0, "old": True, "to_c": True, "to_vector": True}
    reset = ({"right": Right.C, "old": True, "to_vector": True} if cell.reset == "before"
             else {"to_t1": True})
    return {"z": (0, Row(act=Act.SIGMOID, to_t0=True)), "r": (1, Row(act=Act.SIGMOID, **reset)),
            "n": (2, Row(**last)), "nr": (2, Row(right=Right.T1, to_t1=True)),
            "nx": (2, Row(**last, add=True))}


@dataclass(frozen=True, kw_only=True, eq=False)
class Product:
    """A product's numbers; axes "gates" are those of ``plan.gates``."""

    plan: Plan
    weights: tuple[np.ndarray, ...]     #: of each of the plan's columns, int64 (gates, blocks, columns, h, 2)
    bias: np.ndarray                    #: int64 (gates, entries), in units of 2^-12
    peephole: np.ndarray                #: int64 (gates, entries), in units of 2^-12
    sum_shift: int                      #: in front of the inverse transform
    pre_shift: int                      #: behind it
    out_shift: int                      #: of results that become vectors


@dataclass(frozen=True, kw_only=True, eq=False)
class IntegerLayer:
    """A cell in integers; ``exponents``: of each Vector and of each array of weights, units being 2 ** e."""

    cell: Lstm | Gru
    products: tuple[Product, ...]
    exponents: dict[str, int]

    def arrays(self):
        """The cell's arrays, float64 first columns and vectors, that the integers stand for."""
        parts = {"bias": np.zeros((self.cell.gates, self.cell.hidden)),
                 "peephole": np.zeros((self.cell.gates, self.cell.hidden))}
        numbers = gates(self.cell)
        for product in self.products:
            for gate, name in enumerate(product.plan.gates):
                number = numbers[name][0]
                for (_, part), weights in zip(product.plan.columns, product.weights, strict=True):
                    columns = np.fft.irfft(unpack(np.ldexp(weights[gate], self.exponents[part])))
                    shape = self.cell.shapes[part][0], *columns.shape
                    parts.setdefault(part, np.zeros(shape))[number] = columns
                if name == "nr":
                    parts["recurrent_bias"] = np.ldexp(product.bias[gate], -12)
                elif name != "p":
                    parts["bias"][number] = np.ldexp(product.bias[gate], -12)
                    parts["peephole"][number] = np.ldexp(product.peephole[gate], -12)
        parts["peephole"] = parts["peephole"][[0, 1, -1]].reshape(-1)
        if isinstance(self.cell, Lstm):
            parts["bias"][1] -= self.cell.forget_bias
        return {name: parts[name].reshape(-1) if name == "bias" else parts[name] for name in self.cell.shapes}


@dataclass(frozen=True, kw_only=True, eq=False)
class IntegerNetwork:
    """Layers one behind the other, in blocks of ``block``; x of a layer is y of the one before."""

    block: int
    layers: tuple[IntegerLayer, ...]
