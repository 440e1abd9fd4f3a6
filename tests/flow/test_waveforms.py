"""The picture of an addition shows what the RTL does."""

import re

import pytest
from shiftwork.flow.waveforms import ARRAYS, Lane, addition, addition_lanes, list_lanes, lists, waveforms

PARALLEL, LATCH, WRITE_BACK = ARRAYS.values()
PAIRS = (93, 58), (255, 255), (0, 1)


def lanes(config, a, b):
    return {lane.name: lane.values for lane in addition_lanes(config, a, b)}


def bits(value):
    return [value >> n & 1 for n in range(9)]


def carries(a, b):
    """c_0 .. c_9 of the addition on paper."""
    found = [0]
    for x, y in zip(bits(a), bits(b), strict=True):
        found.append(int(x + y + found[-1] > 1))
    return found


def known(values):
    return [value for value in values if value is not None]


@pytest.mark.parametrize("a, b", PAIRS)
@pytest.mark.parametrize("config, steps", [(LATCH, 1), (WRITE_BACK, 2)])
def test_bits(config, steps, a, b):
    """Each bit takes one cycle, or two; of these the carry is written in the first, the sum in the second."""
    found = lanes(config, a, b)
    expected = {"bit i": range(9), "$a_i$": bits(a), "$b_i$": bits(b), "$c_i$": carries(a, b)[:-1],
                "$s_i$": bits(a + b), "$c_{i+1}$": carries(a, b)[1:]}
    for name, values in expected.items():
        assert known(found[name]) == [value for value in values for _ in range(steps)], name
        assert found[name][:4] == [None] * 4 and found[name][-1] is None
    assert known(found["row of P written"]) == known(found["row of S written"]) == list(range(9))
    if config.carry_write_back:
        assert found["row of C written"][4:-1] == [1, None, 0, None] * 4 + [1, None]
        assert found["row of P written"][4:-1:2] == [None] * 9
    else:
        assert "row of C written" not in found
    assert found["ready"].index(1) + 1 == sum(found["valid"]) == 9 * steps


@pytest.mark.parametrize("a, b", PAIRS)
def test_words(a, b):
    found = lanes(PARALLEL, a, b)
    assert found["valid"] == [1, 0, 0, 0, 0, 0] and found["sum so far"][:5] == [a] * 5
    assert found["term"][4] == b and found["sum"][4] == found["snapshot"][5] == a + b


def test_picture():
    """The same bytes each time, with all names, and as many values as there are."""
    text = addition()
    assert text == addition()
    assert all(title in text for title in ARRAYS)
    for name in ("valid", "snapshot", "row of C written"):
        assert f">{name}</text>" in text
    assert len(re.findall(r">151</text>", text)) == 2


def test_lists():
    """Items, sums and the combination of two columns, as the formula has them."""
    found = {title: {lane.name: lane.values for lane in lanes} for title, lanes in list_lanes().items()}
    items, adder, steps = found.values()
    taken = [n for n, flag in enumerate(items["taken"]) if flag]
    assert [items["row"][n] for n in taken[:5]] == [1, 4, 4, 1, 4]
    assert [(items["negative"][n], items["shift"][n], items["last"][n]) for n in taken[:5]] == [
        (0, 0, 0), (1, 1, 0), (0, 1, 1), (0, 0, 0), (0, 0, 1)]
    # Ce is ((8, 1), (-2, 1)), column 1 of the map (5, 3), column 2 (2, 6)
    first, second = (8 * 5 - 2 * 3, 5 + 3), (8 * 2 - 2 * 6, 2 + 6)
    snapshots = [value for n, value in enumerate(adder["snapshot T"]) if n in (4, 10, 16, 22)]
    assert snapshots == [1 + 4, first[0] // 2, first[1], second[0] // 2]
    before = 3 * (8 * 1 - 2 * 4) + 5 * (1 + 4)     # of column 0 in output 0
    b = (3, -2), (5, 7)
    assert known(steps["sum"]) == [
        0, before, before + b[0][1] * first[0], b[0][0] * first[0],
        before + b[0][1] * first[0] + b[1][1] * first[1], b[0][0] * first[0] + b[1][0] * first[1]]
    assert known(steps["complete"]) == [0, 0, 0, 0, 1, 0]
    assert [n for n, value in enumerate(adder["x"]) if value is not None] == [
        n + 4 for n in taken if n + 4 < len(items["taken"])]


def test_picture_of_lists():
    text = lists()
    assert text == lists() and ">combination</text>" in text and ">-43</text>" in text


def test_lanes_that_do_not_matter():
    """Idle cycles are one faint line; equal numbers share a box."""
    lanes = [Lane("n", [None, None, 7, 7, None]), Lane("b", [0, None, None, 1, 1], True)]
    text = waveforms({"t": lanes}, "x")
    assert text.count(">7</text>") == 1 and text.count("nan") == 0
