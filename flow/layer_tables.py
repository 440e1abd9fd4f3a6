"""Tables of the page on the comparison of machines, computed where they stand (flow/tables.py fills them)."""

from functools import lru_cache

from shiftwork.golden.common.shapes_networks import NETWORKS
from shiftwork.golden.smartexchange.comparison import (
    COUNTED,
    VARIANTS,
    Part,
    compare,
    geometric_mean,
    mean_ratios,
    ratios,
    stored_megabytes,
)
from shiftwork.golden.smartexchange.factored_cost import Factored
from shiftwork.golden.smartexchange.factored_map import Engines
from shiftwork.golden.smartexchange.sparsity import PUBLISHED, Reading

from .layer_logic import logic, worth

__all__ = ["TABLES", "markdown"]

OURS = {"`factored` counts its multipliers": "counted", "`factored` fetches items of 10 bits": "10 bits",
        "`factored`, powers of two where 1x1": "powers of two", "64 images at a time": "64 images"}
"""Variants whose cycles over `rebuild`'s the table of `factored` has: name in VARIANTS, head."""

ORGANISATIONS = (
    Engines(controllers=32, lanes=256), Engines(controllers=64, lanes=128), Engines(),
    Engines(row_depth=512), Engines(row_depth=16384), Engines(combine_width=4),
    Engines(controllers=256, lanes=32), COUNTED,
    Engines(controllers=64), Engines(controllers=170, lanes=32, combine_width=2, drain_width=2))


@lru_cache
def _all_costs(part, variant="as above"):
    return {name: compare(name, **{"part": part} | VARIANTS[variant]) for name in NETWORKS}


def markdown(head, rows):
    """A table in Markdown; numbers stand in all columns but the first."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _ratios(quantity, part):
    every = _all_costs(part)
    rows = {name: ratios(costs, quantity) for name, costs in every.items()}
    rows["geometric mean"] = mean_ratios(every.values(), quantity)
    head = ["network", *rows["geometric mean"]]
    return markdown(head, [[name, *(f"{ratio:.2f}" for ratio in row.values())]
                            for name, row in rows.items()])


def _totals():
    """Cycles of each machine, in thousands; DRAM traffic in MB and energy in uJ of the paper's own."""
    rows = []
    for name, costs in _all_costs(Part.ALL).items():
        own = costs["rebuild"]
        rows.append([name, *(f"{cost.cycles / 1e3:,.0f}" for cost in costs.values()),
                     f"{own.dram / 8e6:.1f}", f"{own.energy / 1e6:,.0f}"])
    return markdown(["network", *costs, "MB", "uJ"], rows)


def _variants():
    rows = []
    for variant in VARIANTS:
        every = _all_costs(Part.ALL, variant).values()
        cycles, energy = mean_ratios(every), mean_ratios(every, "energy")
        rows.append([variant, *(f"{cycles[name]:.2f} / {energy[name]:.2f}" for name in cycles)])
    return markdown(["setting", *cycles], rows)


def _factored():
    """How many times less the ours takes: cycles, in the settings that matter to it, and energy."""
    luts, base = logic(), _all_costs(Part.ALL)
    shown = {variant: _all_costs(Part.ALL, variant) for variant in OURS}
    rows = {}
    for name, costs in base.items():
        against = ratios(costs, machine="factored")
        rows[name] = [against["rebuild"], against["best"], ratios(costs, "energy", "factored")["best"],
                      worth(costs, luts)] + [
                      ratios(every[name], machine="factored")["rebuild"] for every in shown.values()]
    rows["geometric mean"] = [geometric_mean(column) for column in zip(*rows.values(), strict=True)]
    head = ["network", "rebuild", "best", "best, energy", "rebuild, cycles * LUT", *OURS.values()]
    return markdown(head, [[name, *(f"{value:.2f}" for value in row)] for name, row in rows.items()])


def _organisations():
    """Cycles of `factored`, in thousands, as other engines."""
    rows = []
    for engines in ORGANISATIONS:
        machine = Factored(engines=engines)
        costs = [compare(name, machines={"factored": machine.cost})["factored"] for name in NETWORKS]
        adders = engines.controllers * (engines.lanes + 8 * engines.combine_width)
        rows.append([f"{engines.controllers} x {engines.lanes}", str(engines.combine_width), f"{adders:,}",
                     f"{engines.row_depth:,}",
                     *(f"{cost.cycles / 1e3:,.0f}" for cost in costs)])
    return markdown(["engines x lanes", "multipliers each", "adders, a multiplier as 8", "row memory",
                      *NETWORKS], rows)


def _sizes():
    rows = []
    for name, row in PUBLISHED.items():
        said = (f"{row.megabytes:.2f}", f"{row.megabytes / row.rate:.2f}") if row.rate else ("", "")
        weights = 4e-6 * sum(layer.weights for layer in NETWORKS[name]())
        stored = [f"{stored_megabytes(name, reading=reading):.2f}" for reading in Reading]
        rows.append([name, f"{weights:.2f}", said[0], f"{row.zeros:.1%}", said[1], *stored])
    return markdown(["network", "float32 MB", "table says", "zeros", "compressed, table", *Reading], rows)


TABLES = {
    "totals": _totals,
    "cycles": lambda: _ratios("cycles", Part.ALL),
    "compute": lambda: _ratios("compute", Part.ALL),
    "energy": lambda: _ratios("energy", Part.ALL),
    "cycles-convolutions": lambda: _ratios("cycles", Part.CONVOLUTIONS),
    "energy-convolutions": lambda: _ratios("energy", Part.CONVOLUTIONS),
    "variants": _variants,
    "sizes": _sizes,
    "factored": _factored,
    "organisations": _organisations,
}
"""By the name in `<!-- layers: NAME -->`: functions that return the table's Markdown."""
