"""The design space in two phases (arXiv:1812.07106, section V; papers.md 3.4), as pure functions.

Phase I: cell and block size. A greater block stores and multiplies less and costs accuracy; a bound on the
memory is one from below, a bound on the loss one from above. Losses are measured, not modelled: `Losses`.

Phase II: of one cell and block size rows of blocks that are computed together, bits and segments of the
activations, within what a device has. Cycles are the timing model's.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from .cells import MATRICES, Gru, Lstm
from .layers import Layer
from .matrix import block_counts

__all__ = ["BLOCKS", "Candidate", "Choice", "Losses", "NETWORKS", "as_cell", "best", "pareto", "phase_one",
           "proposal"]

BLOCKS = (4, 8, 16, 32, 64)
"""Block sizes that the engine can have."""

NETWORKS = {
    "google-lstm": (Layer(cell=Lstm(inputs=153, hidden=1024, projection=512, peephole=True)),),
    "google-gru": (Layer(cell=Gru(inputs=153, hidden=1024)),),
}
"""Layers that the papers measure (arXiv:1803.06305, 1812.07106)."""


@dataclass(frozen=True, kw_only=True)
class Losses:
    """Measured losses in points: ``block`` {cell: {block size: loss}}, ``bits`` {bits: further loss}.

    Raises ValueError for other names, sizes and values.
    """

    block: dict[str, dict[int, float]]
    bits: dict[int, float] = field(default_factory=dict)

    def __post_init__(self):
        if not isinstance(self.block, dict) or not self.block or self.block.keys() - {"lstm", "gru"}:
            raise ValueError(f"losses by block must be of lstm, gru or both, not {self.block!r}")
        for what, table in (*((f"of {cell}", table) for cell, table in self.block.items()),
                            ("by bits", self.bits)):
            if not isinstance(table, dict):
                raise ValueError(f"losses {what} must be a table, not {table!r}")
            for key, loss in table.items():
                if type(loss) not in (int, float) or not np.isfinite(loss):
                    raise ValueError(f"losses {what} must be numbers, not {loss!r} for {key}")
        for cell, table in self.block.items():
            for size in table.keys() - set(BLOCKS):
                raise ValueError(f"losses of {cell} must be for block sizes {', '.join(map(str, BLOCKS))}, "
                                 f"not {size}")
        for bits in self.bits.keys() - set(range(8, 18)):
            raise ValueError(f"losses by bits must be for 8 to 17 bits, not {bits}")

    @classmethod
    def read(cls, text):
        """Of a JSON object {"lstm": {"8": 0.14, ...}, "gru": {...}, "bits": {"12": 0.0, ...}}."""
        def by_number(table):
            return {int(key): loss for key, loss in table.items()} if isinstance(table, dict) else table

        if not isinstance(text, dict):
            raise ValueError(f"losses must be a JSON object, not {text!r}")
        try:
            tables = {name: by_number(table) for name, table in text.items()}
        except ValueError as error:
            raise ValueError(f"losses must be for numbers, not others ({error})") from None
        return cls(bits=tables.pop("bits", {}), block=tables)


def as_cell(layers, kind):
    """``layers`` with cells of ``kind`` ("lstm", "gru") of the same hidden size; those of the kind stay."""
    found, inputs = [], layers[0].cell.inputs
    for layer in layers:
        cell = layer.cell
        if _kind(cell) == kind:
            cell = replace(cell, inputs=inputs)
        else:
            cell = {"lstm": Lstm, "gru": Gru}[kind](inputs=inputs, hidden=cell.hidden)
        found.append(replace(layer, cell=cell))
        inputs = found[-1].outputs
    return tuple(found)


def _kind(cell):
    return "lstm" if isinstance(cell, Lstm) else "gru"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A row of phase I; ``loss`` is None where none was measured."""

    cell: str
    block: int
    weights: int            #: stored numbers, k a block
    memory_bits: int        #: of them
    multiplications: int    #: of a step in the lanes, 3 k / 2 - 1 a block
    loss: float | None
    fits: bool              #: its weights fit the memory
    accurate: bool          #: its loss is within the bound, or none was asked for


def phase_one(layers, losses, *, memory_bits, weight_width=12, most_loss=None, blocks=BLOCKS):
    """All `Choice`s of ``layers``: of the cells of ``losses`` (a `Losses`, or None: of their own cells).

    ``memory_bits`` are those for weights, ``most_loss`` the greatest loss in points, None: any.
    """
    kinds = losses.block if losses else {_kind(layer.cell): None for layer in layers}
    if not losses and len(kinds) > 1:
        raise ValueError("layers must have cells of one kind, not LSTM and GRU")
    found = []
    for kind in kinds:
        cells = as_cell(layers, kind)
        for block in blocks:
            count = sum(shape[0] * int(np.prod(block_counts(shape, block))) * len(layer.ways)
                        for layer in cells for part, shape in layer.cell.shapes.items() if part in MATRICES)
            loss = losses.block[kind].get(block) if losses else None
            bits = count * block * weight_width
            found.append(Choice(
                cell=kind, block=block, weights=count * block, memory_bits=bits, loss=loss,
                multiplications=count * (3 * block // 2 - 1), fits=bits <= memory_bits,
                accurate=most_loss is None or loss is not None and loss <= most_loss))
    return found


def proposal(choices):
    """The `Choice` of fewest multiplications among those that fit and are accurate; None where none is.

    Of a block of k numbers the lanes multiply 3 k / 2 - 1 times, for k * k weights: so this is the greatest
    block size that the accuracy allows, unless a cell of another kind does with less.
    """
    good = [choice for choice in choices if choice.fits and choice.accurate]
    return min(good, key=lambda choice: (choice.multiplications, choice.weights), default=None)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An engine for a network: what it takes, and what a step takes."""

    config: object
    resources: object
    cycles: int             #: of a step
    activation_error: float     #: greatest of sigmoid and tanh
    loss: float             #: by bits, in points
    fits: bool              #: the device

    @property
    def costs(self):
        """What is to be small: cycles, multipliers, logic, block RAMs, loss."""
        needed = self.resources
        return self.cycles, needed.multipliers, needed.luts, needed.rams, self.loss


def pareto(candidates):
    """Those that no other one beats: as good in all `Candidate.costs` and better in one. Fastest first."""
    costs = np.array([candidate.costs for candidate in candidates], float).reshape(len(candidates), -1)
    found, seen = [], set()
    for candidate, own in zip(candidates, costs, strict=True):
        better = np.all(costs <= own, axis=1) & np.any(costs < own, axis=1)
        if not better.any() and candidate.costs not in seen:
            seen.add(candidate.costs)
            found.append(candidate)
    return sorted(found, key=lambda candidate: candidate.costs)


def best(candidates):
    """The fastest one that fits, of equals the one of fewest multipliers; None where none does."""
    return min((one for one in candidates if one.fits), key=lambda one: one.costs, default=None)
