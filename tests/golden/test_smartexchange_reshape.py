import numpy as np
import pytest
from shiftwork.golden.smartexchange.reshape import Layout


def test_a_row_of_a_convolution_is_a_kernel_row():
    weights = np.random.default_rng(0).standard_normal((4, 5, 2, 3))
    layout = Layout.of(weights.shape, size=7)
    matrices = layout.matrices(weights)
    assert (layout.kind, layout.size, layout.rows, layout.channel_rows) == ("convolution", 3, 10, 2)
    for m, c, r, s in np.ndindex(weights.shape):
        assert matrices[m, c * 2 + r, s] == weights[m, c, r, s]


@pytest.mark.parametrize("shape", [(4, 10), (4, 10, 1, 1), (4, 5, 2, 1)])
def test_vectors_are_cut_into_rows_with_zeros_at_the_end(shape):
    weights = np.random.default_rng(0).standard_normal(shape)
    layout = Layout.of(shape, size=3)
    matrices = layout.matrices(weights)
    assert (layout.kind, layout.size, layout.rows, layout.channel_rows) == ("vector", 3, 4, 1)
    flat = weights.reshape(4, 10)
    for m, i in np.ndindex(4, 12):
        assert matrices[m, i // 3, i % 3] == (flat[m, i] if i < 10 else 0)


def test_depthwise_filters_have_their_own_kernel():
    layout = Layout.of((6, 1, 3, 3), groups=6)
    assert (layout.rows, layout.size, layout.slices, layout.groups) == (3, 3, 1, 6)
    weights = np.arange(54.0).reshape(6, 1, 3, 3)
    np.testing.assert_array_equal(layout.matrices(weights), weights[:, 0])


@pytest.mark.parametrize("shape", [(3, 4, 3, 3), (2, 1, 3, 3), (2, 3, 5, 5), (2, 3, 2, 5), (2, 3, 5, 1),
                                   (7, 11), (7, 12), (1, 1), (3, 8, 1, 1)])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_round_trips(shape, size):
    weights = np.random.default_rng(1).standard_normal(shape)
    layout = Layout.of(shape, size=size, height=1)
    back = layout.weights(layout.matrices(weights))
    np.testing.assert_array_equal(back, weights)
    matrices = np.random.default_rng(2).standard_normal((layout.filters, layout.rows, layout.size))
    again = layout.matrices(layout.weights(matrices))
    flat = int(np.prod(shape[1:]))
    np.testing.assert_array_equal(again.reshape(len(again), -1)[:, :flat],
                                  matrices.reshape(len(again), -1)[:, :flat])
    assert not again.reshape(len(again), -1)[:, flat:].any()


@pytest.mark.parametrize("inputs, heights", [
    (512, [171]), (1024, [171, 171]), (4096, [171] * 6 + [170] * 2), (9216, [192] * 16), (3, [1]),
    (577, [97, 96])])
def test_slices_are_as_equal_as_they_can_be(inputs, heights):
    layout = Layout.of((2, inputs), size=3)    # at most 64 * 3 rows, as in the authors' follow-up
    assert layout.heights.tolist() == heights and layout.bounds[0] == 0


def test_height():
    assert Layout.of((2, 10), size=1, height=4).heights.tolist() == [4, 3, 3]
    assert Layout.of((2, 4096), size=3, height=None).slices == 1


def test_product_is_of_each_filter_and_slice():
    rng = np.random.default_rng(3)
    layout = Layout(shape=(2, 15), size=3, bounds=(0, 2, 5))
    c, b = rng.standard_normal((2, 5, 3)), rng.standard_normal((2, 2, 3, 3))
    found = layout.product(c, b)
    for m, i in np.ndindex(2, 5):
        np.testing.assert_allclose(found[m, i], c[m, i] @ b[m, 0 if i < 2 else 1])


GOOD = dict(shape=(2, 15), size=3, bounds=(0, 2, 5))


@pytest.mark.parametrize("change, message", [
    (dict(shape=(2, 3, 4)), r"weights must be of 2 or 4 dimensions, none of them empty, not of \(2, 3, 4\)"),
    (dict(shape=(2, 0)), r"weights must be of 2 or 4 dimensions, none of them empty, not of \(2, 0\)"),
    (dict(groups=3), "groups must divide the 2 filters, not be 3"),
    (dict(groups=0), "groups must divide the 2 filters, not be 0"),
    (dict(shape=(2, 5, 1, 3), size=2), "size must be the kernel's width 3, not 2"),
    (dict(bounds=(0, 2, 4)), r"bounds must grow from 0 to the 5 rows, not be \(0, 2, 4\)"),
    (dict(bounds=(1, 2, 5)), "bounds must grow from 0 to the 5 rows"),
    (dict(bounds=(0, 2, 2, 5)), "bounds must grow from 0 to the 5 rows"),
    (dict(bounds=(0,)), "bounds must grow from 0 to the 5 rows")])
def test_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        Layout(**{**GOOD, **change})


def test_refuses_arrays_of_other_shapes():
    layout = Layout(**GOOD)
    with pytest.raises(ValueError, match=r"weights must be of shape \(2, 15\), not \(15, 2\)"):
        layout.matrices(np.zeros((15, 2)))
    with pytest.raises(ValueError, match=r"matrices must be of shape \(2, 5, 3\), not \(2, 15\)"):
        layout.weights(np.zeros((2, 15)))
