"""Tables of a few measured results, chosen by name: what `<!-- results: NAME -->` in a page stands for."""

from .layer_tables import markdown

__all__ = ["TABLES", "number"]

MAPPINGS = {"cs": "combined-stationary `cs`", "is": "input-stationary `is`", "ws": "weight-stationary `ws`",
            "os": "output-stationary `os`"}

OURS = "engine/", "lane/", "rebuild/", "utilization", "mnist/", "fill-85f/"
"""How the names of rows begin that are measured on the engine, in the table's order."""

PAPER = {
    "mnist/mlp/compression": "45.03, MLP-2 [M-mid]",
    "mnist/wide/compression": "130, MLP-1 [M-mid]",
    "mnist/mlp/lost": "0.39, MLP-2 [M-mid]",
    "mnist/wide/lost": "1.15, MLP-1 [M-mid]",
    "layers/mean/all/rebuild-cycles-over-diannao": "at most 19.2 [S, M-lo]",
    "layers/mean/all/rebuild-cycles-over-scnn": "3.8 [M-lo]",
    "layers/mean/all/rebuild-cycles-over-cambricon-x": "2.5 [M-lo]",
    "layers/mean/all/rebuild-cycles-over-bit-pragmatic": "2.0 [M-lo]",
    "layers/mean/all/rebuild-energy-over-best": "2.0 to 6.7, of any one [S, M-mid]",
}
"""What the paper says of the same; tags as in docs/engines/smartexchange-comparison.md."""

FACTORED = "layers/mean/all/factored-cycles-over-rebuild", "layers/mean/all/cycles-lut"
"""The two dataflows against each other, as the cost models have them."""


def number(value):
    """A measured value as pages show it."""
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def _mapping(rows):
    """Cycles and bits of the four mappings, in millions, of one array and of four."""
    def million(name, places):
        return f"{rows[f'mapping/{name}']['value'] / 1e6:,.{places}f}"

    return markdown(
        ["mapping", "cycles, millions", "Mbit at the ports", "of these programs", "of these inputs",
         "cycles, 4 arrays", "Mbit, 4 arrays"],
        [[title, million(f"cycles-{name}", 1), million(f"bits-{name}", 0), million(f"program-{name}", 0),
          million(f"input-{name}", 0), million(f"cycles-{name}@4", 1), million(f"bits-{name}@4", 0)]
         for name, title in MAPPINGS.items()])


def _smartexchange(rows):
    """What is measured on the engine, as far as it is there, and means of the models, beside the paper's."""
    names = [name for begin in OURS for name in rows if name.startswith(begin)]
    names += [name for name in (*PAPER, *FACTORED) if name.startswith("layers/")]
    shown = [(name, rows[name]) for name in names if name in rows]
    return markdown(["measured", "value", "must be", "the paper"], [
        [f"`{name}`", f"{number(row['value'])} {row['unit']}",
         row["must"] + (" (not met)" if row["ok"] is False else ""), PAPER.get(name, "")]
        for name, row in shown])


TABLES = {"ternary-mapping": ("ternary", _mapping), "smartexchange": ("smartexchange", _smartexchange)}
"""By the name in the mark: whose results, and the table's Markdown from its rows by their names."""
