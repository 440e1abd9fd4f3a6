import numpy as np
from shiftwork.flow.datasets import Dataset
from shiftwork.flow.recipes import train_mnist_sparse
from shiftwork.flow.ternary import encode
from shiftwork.golden.ternary.compress import zero_shares
from shiftwork.golden.ternary.config import TernaryConfig
from shiftwork.golden.ternary.model import forward


def bars(count, rng):
    """28x28 images with a bright bar whose row tells the label."""
    labels = rng.integers(0, 10, count)
    x = rng.random((count, 1, 28, 28), dtype=np.float32) * 0.2
    for image, label in zip(x, labels, strict=True):
        image[0, 3 + 2 * label:5 + 2 * label, 4:24] += 0.8
    return x, labels


def test_the_sparse_recipe_on_small_data():
    rng = np.random.default_rng(0)
    data, seen = Dataset("bars", *bars(256, rng), *bars(64, rng)), []
    trained = train_mnist_sparse(0, lambda *event: seen.append(event[0]), data=data, epochs=(2, 2, 1),
                                 filters=(4, 8, 8))
    shares = zero_shares(trained.compressed)
    assert shares.pop("conv1") >= 1 / 3 and min(shares.values()) >= 0.82
    assert set(seen) == {"float", "ternary"}
    assert forward(trained.integer, np.rint(data.test_x * 255).astype(np.int64)).shape == (64, 10)
    for serial in (False, True):
        encode(trained.integer, TernaryConfig(row_depth=2048, weight_depth=1024, bit_serial=serial))
