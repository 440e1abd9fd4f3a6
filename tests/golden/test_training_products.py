import numpy as np
import pytest
from shiftwork.golden.training.products import exact_product


@pytest.mark.parametrize("most", [100, 4000, 1 << 22])
def test_products_are_exact_in_single_and_double_precision(most):
    rng = np.random.default_rng(most)
    a, b = rng.integers(-most, most + 1, (7, 300)), rng.integers(-most, most + 1, (300, 9))
    a[0], b[:, 0] = most, most          # the greatest sum there is
    found = exact_product(a, b)
    assert found.dtype == np.int64 and found[0, 0] == 300 * most ** 2
    assert np.array_equal(found, a @ b)


def test_products_beyond_double_precision_are_refused():
    a = np.full((1, 2), 1 << 26)
    assert exact_product(a, a.T)[0, 0] == 1 << 53
    with pytest.raises(OverflowError, match="sums of products must be at most 2.*, not 9007199388958720"):
        exact_product(a, a.T + 1)
