"""Networks whose weights are sparse powers of two times small bases: decomposed, or retrained for it.

Post-processing is ``compress``. ``retrain`` alternates epochs of training with decompositions (the paper), or
draws the weights towards the decomposition by ADMM first, and then trains the coefficients that are left.
"""

from dataclasses import dataclass, replace

import numpy as np
from shiftwork.golden.common.admm import admm
from shiftwork.golden.common.channels import groups, turned, weighted
from shiftwork.golden.common.network import Network
from shiftwork.golden.common.projection import check_names, on_filters, settled
from shiftwork.golden.common.trainer import Hooks, train

from .channels import in_order, input_order, out_of_order
from .decompose import decompose
from .factors import Factors
from .options import Options
from .straight import Rounding

__all__ = ["Compressed", "compress", "decompose", "retrain"]


def _filters(network, node, size, arrays=None):
    """Weights of ``node`` as (filters, ...), inputs in the engine's order for rows of ``size``."""
    weights = (network.arrays if arrays is None else arrays)[node.inputs[1]]
    return in_order(weights.T if turned(node) else weights, input_order(network, node, size))


def _array(network, node, factors):
    """Weights of ``factors`` as ``node`` has them in the network, float32 (exact)."""
    order = input_order(network, node, factors.layout.size)
    weights = out_of_order(factors.weights().astype(np.float32), order)
    return np.ascontiguousarray(weights.T) if turned(node) else weights


def _projection(function, network, node, size):
    """``function`` of weights as `_filters` gives them, for arrays of ``node`` as they stand."""
    order = input_order(network, node, size)
    return on_filters(lambda weights: out_of_order(function(in_order(weights, order)), order), node)


@dataclass(frozen=True, kw_only=True)
class Compressed:
    """A network and the factors of each Conv and Gemm, by the node's name: its weights are exactly theirs."""

    network: Network
    factors: dict[str, Factors]

    def __post_init__(self):
        nodes = weighted(self.network)
        check_names("factors", self.factors, nodes)
        for node in nodes:
            where = f"{node.op_type} {node.name!r}"
            if node.name not in self.factors:
                raise ValueError(f"factors must be of every Conv and Gemm, not leave out {where}")
            weights = _array(self.network, node, self.factors[node.name])
            if not np.array_equal(self.network.arrays[node.inputs[1]], weights):
                raise ValueError(f"weights of {where} must be those of its factors, not others")

    @classmethod
    def of(cls, network, factors):
        """``network`` with its weights replaced by those of ``factors``."""
        arrays = {node.inputs[1]: _array(network, node, factors[node.name]) for node in weighted(network)}
        return cls(network=replace(network, arrays={**network.arrays, **arrays}), factors=factors)

    @property
    def storage(self):
        """{node's name: Storage}, each in the accounting of least bits."""
        return {name: factors.storage() for name, factors in self.factors.items()}

    @property
    def storage_bits(self):
        """Bits of all weights, without scales and biases."""
        return sum(storage.bits for storage in self.storage.values())

    @property
    def filters(self):
        """Filters that are not zero: each has one scale and one bias, which ``storage_bits`` leaves out."""
        return sum(int(np.count_nonzero(~factors.zero_filters)) for factors in self.factors.values())


def _live_filters(node, network, least):
    """Which filters have, in the BatchNormalization behind them, a scale of at least ``least``; None: all."""
    for other in network.nodes:
        if least and other.op_type == "BatchNormalization" and other.inputs[0] == node.outputs[0]:
            return np.abs(network.arrays[other.inputs[1]]) >= least
    return None


def _options(network, options, layers):
    nodes = weighted(network)
    check_names("layers", layers or {}, nodes)
    return {node.name: (layers or {}).get(node.name, options or Options()) for node in nodes}


def compress(network, options=None, *, layers=None):
    """``network`` with all Conv and Gemm weights decomposed, as Compressed; nothing is trained.

    ``layers`` overrides ``options`` for single layers, by the node's name. Raises ValueError for an unknown
    layer.
    """
    chosen, factors = _options(network, options, layers), {}
    for node in weighted(network):
        weights = _filters(network, node, chosen[node.name].size)
        live = _live_filters(node, network, chosen[node.name].channel_scale)
        if live is not None:
            weights = weights * live.reshape((-1,) + (1,) * (weights.ndim - 1))
        factors[node.name], _ = decompose(weights, chosen[node.name], groups=groups(node))
    return Compressed.of(network, factors)


def _alternated(network, x, labels, settings, options, masks, progress):
    """``network`` trained, its weights replaced by those of their factors behind each epoch."""
    def epoch(_, arrays):
        found = compress(replace(network, arrays=dict(arrays)), layers=options)
        for node in weighted(network):
            arrays[node.inputs[1]][...] = found.network.arrays[node.inputs[1]]
    return train(network, x, labels, settings, Hooks(epoch=epoch, masks=masks), progress)


def _drawn(network, x, labels, settings, options, masks, progress):
    """``network`` behind ADMM towards the decomposition."""
    project = {}
    for node in weighted(network):
        def function(weights, chosen=options[node.name], node=node):
            return decompose(weights, chosen, groups=groups(node))[0].weights().astype(np.float32)
        project[node.inputs[1]] = _projection(function, network, node, options[node.name].size)
    return admm(network, x, labels, project, settings, masks=masks, progress=progress)[0]


def _finished(found, x, labels, settings, options, progress):
    """Compressed ``found`` trained straight through its coefficients, B fitted again between the epochs."""
    nodes, roundings, project = weighted(found.network), {}, {}

    def filters(node, arrays):
        return _filters(found.network, node, options[node.name].size, arrays)

    def follow(node, factors):
        roundings[node.name] = Rounding(factors, options[node.name])
        project[node.inputs[1]] = _projection(
            roundings[node.name], found.network, node, options[node.name].size)

    def epoch(number, arrays):
        for node in nodes:
            factors = roundings[node.name].factors(filters(node, arrays))
            if number + 1 < settings.epochs:    # the last epoch's B is the one that was trained with
                factors, _ = decompose(filters(node, arrays), options[node.name], groups=groups(node),
                                       kept=factors.signs != 0, start=factors)
            follow(node, factors)

    for node in nodes:
        follow(node, found.factors[node.name])
    hooks = Hooks(project=project, epoch=epoch)
    network = train(found.network, x, labels, settings, hooks, progress)
    factors = {node.name: roundings[node.name].factors(filters(node, network.arrays)) for node in nodes}
    return Compressed.of(network, factors)


def _tuned(found, x, labels, settings, progress):
    """Compressed ``found`` with biases and batch normalization trained."""
    frozen = {node.inputs[1]: found.network.arrays[node.inputs[1]] for node in weighted(found.network)}
    hooks = Hooks(project={name: lambda _, weights=weights: weights for name, weights in frozen.items()})
    network = train(found.network, x, labels, settings, hooks, progress)
    return Compressed.of(network, found.factors)


def retrain(network, x, labels, *, options=None, layers=None, admm_settings=None, alternate=None, finish=None,
            tune=None, masks=None, progress=None):
    """``network`` retrained so that its weights are those of factors, as Compressed.

    Up to four stages, each left out if its settings are None, and a decomposition behind the second:

    * ``admm_settings``: ADMM towards the decomposition
    * ``alternate``: training, with a decomposition behind each epoch (the paper)
    * ``finish``: training straight through coefficients whose zeros stay zero, B fitted again between epochs
    * ``tune``: training of all but the weights

    ``options`` and ``layers`` as in ``compress``. Weights that ``masks`` ({array's name: 0 or 1}) holds at
    zero stay there until the decomposition, which keeps rows of zeros. The result has batch statistics and
    ``ranges`` measured on ``x``. Raises ValueError for an unknown layer.
    """
    options = _options(network, options, layers)
    if admm_settings:
        network = _drawn(network, x, labels, admm_settings, options, masks, progress)
    if alternate:
        network = _alternated(network, x, labels, alternate, options, masks or {}, progress)
    found = compress(network, layers=options)
    if finish:
        found = _finished(found, x, labels, finish, options, progress)
    if tune:
        found = _tuned(found, x, labels, tune, progress)
    return replace(found, network=settled(found.network, x))
