"""Lists of items: what they sum up to, and that they are what the specification's rules make them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shiftwork.golden.smartexchange.lists import EMPTY, ItemList, item_fields, make_lists

NEGATIVE, SHIFT = 1 << 14, 1 << 15


def column(coefficients):
    """Arguments of make_lists for {offset: coefficient}, zeros among them."""
    offsets = np.array([*coefficients], int)
    values = np.array([*coefficients.values()], int)
    exponents = np.log2(np.maximum(np.abs(values), 1)).astype(np.int8)
    return np.sign(values).astype(np.int8), exponents, offsets


def lists_of(**coefficients):
    return make_lists(*column({int(name[1:]): value for name, value in coefficients.items()}))


POWERS = st.sampled_from([0, *(sign << p for p in range(8) for sign in (1, -1))])
COLUMNS = st.dictionaries(st.integers(0, (1 << 14) - 1), POWERS, max_size=40)


@settings(deadline=None, max_examples=300, derandomize=True)
@given(coefficients=COLUMNS, seed=st.integers(0, 1000))
def test_a_list_is_its_coefficients(coefficients, seed):
    lists = make_lists(*column(coefficients))
    rows = np.random.default_rng(seed).integers(-128, 256, (1 << 14, 3))
    (one,) = lists
    wanted = sum((value * rows[offset] for offset, value in coefficients.items()), np.zeros(3, int))
    np.testing.assert_array_equal(one.dot(lambda offset: rows[offset]) << one.lift, wanted)
    assert one.coefficients() == {offset: value for offset, value in coefficients.items() if value}


@settings(deadline=None, max_examples=300, derandomize=True)
@given(coefficients=COLUMNS)
def test_order_of_items(coefficients):
    """Levels from the highest to the lowest, offsets ascending on each but for one that fills a gap."""
    (one,) = make_lists(*column(coefficients))
    present = {offset: abs(value).bit_length() - 1 for offset, value in coefficients.items() if value}
    if not present:
        assert one == EMPTY
        return
    fields = [item_fields(item) for item in one.items]
    assert one.lift == min(present.values()) and not fields[0][2]
    highest = max(present.values())
    levels = highest - np.cumsum([shift for _, _, shift in fields])
    assert levels[-1] == one.lift
    expected = []
    for level in range(highest, one.lift - 1, -1):
        here = sorted(offset for offset, exponent in present.items() if exponent == level)
        # A level of its own terms, or of the one that is widened: the first of the next level that has any.
        below = max((exponent for exponent in present.values() if exponent < level), default=None)
        expected += [(offset, level) for offset in here]
        if not here:
            expected.append((min(o for o, e in present.items() if e == below), level))
    assert [(offset, level) for (offset, _, _), level in zip(fields, levels, strict=True)] == expected


def test_by_hand():
    (one,) = lists_of(o5=-4, o3=4, o9=2, o1=1)
    assert one == ItemList((3, 5 | NEGATIVE, 9 | SHIFT, 1 | SHIFT), 0)
    (one,) = lists_of(o7=8, o2=0)
    assert one == ItemList((7,), 3)
    # From 2**6 to 2**2: x * 4 = x * 32 - x * 16 - x * 8 - x * 4; the next one of 2**2 follows.
    (one,) = lists_of(o0=64, o8=4, o9=-4)
    minus = 8 | NEGATIVE | SHIFT
    assert one == ItemList((0, 8 | SHIFT, minus, minus, minus, 9 | NEGATIVE), 2)
    (one,) = lists_of(o0=4, o1=-1)
    assert one == ItemList((0, 1 | NEGATIVE | SHIFT, 1 | SHIFT), 0)


def test_no_coefficients():
    assert lists_of(o1=0, o2=0) == [EMPTY] == make_lists(*column({}))
    assert EMPTY == ItemList((0, NEGATIVE), 0)
    assert EMPTY.coefficients() == {} and EMPTY.dot(lambda offset: np.int64(77)) == 0


@pytest.mark.parametrize("count, lengths", [(511, [511]), (512, [511, 1]), (1300, [511, 511, 278])])
def test_long_lists_are_cut(count, lengths):
    lists = make_lists(*column({offset: 1 for offset in range(count)}))
    assert [len(one.items) for one in lists] == lengths
    assert [item_fields(item)[0] for one in lists for item in one.items] == [*range(count)]


def test_parts_have_lifts_of_their_own_and_no_gap_between_them():
    # 509 of 2**7, and then three items that would fill a gap of three levels are one too many.
    coefficients = {offset: 128 for offset in range(509)} | {600: -16, 601: 16}
    first, second = make_lists(*column(coefficients))
    assert (len(first.items), first.lift) == (509, 7)
    assert second == ItemList((600 | NEGATIVE, 601), 4)
    del coefficients[0]
    first, second = make_lists(*column(coefficients))
    assert (len(first.items), first.lift) == (511, 4)
    assert second == ItemList((601,), 4)


def test_offsets_may_stand_in_any_order():
    rng = np.random.default_rng(1)
    signs, exponents = rng.choice([-1, 0, 1], 50), rng.integers(0, 8, 50)
    offsets, order = rng.permutation(1000)[:50], rng.permutation(50)
    assert make_lists(signs, exponents, offsets) == make_lists(signs[order], exponents[order], offsets[order])
