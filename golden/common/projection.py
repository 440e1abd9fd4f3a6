"""Weights of a network's layers replaced by their projections to what an engine can represent."""

from dataclasses import replace

import numpy as np

from .channels import turned
from .network import calibrate
from .trainer import refresh_statistics

__all__ = ["check_names", "on_filters", "projected", "settled"]


def on_filters(function, node):
    """``function`` of an array (filters, ...), for arrays of ``node`` as they stand in the network."""
    return (lambda weights: np.ascontiguousarray(function(weights.T).T)) if turned(node) else function


def check_names(what, names, nodes):
    """Raises ValueError where ``names`` has one that is no name of ``nodes``, the Conv and Gemm nodes."""
    for name in names.keys() - {node.name for node in nodes}:
        raise ValueError(f"{what} must name Conv and Gemm nodes of the network, not {name!r}")


def settled(network, x):
    """``network`` with batch statistics measured on ``x``, and ranges on its first 1,000."""
    return calibrate(refresh_statistics(network, x), x[:1000])


def projected(network, project, x):
    """``settled`` behind the projections ``project`` ({array's name: function}) of its arrays."""
    arrays = {name: function(network.arrays[name]) for name, function in project.items()}
    return settled(replace(network, arrays={**network.arrays, **arrays}), x)
