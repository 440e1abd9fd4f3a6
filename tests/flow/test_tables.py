"""Tables of README and docs/engines/ are filled from measured results."""

import json
from pathlib import Path

import pytest
from shiftwork.flow.errors import FlowError
from shiftwork.flow.plots import cycles
from shiftwork.flow.tables import fill_pages, filled, picture

from .fakes import results

TEXT = "before\n<!-- table: ternary -->\n(not measured yet)\n<!-- end -->\nafter\n"
ROWS = [
    {"name": "a/b", "unit": "cycles", "value": 4608, "must": "<= 5", "ok": False},
    {"name": "c", "unit": "MHz", "value": 104.2, "must": "", "ok": None},
]


def test_table_stands_between_its_marks(tmp_path):
    (tmp_path / "ternary.json").write_text(json.dumps(ROWS))
    text = filled(TEXT, tmp_path)
    assert text.startswith("before\n<!-- table: ternary -->\n| measured |") and text.endswith(
        "<!-- end -->\nafter\n"
    )
    assert "| `a/b` | 4,608 cycles | <= 5 (not met) |" in text and "| `c` | 104.20 MHz |  |" in text
    assert filled(text, tmp_path) == text


def test_the_page_on_the_ternary_engine_says_what_was_measured():
    """Of the table of mappings, which was typed once."""
    root = Path(__file__).parents[2] / "docs"
    page = (root / "engines/ternary.md").read_text()
    mark = page[page.index("<!-- results: ternary-mapping -->"):]
    mark = mark[:mark.index("<!-- end -->") + len("<!-- end -->")]
    assert filled(mark, root / "results") == mark and "| combined-stationary `cs` | 210.1 | 1,391 |" in mark


def test_results_that_are_there_stand_beside_the_papers(tmp_path):
    rows = [dict(name=name, unit="u", value=value, must=must, ok=ok) for name, value, must, ok in (
        ("layers/mean/all/rebuild-cycles-over-scnn", 1.996, "", None), ("layers/VGG11/stored", 2.0, "", None),
        ("mnist/wide/compression", 301.0, ">= 100", True), ("engine/comb", 8400, "", None),
        ("lane/comb", 96.5, "<= 95", False), ("layers/mean/all/cycles-lut", 1.5, "", None))]
    (tmp_path / "smartexchange.json").write_text(json.dumps(rows))
    text = filled("<!-- results: smartexchange -->\nold\n<!-- end -->\n", tmp_path)
    assert text.splitlines()[1:-1] == [
        "| measured | value | must be | the paper |", "| --- | ---: | ---: | ---: |",
        "| `engine/comb` | 8,400 u |  |  |", "| `lane/comb` | 96.50 u | <= 95 (not met) |  |",
        "| `mnist/wide/compression` | 301.00 u | >= 100 | 130, MLP-1 [M-mid] |",
        "| `layers/mean/all/rebuild-cycles-over-scnn` | 2.00 u |  | 3.8 [M-lo] |",
        "| `layers/mean/all/cycles-lut` | 1.50 u |  |  |"]
    with pytest.raises(FlowError, match="^Table of results must be one of ternary-mapping, smartexchange, "):
        filled("<!-- results: other -->\n<!-- end -->\n", tmp_path)
    with pytest.raises(FlowError, match="must be there for the table ternary"):
        filled("<!-- results: ternary-mapping -->\n<!-- end -->\n", tmp_path)


def test_missing_results_are_told(tmp_path):
    with pytest.raises(
        FlowError, match=r"ternary\.json must be there for the table ternary \(shiftwork bench ternary"
    ):
        filled(TEXT, tmp_path)


def test_tables_of_cost_models(tmp_path):
    text = filled("<!-- layers: sizes -->\nold\n<!-- end -->\n", tmp_path)
    assert text.startswith("<!-- layers: sizes -->\n| network | float32 MB |") and "old" not in text
    assert text.endswith("|\n<!-- end -->\n") and text.count("\n") == 2 + 7 + 2
    with pytest.raises(FlowError, match="Table of layers must be one of totals, .*, not 'size'"):
        filled("<!-- layers: size -->\n<!-- end -->\n", tmp_path)


def test_the_page_on_the_comparison_says_what_the_models_say(tmp_path):
    page = (Path(__file__).parents[2] / "docs/engines/smartexchange-comparison.md").read_text()
    assert page.count("<!-- layers: ") == 10
    assert filled(page, tmp_path) == page, "python -m shiftwork.flow.tables fills it"


def test_all_pages_are_filled_or_none(tmp_path):
    engines, measured = tmp_path / "docs/engines", tmp_path / "docs/results"
    engines.mkdir(parents=True)
    measured.mkdir()
    pages = [tmp_path / "README.md", engines / "ternary.md", engines / "without.md"]
    for page, text in zip(pages, (TEXT, "# Page\n" + TEXT, "no table\n"), strict=True):
        page.write_text(text)
    with pytest.raises(FlowError, match="must be there for the table ternary"):
        fill_pages(tmp_path)
    assert pages[0].read_text() == TEXT

    (measured / "ternary.json").write_text(json.dumps(ROWS))
    fill_pages(tmp_path)
    assert [page.read_text() for page in pages] == [
        filled(TEXT, measured), filled("# Page\n" + TEXT, measured), "no table\n"]
    assert "4,608 cycles" in pages[1].read_text()
    assert sorted(engines.iterdir()) == pages[1:]

    (engines / "last.md").write_text(TEXT.replace("ternary", "other"))
    pages[0].write_text(TEXT)
    with pytest.raises(FlowError, match="must be there for the table other"):
        fill_pages(tmp_path)
    assert pages[0].read_text() == TEXT


def test_picture_stands_alone():
    text = picture(cycles(results()["engines"][0]["layers"]))
    assert (
        text.startswith("<svg ")
        and 'xmlns="http://www.w3.org/2000/svg"' in text
        and "currentColor" not in text
    )
