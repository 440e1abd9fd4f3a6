"""Tables of the page on the comparison of machines, computed where they stand (flow/tables.py fills them)."""

from functools import lru_cache

from shiftwork.golden.common.shapes_networks import NETWORKS
from shiftwork.golden.smartexchange.comparison import (
    VARIANTS,
    Part,
    compare,
    mean_ratios,
    ratios,
    stored_megabytes,
)
from shiftwork.golden.smartexchange.sparsity import PUBLISHED, Reading

__all__ = ["TABLES"]


@lru_cache
def _all_costs(part, variant="as above"):
    return {name: compare(name, **{"part": part} | VARIANTS[variant]) for name in NETWORKS}


def _markdown(head, rows):
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _ratios(quantity, part):
    every = _all_costs(part)
    rows = {name: ratios(costs, quantity) for name, costs in every.items()}
    rows["geometric mean"] = mean_ratios(every.values(), quantity)
    head = ["network", *rows["geometric mean"]]
    return _markdown(head, [[name, *(f"{ratio:.2f}" for ratio in row.values())]
                            for name, row in rows.items()])


def _totals():
    """Cycles of each machine, in thousands; DRAM traffic in MB and energy in uJ of the paper's own."""
    rows = []
    for name, costs in _all_costs(Part.ALL).items():
        own = costs["rebuild"]
        rows.append([name, *(f"{cost.cycles / 1e3:,.0f}" for cost in costs.values()),
                     f"{own.dram / 8e6:.1f}", f"{own.energy / 1e6:,.0f}"])
    return _markdown(["network", *costs, "MB", "uJ"], rows)


def _variants():
    rows = []
    for variant in VARIANTS:
        every = _all_costs(Part.ALL, variant).values()
        cycles, energy = mean_ratios(every), mean_ratios(every, "energy")
        rows.append([variant, *(f"{cycles[name]:.2f} / {energy[name]:.2f}" for name in cycles)])
    return _markdown(["setting", *cycles], rows)


def _sizes():
    rows = []
    for name, row in PUBLISHED.items():
        said = (f"{row.megabytes:.2f}", f"{row.megabytes / row.rate:.2f}") if row.rate else ("", "")
        weights = 4e-6 * sum(layer.weights for layer in NETWORKS[name]())
        stored = [f"{stored_megabytes(name, reading=reading):.2f}" for reading in Reading]
        rows.append([name, f"{weights:.2f}", said[0], f"{row.zeros:.1%}", said[1], *stored])
    return _markdown(["network", "float32 MB", "table says", "zeros", "compressed, table", *Reading], rows)


TABLES = {
    "totals": _totals,
    "cycles": lambda: _ratios("cycles", Part.ALL),
    "compute": lambda: _ratios("compute", Part.ALL),
    "energy": lambda: _ratios("energy", Part.ALL),
    "cycles-convolutions": lambda: _ratios("cycles", Part.CONVOLUTIONS),
    "energy-convolutions": lambda: _ratios("energy", Part.CONVOLUTIONS),
    "variants": _variants,
    "sizes": _sizes,
}
"""By the name in `<!-- layers: NAME -->`: functions that return the table's Markdown."""
