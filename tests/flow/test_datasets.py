import numpy as np
import pytest
from shiftwork.flow.datasets import digits, mnist10k


def check(data, sizes, side):
    assert (len(data.train_x), len(data.test_x)) == (len(data.train_y), len(data.test_y)) == sizes
    for x, y in ((data.train_x, data.train_y), (data.test_x, data.test_y)):
        assert x.shape[1:] == (1, side, side) and x.dtype == np.float32 and y.dtype == np.int64
        assert x.min() == 0 and x.max() == 1
        # A file sorted by label, split without a shuffle, would leave classes out of one part.
        assert np.bincount(y, minlength=10).min() > 0.07 * len(y)


def test_digits():
    data, again = digits(), digits()
    check(data, (1297, 500), 8)
    assert np.array_equal(data.test_x, again.test_x) and np.array_equal(data.train_y, again.train_y)
    whole = np.concatenate([data.train_x, data.test_x]).reshape(1797, -1)
    assert len(np.unique(whole, axis=0)) == 1797


def test_mnist():
    try:
        data = mnist10k()
    except FileNotFoundError:
        pytest.skip("mnist10k.npz is not at hand")
    check(data, (8000, 2000), 28)


def test_mnist_refuses_absent_and_other_files(tmp_path, monkeypatch):
    monkeypatch.setenv("SHIFTWORK_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="MNIST file must be .*mnist10k.npz, not absent"):
        mnist10k()
    np.savez(tmp_path / "mnist10k.npz", images=np.zeros(3), labels=np.zeros(3))
    with pytest.raises(ValueError, match=r"must hold images \(10000, 28, 28\) and labels, not"):
        mnist10k()
