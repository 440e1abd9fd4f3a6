"""Networks whose cells' matrices are block-circulant: by projection, by ADMM, by training of tied weights.

    ADMM towards block-circulant, rounded matrices     Z = project(W + U), see `golden.common.admm`
    hard projection: first columns take the place of the matrices
    training of the first columns themselves, straight through the rounding
    rounding

(arXiv:1812.07106; papers.md 3.3.) Biases, peepholes and the head stay as they are.
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from shiftwork.golden.common.admm import admm
from shiftwork.golden.common.trainer import Hooks, projected

from .matrix import BLOCK_SIZES, expand, project
from .network import RecurrentNetwork
from .quantize import Rounding
from .trainer import train

__all__ = ["Compressed", "Options", "compress", "retrain"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Block sizes by the matrices' part, None: dense; and how first columns are rounded, None: not at all.

    Raises ValueError for other sizes, and for a rounding that ties to a dense matrix.
    """

    input: int | None = 8
    recurrent: int | None = 8
    projection: int | None = 8
    rounding: Rounding | None = Rounding()

    def __post_init__(self):
        for part in ("input", "recurrent", "projection"):
            size = getattr(self, part)
            if size is not None and size not in BLOCK_SIZES:
                raise ValueError(f"block size of {part} must be None or one of "
                                 f"{', '.join(map(str, BLOCK_SIZES))}, not {size!r}")
        if self.tied and None in (self.input, self.recurrent):
            raise ValueError(f"block sizes of input and recurrent must be numbers if their steps are tied, "
                             f"not {self.input!r} and {self.recurrent!r}")

    @property
    def tied(self):
        """Whether the steps of a cell's input and recurrent matrices are."""
        return self.rounding is not None and self.rounding.offset is not None

    @classmethod
    def of(cls, size, **settings):
        """One block size for all matrices."""
        return cls(input=size, recurrent=size, projection=size, **settings)

    def size(self, name):
        """Block size of the matrix ``name`` ("layer0.forward.input")."""
        return getattr(self, name.rpartition(".")[2])


@dataclass(frozen=True, kw_only=True)
class Compressed:
    """A network with first columns in the place of matrices, and the options it was made with."""

    network: RecurrentNetwork
    options: Options

    @property
    def dense_weights(self):
        """Weights of the matrices that are block-circulant, if they were dense."""
        return sum(int(np.prod(shape)) for name, shape in self.network.matrices.items()
                   if self.options.size(name))

    @property
    def stored_weights(self):
        """Real numbers stored for them, k a block."""
        return sum(self.network.arrays[name].size for name in self.network.matrices
                   if self.options.size(name))

    @property
    def rate(self):
        """Dense by stored weights: k, less what padding costs."""
        return self.dense_weights / self.stored_weights

    @property
    def exponents(self):
        """{name: e} of the rounded matrices: first columns, or their spectra, are multiples of 2**e."""
        found, arrays = {}, self.network.arrays
        for key in _roundings(self.options, self.network.matrices):
            names = key if isinstance(key, tuple) else (key,)
            found |= zip(names, self.options.rounding.exponents(*(arrays[name] for name in names)),
                         strict=True)
        return found


def _roundings(options, names):
    """Functions of first columns, for `projected`, of those of ``names`` that are block-circulant."""
    names = [name for name in names if options.size(name)]
    if not options.rounding:
        return {}
    if not options.tied:
        return dict.fromkeys(names, options.rounding)
    cells = [name.rpartition(".")[0] for name in names if name.endswith(".input")]
    alone = [name for name in names if name.endswith(".projection")]
    return {**dict.fromkeys(alone, options.rounding),
            **{(f"{cell}.input", f"{cell}.recurrent"): options.rounding.cell for cell in cells}}


def _columns(options, dense):
    """{name: first columns} nearest to those of ``dense`` that shall be block-circulant, rounded."""
    names = [name for name in dense if options.size(name)]
    columns = {name: project(dense[name], options.size(name)) for name in names}
    return columns | projected(_roundings(options, columns), columns)


def _nearest(options, names, *dense):
    """`_columns` as the dense arrays they stand for: the projection of ADMM."""
    columns = _columns(options, dict(zip(names, dense, strict=True)))
    return [expand(columns[name], array.shape) for name, array in zip(names, dense, strict=True)]


def compress(network, options=None):
    """``network`` (dense) with its matrices projected to first columns, as Compressed; nothing is trained."""
    options = options or Options()
    columns = _columns(options, {name: network.arrays[name] for name in network.matrices})
    return Compressed(network=replace(network, arrays={**network.arrays, **columns}), options=options)


def retrain(network, sequences, labels, *, options=None, admm_settings=None, finish=None, progress=None,
            train=train):
    """``network`` (dense) retrained so that its matrices are block-circulant, as Compressed.

    * ``admm_settings``: ADMM towards the projection, on dense matrices
    * ``finish``: training of the first columns, straight through the rounding

    Each is left out if its settings are None; the hard projection stands between them. ``train`` may be the
    trainer with ``noise`` set.
    """
    options = options or Options()
    if admm_settings:
        names = tuple(name for name in network.matrices if options.size(name))
        network, _ = admm(network, sequences, labels, {names: partial(_nearest, options, names)},
                          admm_settings, progress=progress, train=train)
    if not finish:
        return compress(network, options)
    # Rounded once, behind the training: here the values between the steps are worth keeping.
    exact = compress(network, replace(options, rounding=None)).network
    roundings = _roundings(options, network.matrices)
    found = train(exact, sequences, labels, finish, Hooks(project=roundings), progress)
    arrays = found.arrays | projected(roundings, found.arrays)
    return Compressed(network=replace(found, arrays=arrays), options=options)
