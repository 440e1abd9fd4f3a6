"""The tables and pictures of README and docs/engines/: `python -m shiftwork.flow.tables`.

docs/results/<engine>.json (what `shiftwork bench` writes) fills the text between `<!-- table: <engine> -->`
and `<!-- end -->`, some of its rows that behind `<!-- results: <name> -->` (result_tables.py); cost models
fill it behind `<!-- layers: <name> -->` (layer_tables.py).
build/digits/results.json (what the demo writes) becomes docs/cycles.svg, an addition in Amaranth's simulator
docs/engines/ternary-addition.svg, two lists in it docs/engines/smartexchange-lists.svg, and a block on its
way through the circulant engine's transforms docs/engines/circulant-spectrum.svg.
"""

import json
import re
from pathlib import Path

from . import result_tables
from .errors import FlowError, choose, reported
from .layer_tables import TABLES
from .result_tables import number

__all__ = ["table", "filled", "fill_pages", "picture"]

_SPAN = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_LAYERS = re.compile(r"(<!-- layers: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_RESULTS = re.compile(r"(<!-- results: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_GRAY = "#6e7781"


def table(measured):
    """Markdown of the rows that `shiftwork bench` wrote."""
    lines = ["| measured | value | must be |", "| --- | ---: | --- |"]
    for row in measured:
        met = {True: "", False: " (not met)", None: ""}[row["ok"]]
        lines.append(f"| `{row['name']}` | {number(row['value'])} {row['unit']} | {row['must']}{met} |")
    return "\n".join(lines) + "\n"


def filled(text, folder):
    """``text`` with its tables from the files of ``folder``; raises FlowError where one is missing."""

    def measured(name):
        path = Path(folder) / f"{name}.json"
        if not path.is_file():
            raise FlowError(
                f"{path} must be there for the table {name} (shiftwork bench {name} --json {path} "
                f"writes it), not absent"
            )
        return json.loads(path.read_text())

    def fill(match):
        return match[1] + table(measured(match[2])) + match[3]

    def choice(match):
        name, function = choose("Table of results", match[2], result_tables.TABLES)
        return match[1] + function({row["name"]: row for row in measured(name)}) + match[3]

    def computed(match):
        return match[1] + choose("Table of layers", match[2], TABLES)() + match[3]

    return _LAYERS.sub(computed, _RESULTS.sub(choice, _SPAN.sub(fill, text)))


def fill_pages(root):
    """Fills README.md and docs/engines/*.md of the folder ``root``: all of them, or none on FlowError."""
    root = Path(root)
    pages = [root / "README.md", *sorted(root.glob("docs/engines/*.md"))]
    texts = [filled(page.read_text(), root / "docs/results") for page in pages]
    for page, text in zip(pages, texts, strict=True):
        beside = page.with_name(f".{page.name}.part")
        beside.write_text(text)
        beside.replace(page)


def picture(text):
    """One of the report's plots as an SVG file of its own, in a gray that suits light and dark pages."""
    text = text.replace("currentColor", _GRAY)
    return text.replace("<svg ", '<svg font-family="system-ui, sans-serif" ', 1)


def main():
    """Fills the pages and draws the pictures of the current folder."""
    from . import plots, spectra, waveforms

    fill_pages(".")
    for name, draw in (("ternary-addition", waveforms.addition), ("smartexchange-lists", waveforms.lists),
                       ("circulant-spectrum", spectra.spectrum)):
        Path(f"docs/engines/{name}.svg").write_text(picture(draw()))
    results = Path("build/digits/results.json")
    if results.is_file():
        layers = json.loads(results.read_text())["engines"][0]["layers"]
        Path("docs/cycles.svg").write_text(picture(plots.cycles(layers)))


if __name__ == "__main__":
    with reported():
        main()
