import numpy as np
import pytest
from shiftwork.golden.circulant.matrix import (
    BLOCK_SIZES,
    BlockCirculant,
    Stack,
    block_counts,
    diagonal_sums,
    expand,
    project,
)

SHAPES = [(8, 8), (16, 24), (5, 3), (17, 9), (1, 30), (30, 1), (64, 128), (70, 65)]


def by_definition(columns, shape):
    """Entry by entry, from M[a, b] = w[(a - b) mod k]."""
    size, out = columns.shape[-1], np.empty(shape)
    for r in range(shape[0]):
        for c in range(shape[1]):
            out[r, c] = columns[r // size, c // size, (r % size - c % size) % size]
    return out


def random(shape, size, seed=0):
    columns = np.random.default_rng(seed).standard_normal((*block_counts(shape, size), size))
    return BlockCirculant(shape=shape, columns=columns)


@pytest.mark.parametrize("size", BLOCK_SIZES)
@pytest.mark.parametrize("shape", SHAPES)
def test_products_are_those_of_the_definition(shape, size):
    w = random(shape, size)
    dense = by_definition(w.columns, shape)
    assert np.array_equal(w.dense(), dense)
    x = np.random.default_rng(1).standard_normal((3, 2, shape[1]))
    np.testing.assert_allclose(w.matvec(x), x @ dense.T, rtol=0, atol=1e-12 * size * shape[1])
    p, q = -(-shape[0] // size), -(-shape[1] // size)
    assert w.storage == p * q * size and w.spectra.shape == (p, q, size // 2 + 1)
    assert np.all(w.spectra[..., [0, -1]].imag == 0)
    assert w.multiplications == p * q * (2 * size - 2)


@pytest.mark.parametrize("size", BLOCK_SIZES)
def test_one_block_is_a_circular_convolution(size):
    w, x = random((size, size), size), np.random.default_rng(2).standard_normal(size)
    column = w.columns[0, 0]
    np.testing.assert_allclose(w.matvec(x), np.fft.ifft(np.fft.fft(column) * np.fft.fft(x)).real, atol=1e-12)
    assert np.array_equal(w.dense()[:, 0], column)
    np.testing.assert_allclose(np.sort_complex(np.linalg.eigvals(w.dense()).round(9)),
                               np.sort_complex(np.fft.fft(column).round(9)), atol=1e-6)


def test_deltas_shift_and_their_products_add():
    def shift(by):
        return BlockCirculant(shape=(8, 8), columns=np.eye(8)[by].reshape(1, 1, 8))
    x = np.arange(8.0)
    for by in range(8):
        np.testing.assert_allclose(shift(by).matvec(x), np.roll(x, by), atol=1e-12)
        # Circulant matrices are closed under products and commute.
        product = shift(by).dense() @ random((8, 8), 8).dense()
        np.testing.assert_allclose(project(product, 8)[0, 0], np.roll(random((8, 8), 8).columns[0, 0], by))
        np.testing.assert_allclose(product, random((8, 8), 8).dense() @ shift(by).dense())


@pytest.mark.parametrize("size", BLOCK_SIZES)
def test_first_rows_are_conjugate_spectra(size):
    shape, rng = (2 * size, size + 1), np.random.default_rng(3)
    rows = rng.standard_normal((2, 2, size))
    w = BlockCirculant.of_rows(shape, rows)
    np.testing.assert_array_equal(w.dense()[0, :size], rows[0, 0])
    np.testing.assert_array_equal(w.dense()[size, size:], rows[1, 1, :1])
    np.testing.assert_allclose(w.spectra, np.fft.rfft(rows).conj(), atol=1e-12)


@pytest.mark.parametrize("shape, size", [((6, 4), 2), ((5, 7), 4), ((9, 3), 8), ((12, 8), 4)])
def test_projection_is_the_least_squares_solution(shape, size):
    dense = np.random.default_rng(4).standard_normal(shape)
    counts = (*block_counts(shape, size), size)
    # The map from first columns to matrices, column by column; lstsq's solution is the one of least norm.
    basis = np.stack([by_definition(unit.reshape(counts), shape).ravel() for unit in np.eye(np.prod(counts))])
    solution = np.linalg.lstsq(basis.T, dense.ravel(), rcond=None)[0]
    np.testing.assert_allclose(project(dense, size), solution.reshape(counts), atol=1e-12)
    nearest = BlockCirculant.nearest(dense, size)
    np.testing.assert_allclose(project(nearest.dense(), size), nearest.columns, atol=1e-12)
    # What is left is orthogonal to all block-circulant matrices.
    np.testing.assert_allclose(diagonal_sums(dense - nearest.dense(), size), 0, atol=1e-12)


def test_projection_is_the_mean_and_not_the_last_entry():
    dense = np.array([[1.0, 5.0], [7.0, 3.0]])
    assert project(dense, 2).tolist() == [[[2.0, 6.0]]]


@pytest.mark.parametrize("shape, size", [((3, 8, 16), 8), ((2, 4, 5, 6), 4)])
def test_diagonal_sums_are_the_adjoint_of_expand(shape, size):
    rng = np.random.default_rng(5)
    dense = rng.standard_normal(shape)
    columns = rng.standard_normal((*shape[:-2], *block_counts(shape, size), size))
    found = np.vdot(expand(columns, shape), dense)
    assert found == pytest.approx(np.vdot(columns, diagonal_sums(dense, size)))
    assert np.array_equal(expand(columns, shape)[0], expand(columns[0], shape[1:]))
    assert expand(columns.astype(np.float32), shape).dtype == np.float32
    assert project(dense.astype(np.float32), size).dtype == np.float32


def test_stacks_share_inverse_transforms_of_one_size():
    parts = random((20, 13), 4), random((20, 20), 8), random((20, 9), 4)
    stack = Stack(parts=parts)
    vectors = [np.random.default_rng(n).standard_normal((2, part.shape[1])) for n, part in enumerate(parts)]
    dense = np.concatenate([by_definition(part.columns, part.shape) for part in parts], axis=1)
    assert np.array_equal(stack.dense(), dense) and stack.shape == (20, 42)
    np.testing.assert_allclose(stack.matvec(*vectors), np.concatenate(vectors, axis=1) @ dense.T, atol=1e-11)
    assert stack.transforms == (4 + 3 + 3, 5 + 3)
    assert stack.storage == 5 * 4 * 4 + 3 * 3 * 8 + 5 * 3 * 4


@pytest.mark.parametrize("call, message", [
    (lambda: block_counts((8, 8), 12), "block size must be one of 2, 4, 8, 16, 32, 64, not 12"),
    (lambda: block_counts((8, 8), 1), "block size must be one of .*, not 1"),
    (lambda: expand(np.zeros((2, 2, 8)), (8, 8)),
     r"first columns of a matrix \(8, 8\) must be of shape \(1, 1, 8\), not \(2, 2, 8\)"),
    (lambda: BlockCirculant(shape=(9, 8), columns=np.zeros((1, 1, 8))),
     r"first columns of a matrix \(9, 8\) must be of shape \(2, 1, 8\), not \(1, 1, 8\)"),
    (lambda: BlockCirculant(shape=(0, 8), columns=np.zeros((1, 1, 8))),
     r"shape must be \(rows, columns\), both at least 1, not \(0, 8\)"),
    (lambda: random((8, 8), 8).matvec(np.zeros(7)), "vector must have 8 entries, not 7"),
    (lambda: Stack(parts=(random((8, 8), 8), random((9, 8), 8))),
     r"parts must have equally many rows, not \[8, 9\]")])
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
