"""The seven networks on all machines: totals, ratios to the paper's own machine and ours, and claims."""

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import reduce
from math import prod
from operator import add, attrgetter

from ..common.shapes import Kind
from ..common.shapes_networks import NETWORKS
from .cost import Setting
from .factored_cost import Factored, Stored
from .factored_map import Engines
from .rebuild import Rebuild, stored_weights
from .rivals import MACHINES, RIVALS
from .rivals_serial import BitPragmatic
from .sparsity import Reading, statistics

__all__ = ["CLAIMS", "COUNTED", "VARIANTS", "Claim", "Part", "compare", "geometric_mean", "mean_ratios",
           "ratios", "stored_megabytes"]


class Part(StrEnum):
    """Which layers of a network count."""

    ALL = "all"
    CONVOLUTIONS = "convolutions"   #: without fully connected layers, squeeze-excite included


@dataclass(frozen=True)
class Claim:
    """A figure of the paper: how many times better its machine is."""

    value: float
    tag: str    #: of the evidence: [S] abstract, [M-mid] or [M-lo] from memory


CLAIMS = {
    "speedup, most": Claim(19.2, "[S]; that it is against DianNao [M-lo]"),
    "energy, most": Claim(6.7, "[S]"),
    "energy, least": Claim(2.0, "[M-mid]"),
    "speedup over scnn, mean": Claim(3.8, "[M-lo]"),
    "speedup over cambricon-x, mean": Claim(2.5, "[M-lo]"),
    "speedup over bit-pragmatic, mean": Claim(2.0, "[M-lo]"),
}


def _with_setting(**changes):
    """MACHINES in another setting."""
    setting = Setting(**changes)
    return {name: type(cost.__self__)(setting=setting).cost for name, cost in MACHINES.items()}


def _with(name, machine):
    """MACHINES with another one of that name."""
    return MACHINES | {name: machine.cost}


COUNTED = Engines(controllers=85, combine_width=4)
"""As many as have 8,192 adders, a multiplier of the combination counted as 8: 85 * (64 + 4 * 8)."""

VARIANTS = {
    "as above": {},
    "no wait between lines": {"machines": _with("rebuild", Rebuild(barrier=False))},
    "no wait between the MACs of a line": {"machines": _with("rebuild", Rebuild(together=False))},
    "neither": {"machines": _with("rebuild", Rebuild(barrier=False, together=False))},
    "zeros by element": {"reading": Reading.ELEMENTS},
    "27.1 % of the activations' rows zero": {"activation_row_zeros": 0.271},
    "Bit-Pragmatic by column": {"machines": _with("bit-pragmatic", BitPragmatic(waiting="column"))},
    "Bit-Pragmatic by bit": {"machines": _with("bit-pragmatic", BitPragmatic(encoding="bits"))},
    "SRAM 2.45 pJ": {"machines": _with_setting(sram=2.45)},
    "small activations stay on the chip": {"machines": _with_setting(resident=True)},
    "64 images at a time": {"images": 64},
    "`factored` counts its multipliers": {"machines": _with("factored", Factored(engines=COUNTED))},
    "`factored` fetches items of 10 bits": {"machines": _with("factored", Factored(stored=Stored.INDEXED))},
    "`factored` sorts the paper's format": {"machines": _with("factored", Factored(stored=Stored.PAPER))},
    "`factored`, powers of two where 1x1": {"machines": _with("factored", Factored(single=True))},
}
"""Other settings of what the sources leave open: arguments of ``compare``. Defaults were set beforehand."""


def _cost(cost, layer, found, images):
    alone = cost(layer, found)
    if images == 1:
        return alone
    return min(cost(layer.batch(images), found) / images, alone, key=attrgetter("cycles"))


def compare(network, *, part=Part.ALL, machines=None, images=1, **changes):
    """Cost of one image of ``network`` on each machine: {name of the machine: Cost}.

    ``machines`` (default: MACHINES) are functions cost(layer, statistics); each takes a layer for ``images``
    together (LayerShape.batch), or for one at a time if that takes fewer cycles. ``changes`` are those of the
    network's Statistics. Raises ValueError for a network or a part that does not exist.
    """
    if network not in NETWORKS:
        raise ValueError(f"network must be one of {', '.join(NETWORKS)}, not {network!r}")
    if part not in list(Part):
        raise ValueError(f"part must be one of {', '.join(Part)}, not {part!r}")
    layers = [replace(layer, name="any") for layer in NETWORKS[network]()
              if part == Part.ALL or layer.kind != Kind.FULLY_CONNECTED]
    found = statistics(network, **changes)
    costs = {}
    for name, cost in (machines or MACHINES).items():
        known = {layer: _cost(cost, layer, found, images) for layer in set(layers)}    # blocks repeat
        costs[name] = reduce(add, (known[layer] for layer in layers))
    return costs


def ratios(costs, quantity="cycles", machine="rebuild"):
    """How many times more of ``quantity`` (a field of Cost) the others take than ``machine``: {name: ratio}.

    ``best`` is the least ratio of the paper's four rivals that are among ``costs``.
    """
    own = getattr(costs[machine], quantity)
    found = {name: getattr(cost, quantity) / own for name, cost in costs.items() if name != machine}
    return found | {"best": min(found[name] for name in RIVALS if name in found)}


def geometric_mean(values):
    values = list(values)
    return prod(values) ** (1 / len(values))


def mean_ratios(every, quantity="cycles", machine="rebuild"):
    """Geometric means of ``ratios`` over networks, of which ``every`` holds the costs."""
    found = [ratios(costs, quantity, machine) for costs in every]
    return {name: geometric_mean(ratio[name] for ratio in found) for name in found[0]}


def stored_megabytes(network, **changes):
    """Size of the network's weights as SmartExchange stores them, in 10**6 bytes."""
    found = statistics(network, **changes)
    return sum(stored_weights(layer, found)[0] for layer in NETWORKS[network]()) / 8e6
