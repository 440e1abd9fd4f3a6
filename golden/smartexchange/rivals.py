"""All machines by name; each entry is a function cost(layer, statistics) that returns a Cost.

All have the same arithmetic: 1,024 multipliers of 8 bits, or 8,192 bit-serial ones [M-mid]; `factored` 8,192
adders.
"""

from .factored_cost import Factored
from .rebuild import Rebuild
from .rivals_dense import Dense, DianNao
from .rivals_serial import BitPragmatic
from .rivals_sparse import CambriconX, Scnn

__all__ = ["MACHINES", "RIVALS"]

RIVALS = ("diannao", "scnn", "cambricon-x", "bit-pragmatic")
"""The four that the paper compares itself with."""

MACHINES = {
    "dense": Dense().cost,
    "diannao": DianNao().cost,
    "scnn": Scnn().cost,
    "cambricon-x": CambriconX().cost,
    "bit-pragmatic": BitPragmatic().cost,
    "rebuild": Rebuild().cost,
    "factored": Factored().cost,
}
"""``rebuild`` is the paper's own machine, ``factored`` ours."""
