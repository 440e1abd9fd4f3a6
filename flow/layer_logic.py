"""Logic of an adder of `factored` and of `rebuild`: measured where docs/results has it, else estimated."""

import json
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Logic", "logic", "worth"]

LANE = 95.0
"""TRELLIS_COMB of a lane of `factored`: the bound that its measurement (row lane/comb) must meet."""

MAC = 97.0
"""TRELLIS_COMB of a bit-serial MAC of `rebuild`, an estimate that row rebuild/comb replaces: 85 to 110 for a
weight of 17 bits times a digit (1 or 2 times, either sign, at one of four places) and an accumulator of 24
to 32 bits.
"""

RESULTS = Path("docs/results/smartexchange.json")


@dataclass(frozen=True)
class Logic:
    """LUTs (TRELLIS_COMB) of one lane and one MAC."""

    factored: float
    rebuild: float


def logic(path=RESULTS):
    """The Logic of rows lane/comb and rebuild/comb of the file, of constants where it has none."""
    rows = json.loads(path.read_text()) if path.is_file() else []
    found = {row["name"]: row["value"] for row in rows if row["value"] is not None}
    return Logic(found.get("lane/comb", LANE), found.get("rebuild/comb", MAC))


def worth(costs, luts, quantity="cycles"):
    """Cycles times LUTs of `rebuild` over those of `factored`: both have 8,192 adders."""
    return getattr(costs["rebuild"], quantity) * luts.rebuild / (
        getattr(costs["factored"], quantity) * luts.factored)
