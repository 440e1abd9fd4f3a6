"""The report on made-up results: whole, self-contained, the same for the same."""

import copy
import re
from dataclasses import asdict
from html import escape
from html.parser import HTMLParser

import pytest
from shiftwork.flow.engines import ENGINES, engine
from shiftwork.flow.report import render

from .fakes import results

VOID = {"meta", "img", "br", "link", "hr", "input"}


class _Tags(HTMLParser):
    """Checks that tags close in order; SVG's self-closing ones too."""

    def __init__(self):
        super().__init__()
        self.open, self.count = [], {}

    def handle_starttag(self, tag, attrs):
        self.count[tag] = self.count.get(tag, 0) + 1
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.count[tag] = self.count.get(tag, 0) + 1

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, tag


@pytest.fixture(scope="module")
def page():
    return render(results())


def test_page_is_well_formed_and_needs_nothing_beside(page):
    tags = _Tags()
    tags.feed(page)
    assert tags.open == []
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    assert "url(http" not in page and "<script" not in page and "@import" not in page


def test_page_has_every_part(page):
    tags = _Tags()
    tags.feed(page)
    assert tags.count["img"] == 40
    assert page.count("<figure class=wrong") == 3 and "3, is 0" in page
    assert (
        tags.count["svg"] == 2 + 2 * 4
    )  # accuracy, zeros; cycles, resources, clock and memory of each board
    for text in (
        "98.13 %",
        "ULX3S 85F",
        "iCEBreaker",
        "18,432",
        "7,012 of 83,640",
        "104.20 MHz",
        "150.0 of 256.0",
    ):
        assert text in page, text


def test_ids_of_plots_are_unique(page):
    ids = re.findall(r'\bid="([^"]+)"', page)
    defined = [name for name in ids if re.match(r"p[0-9a-f]{10}", name)]
    assert len(defined) == len(set(defined))


def test_text_of_plots_takes_the_color_of_the_page(page):
    texts = re.findall(r"<text[^>]*>", page)
    assert texts and all("fill: currentColor" in text or "fill: #ffffff" in text for text in texts)


def test_same_results_same_page(page):
    assert render(results()) == page


@pytest.mark.parametrize("part", ["lead", "figures", "accuracy", "images", "engines", "versions"])
def test_missing_parts_are_left_out(part):
    some = results(images=2)
    del some[part]
    assert "<h1>" in render(some)


def test_engine_without_synthesis():
    some = results(images=2)
    for key in ("resources", "fmax_mhz", "clock_mhz"):
        del some["engines"][0][key]
    assert "<h3>Cycles of each layer</h3>" in render(some)


@pytest.mark.parametrize("name", ENGINES)
def test_page_speaks_of_its_engine(name):
    some, words = results(images=2), engine(name).WORDS
    some["words"] = asdict(words)
    for layer in some["engines"][0]["layers"]:
        layer["coefficients"] = layer["multiplications"] = layer["weights"]
    page = render(some)
    for text in (words.name, words.weights, words.zeros, words.dense, words.ideal,
                 f"{words.zero} that are {words.are}, percent"):
        assert escape(text) in page, text
    for other in set(ENGINES) - {name}:
        assert escape(engine(other).WORDS.weights) not in page


def test_text_is_escaped():
    some = copy.deepcopy(results(images=1))
    some["title"] = "<b>&"
    page = render(some)
    assert "<h1>&lt;b&gt;&amp;</h1>" in page and "<b>&<" not in page
