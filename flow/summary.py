"""The table at the end of a demo."""

import numpy as np

from .progress import console
from .report import accuracies

__all__ = ["summary"]


def summary(results, output, seconds):
    """The summary at the end."""
    from rich.table import Table

    table = Table(
        title=results["title"],
        title_justify="left",
        show_header=True,
        header_style="dim",
        box=None,
        pad_edge=False,
    )
    for column in ("", *(one["name"] for one in results["engines"])):
        table.add_column(column, justify="right" if column else "left")
    engines = results["engines"]
    names = [row[0] for row in engines[0]["numbers"]]
    for name in names:
        cells = [next(([v, u] for k, v, u in one["numbers"] if k == name), ["", ""]) for one in engines]
        table.add_row(
            name,
            *(f"{v:,} {u}".rstrip() if isinstance(v, int) else f"{v:.3f} {u}".rstrip() for v, u in cells),
        )
    for name in dict.fromkeys(row["name"] for one in engines for row in one.get("resources", [])):
        cells = [
            next(
                (
                    f"{r['used']:,} / {r['available']:,}"
                    for r in one.get("resources", [])
                    if r["name"] == name
                ),
                "",
            )
            for one in engines
        ]
        table.add_row(name, *cells)
    if any("fmax_mhz" in one for one in engines):
        table.add_row(
            "clock reached", *(f"{one['fmax_mhz']:.2f} MHz" if "fmax_mhz" in one else "" for one in engines)
        )
    console.print(table)
    if "accuracy" in results:
        print(
            f"held-out accuracy, mean of {len(results['accuracy']['seeds'])}: "
            + ", ".join(f"{k} {100 * np.mean(v):.2f} %" for k, v in accuracies(results).items())
        )
    print(f"{output / 'report.html'}   ({seconds:.0f} s)")
