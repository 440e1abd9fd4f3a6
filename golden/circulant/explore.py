"""The design space in two phases (arXiv:1812.07106, section V; papers.md 3.4), as pure functions.

Phase I: cell and block size. A greater block stores and multiplies less and costs accuracy; a bound on the
memory is one from below, a bound on the loss one from above. Losses are measured, not modelled: `Losses`.

Phase II: of one cell and block size rows of blocks that are computed together, bits and segments of the
activations, within what a device has. Cycles are the timing model's.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from .activation import max_error
from .cells import MATRICES, Gru, Lstm
from .config import CirculantConfig
from .encode import encode
from .layers import Layer
from .lower import lower
from .matrix import block_counts
from .network import RecurrentNetwork
from .program import Memory
from .resources import Resources, lane_multipliers, resources
from .timing import predict

__all__ = ["BLOCKS", "Candidate", "Choice", "Losses", "NETWORKS", "as_cell", "best", "candidates", "fitted",
           "pareto", "phase_one", "proposal", "rows_within", "segment_bits"]

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
    fits: bool              #: its weights fit the memory, and its outputs are whole blocks
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
            whole = all(entries % block == 0 for layer in cells for entries in (layer.cell.hidden,
                                                                                layer.cell.outputs))
            count = sum(shape[0] * int(np.prod(block_counts(shape, block))) * len(layer.ways)
                        for layer in cells for part, shape in layer.cell.shapes.items() if part in MATRICES)
            loss = losses.block[kind].get(block) if losses else None
            bits = count * block * weight_width
            found.append(Choice(
                cell=kind, block=block, weights=count * block, memory_bits=bits, loss=loss,
                multiplications=count * (3 * block // 2 - 1), fits=whole and bits <= memory_bits,
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

    choice: Choice
    config: CirculantConfig
    resources: Resources
    cycles: int             #: of a step
    activation_error: float     #: greatest of sigmoid and tanh
    loss: float             #: by block size and bits, in points
    fits: bool              #: the device

    @property
    def costs(self):
        """What is to be small: cycles, multipliers, logic, block RAMs, loss."""
        needed = self.resources
        return self.cycles, needed.multipliers, needed.luts, needed.rams, self.loss


_SEGMENTS = range(1, 6)
_WIDEST = {f"{name}_depth": 65536 for name in ("spectrum", "weight", "row", "coefficient", "state", "output")}


def rows_within(block, device):
    """Numbers of rows whose lanes alone do not take more multipliers than ``device`` has, 64 at most."""
    plain = CirculantConfig(block=block, rows=1)
    return range(1, min(64, device.multipliers // lane_multipliers(plain)) + 1)


def _blank(layers, block):
    """A RecurrentNetwork of block-circulant matrices of zeros, for what its shapes alone tell.

    Biases are random: equal ones would share their places.
    """
    rng, arrays = np.random.default_rng(0), {}
    for number, layer in enumerate(layers):
        for way in layer.ways:
            for part, shape in layer.cell.shapes.items():
                arrays[f"layer{number}.{way}.{part}"] = (
                    np.zeros((*shape[:-2], *block_counts(shape, block), block)) if part in MATRICES
                    else rng.uniform(-1, 1, shape))
    head = {"head.weight": np.zeros((1, layers[-1].outputs)), "head.bias": np.zeros(1)}
    return RecurrentNetwork(layers=tuple(layers), classes=1, arrays=arrays | head)


def fitted(layers, config):
    """(CirculantConfig, cycles of a step): ``config`` with memories just as deep as ``layers`` need.

    The cycles are the timing model's, of a program with these layers' schedule. Raises ValueError where the
    layers cannot be encoded: for a hidden size that is no multiple of the block, say.
    """
    wide = replace(config, **_WIDEST, phase_depth=64)
    program = encode(lower(_blank(layers, config.block), wide), wide)
    header, phases, rows = program.parse()
    words = {memory: len(program.image(memory)) for memory in (Memory.WEIGHTS, Memory.COEFFICIENTS)}
    states = 1 + max(row.state for row in rows)
    # Half the addresses alternate with the other half's.
    half = wide.spectrum_depth // 2
    most = max(at % half for phase in phases for s in phase.segments for at in (s.base + s.count - 1,)
               if s.count)
    most = max(most, *(row.target % half for row in rows), header.input_base + header.input_blocks - 1)
    narrow = replace(
        config, spectrum_depth=max(4, 2 << int(most).bit_length()), phase_depth=max(2, len(phases)),
        weight_depth=max(16, words[Memory.WEIGHTS]), row_depth=max(4, len(rows)),
        coefficient_depth=max(4, words[Memory.COEFFICIENTS]), state_depth=max(4, states * config.slots),
        output_depth=max(4, 2 * header.output_beats))
    return narrow, predict(program).step_cycles


def segment_bits(most_error):
    """The fewest segments whose greatest error of sigmoid and tanh is at most ``most_error``: (bits, error).

    Raises ValueError where none are.
    """
    errors = {bits: max(max_error(bits)) for bits in _SEGMENTS}
    for bits, error in errors.items():
        if error <= most_error:
            return bits, error
    raise ValueError(f"error of activations must be at least {min(errors.values()):.2g}, not {most_error:g}")


def candidates(layers, *, choice, rows, device, bits, most_error, logic):
    """The `Candidate`s of ``rows`` rows of blocks: of a `Choice`, one for each of ``bits`` {bits: loss}.

    ``layers`` are those of the choice's cell. Vectors and weights have the same bits. Of the activations'
    segments the fewest are taken whose greatest error is at most ``most_error``. ``logic``: a `Logic`.
    """
    lstms = [layer.cell for layer in layers if isinstance(layer.cell, Lstm)]
    segments, error = segment_bits(most_error)
    sized, cycles = fitted(layers, CirculantConfig(
        block=choice.block, rows=rows, segment_bits=segments, cell_tanh=bool(lstms),
        peepholes=any(cell.peephole for cell in lstms)))
    columns = max(sum(block_counts(layer.cell.shapes[part], choice.block)[1] for part in (
        "input", "recurrent")) for layer in layers)
    found = []
    for width, loss in bits.items():
        config = replace(sized, vector_width=min(width, 16), weight_width=width)
        acc = config.spectrum_width + width + int(np.ceil(np.log2(columns))) + 1
        config = replace(config, acc_width=min(max(acc, 24), 48))
        needed = resources(config, device, logic)
        found.append(Candidate(choice=choice, config=config, resources=needed, cycles=cycles,
                               activation_error=error, loss=(choice.loss or 0.0) + loss,
                               fits=needed.fits(device)))
    return found


def pareto(candidates):
    """Those that no other one beats: as good in all `Candidate.costs` and better in one. Fastest first."""
    costs = np.array([candidate.costs for candidate in candidates], float).reshape(-1, 5)
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
