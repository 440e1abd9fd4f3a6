"""Which failures are answers to the user, and how they are told."""

import io
import json

import numpy as np
import pytest
from shiftwork.flow.errors import FlowError, choose, is_expected, reported
from shiftwork.golden.ternary.config import TernaryConfig
from shiftwork.sim.tools import ToolError


def _caught(function):
    try:
        function()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def _missing_file():
    open("/nowhere/at/all")


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda: choose("Thing", "c", ("a", "b")), True),
        (lambda: TernaryConfig(lanes=3), True),
        (_missing_file, True),
        (lambda: np.zeros(3) + np.zeros(4), False),  # a ValueError, but numpy's: our defect
        (lambda: json.loads("{"), False),
        (lambda: {}["key"], False),
    ],
)
def test_expected(function, expected):
    assert is_expected(_caught(function)) == expected


def test_classes_of_this_project_are_expected_wherever_raised():
    assert is_expected(ToolError("no compiler"))


@pytest.mark.parametrize(
    ("function", "line"),
    [
        (lambda: choose("Thing", "c", ("a", "b")), "error: Thing must be one of a, b, not 'c'\n"),
        (_missing_file, "error: /nowhere/at/all: no such file or directory\n"),
    ],
)
def test_reported_in_one_sentence(function, line):
    stream = io.StringIO()
    with pytest.raises(SystemExit) as stopped, reported(stream):
        function()
    assert stopped.value.code == 2
    assert stream.getvalue() == line


def test_defects_keep_their_traceback():
    with pytest.raises(KeyError), reported(io.StringIO()):
        raise KeyError("defect")


def test_choose_returns_what_stands_there():
    assert choose("Thing", "a", {"a": 1}) == 1
    assert choose("Thing", "a", ["a"]) == "a"
    with pytest.raises(FlowError):
        choose("Thing", "A", {"a": 1})
