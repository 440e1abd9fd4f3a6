import numpy as np
import pytest
from shiftwork.golden.common.layers import softmax_cross_entropy
from shiftwork.golden.common.network import Network, Node
from shiftwork.golden.common.optim import Adam, cosine_rate, shift_images
from shiftwork.golden.common.trainer import Hooks, Settings, gradients, refresh_statistics, train


def node(op_type, name, source, *arrays, **attributes):
    return Node(op_type=op_type, name=name, inputs=(source, *arrays), outputs=(name,), attributes=attributes)


def every_operator():
    rng = np.random.default_rng(0)
    arrays = {"w1": rng.standard_normal((3, 2, 3, 2)), "b1": rng.standard_normal(3),
              "g": rng.uniform(0.5, 2, 3), "b": rng.standard_normal(3), "m": np.zeros(3), "v": np.ones(3),
              "w2": rng.standard_normal((27, 4)), "b2": rng.standard_normal(4),
              "w3": rng.standard_normal((4, 4))}
    nodes = (node("Conv", "c", "x", "w1", "b1", strides=(2, 1), pads=(1, 0, 2, 1)),
             node("BatchNormalization", "n", "c", "g", "b", "m", "v"),
             node("MaxPool", "p", "n", kernel_shape=(2, 3), strides=(1, 2)), node("Relu", "r", "p"),
             node("Flatten", "f", "r"), node("Gemm", "d", "f", "w2", "b2"), node("Gemm", "y", "d", "w3",
                                                                                 transB=1))
    return Network(nodes=nodes, arrays=arrays, input_shape=(2, 6, 7), output_name="y")


def residual():
    """Sums of a Conv and what it reads, of a Gemm and what it reads, and of one activation and itself."""
    rng = np.random.default_rng(2)
    arrays = {"w1": rng.standard_normal((2, 2, 3, 3)), "b1": rng.standard_normal(2),
              "w2": rng.standard_normal((2, 2, 1, 1)), "w3": rng.standard_normal((84, 4)),
              "w4": rng.standard_normal((4, 4))}
    nodes = (node("Conv", "p", "x", "w2"), node("Conv", "c", "p", "w1", "b1", pads=(1, 1, 1, 1)),
             node("Add", "s", "p", "c"), node("Relu", "r", "s"), node("Flatten", "f", "r"),
             node("Gemm", "d", "f", "w3"), node("Gemm", "e", "d", "w4"), node("Add", "t", "e", "d"),
             node("Add", "y", "t", "t"))
    return Network(nodes=nodes, arrays=arrays, input_shape=(2, 6, 7), output_name="y")


@pytest.mark.parametrize("make, names", [
    (every_operator, {"w1", "b1", "g", "b", "w2", "b2", "w3"}), (residual, {"w1", "b1", "w2", "w3", "w4"})])
def test_gradients_are_the_numerical_ones(make, names):
    net, rng = make(), np.random.default_rng(1)
    x, labels = rng.standard_normal((2, 6, 7, 5)), rng.integers(0, 4, 5)
    arrays = dict(net.arrays)
    _, found, _ = gradients(net, arrays, x, labels)
    assert set(found) == names
    for name, gradient in found.items():
        for index in rng.permutation(arrays[name].size)[:12]:
            moved = []
            for step in (1e-5, -1e-5):
                array = arrays[name].copy()
                array.flat[index] += step
                moved.append(gradients(net, {**arrays, name: array}, x, labels)[0])
            # Central difference in float64: error of order step ** 2 plus 1e-16 / step.
            assert gradient.flat[index] == pytest.approx((moved[0] - moved[1]) / 2e-5, rel=1e-5,
                                                         abs=1e-8), name


def test_softmax_cross_entropy_of_known_values():
    loss, gradient = softmax_cross_entropy(np.log(np.array([[1.0, 1], [3, 1]])), np.array([1, 0]))
    assert loss == pytest.approx((np.log(4 / 3) + np.log(2)) / 2)
    np.testing.assert_allclose(gradient, [[0.125, -0.25], [-0.125, 0.25]])
    assert np.isfinite(softmax_cross_entropy(np.array([[1e4], [-1e4]]), np.array([1]))[0])


def test_rounded_activations_pass_the_gradient_where_not_clipped():
    nodes = (node("Gemm", "h", "x", "a"), node("Gemm", "y", "h", "c"))
    net = Network(nodes=nodes, input_shape=(2,), output_name="y",
                  arrays={"a": np.eye(2), "c": np.array([[1.0, 2.0], [3.0, 5.0]])})
    x, labels = np.array([[0.26], [9.0]]), np.array([0])
    _, found, _ = gradients(net, net.arrays, x, labels, {"h": (0.5, 0, 7)})
    dy = softmax_cross_entropy(net.arrays["c"].T @ [[0.5], [3.5]], labels)[1]
    np.testing.assert_allclose(found["c"], [[0.5], [3.5]] @ dy.T)
    flowing = net.arrays["c"] @ dy
    np.testing.assert_allclose(found["a"], x @ np.array([flowing[0], [0.0]]).T)


def blobs(count=256):
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 3, count)
    x = rng.standard_normal((count, 1, 4, 4)) * 0.4
    x[np.arange(count), 0, labels, labels] += 2
    return x.astype(np.float32), labels


def small():
    rng = np.random.default_rng(6)
    arrays = {"w": rng.standard_normal((4, 1, 3, 3)) * 0.3, "g": np.ones(4), "b": np.zeros(4),
              "m": np.zeros(4),
              "v": np.ones(4), "d": rng.standard_normal((3, 64)) * 0.1}
    nodes = (node("Conv", "c", "x", "w", pads=(1, 1, 1, 1)),
             node("BatchNormalization", "n", "c", "g", "b", "m", "v"),
             node("Relu", "r", "n"), node("Flatten", "f", "r"), node("Gemm", "y", "f", "d", transB=1))
    return Network(nodes=nodes, arrays=arrays, input_shape=(1, 4, 4), output_name="y")


def test_training_learns_repeats_and_leaves_its_argument_alone():
    (x, labels), net, seen = blobs(), small(), []
    before = {name: array.copy() for name, array in net.arrays.items()}
    settings = Settings(epochs=6, batch=32, rate=5e-3, seed=3)
    trained = train(net, x, labels, settings, progress=lambda *event: seen.append(event))
    assert net.accuracy(x, labels) < 0.8 and trained.accuracy(x, labels) > 0.95
    assert [(e[0], e[1]) for e in seen] == [(n, 6) for n in range(1, 7)] and seen[-1][2] < seen[0][2] / 2
    again = train(net, x, labels, settings)
    assert all(np.array_equal(again.arrays[k], trained.arrays[k]) for k in before)
    assert all(np.array_equal(net.arrays[k], before[k]) for k in before)
    assert all(array.dtype == np.float32 for array in trained.arrays.values())


def test_projection_is_straight_through_and_masks_hold():
    (x, labels), net, epochs = blobs(), small(), []
    mask = (np.arange(36).reshape(4, 1, 3, 3) % 2).astype(np.float32)
    hooks = Hooks(project={"d": np.sign}, masks={"w": mask}, epoch=lambda n,
                  arrays: epochs.append((n, set(arrays))))
    trained = train(net, x, labels, Settings(epochs=4, batch=32, rate=5e-3), hooks)
    assert np.all(trained.arrays["w"][mask == 0] == 0) and np.all(trained.arrays["w"][mask == 1] != 0)
    # sign() has no gradient of its own: that "d" moved, and into no sign, is the straight-through rule.
    moved = np.abs(trained.arrays["d"] - net.arrays["d"])
    assert moved.max() > 0.01 and len(np.unique(np.abs(trained.arrays["d"]))) > 100
    assert epochs == [(n, set(net.arrays)) for n in range(4)]


def test_penalty_pulls_weights():
    (x, labels), net = blobs(), small()
    settings = Settings(epochs=12, batch=32, rate=1e-2)
    pulled = train(net, x, labels, settings, Hooks(penalty={"d": lambda w: 100 * (w - 0.25)}))
    free = train(net, x, labels, settings)
    assert np.abs(pulled.arrays["d"] - 0.25).mean() < 0.02 < 0.2 < np.abs(free.arrays["d"] - 0.25).mean()


def test_refreshed_statistics_are_the_data_s():
    (x, _), net = blobs(), small()
    fresh = refresh_statistics(net, x, batch=100)
    values = net.activations(x)["c"]
    np.testing.assert_allclose(fresh.arrays["v"], values.reshape(4, -1).var(axis=1), rtol=0.1)
    whole = refresh_statistics(net, x, batch=len(x))
    np.testing.assert_allclose(whole.arrays["m"], values.reshape(4, -1).mean(axis=1), atol=1e-5)
    np.testing.assert_allclose(whole.arrays["v"], values.reshape(4, -1).var(axis=1), rtol=1e-4)


def test_statistics_are_refreshed_behind_a_sum():
    nodes = (node("Gemm", "h", "x", "w"), node("Add", "s", "x", "h"),
             node("BatchNormalization", "y", "s", "g", "b", "m", "v"))
    arrays = {"w": np.diag([1.0, -3.0]), "g": np.ones(2), "b": np.zeros(2), "m": np.zeros(2), "v": np.ones(2)}
    x = np.array([[1, 2], [3, 2], [5, 5]], np.float32)
    fresh = refresh_statistics(Network(nodes=nodes, arrays=arrays, input_shape=(2,), output_name="y"), x)
    assert fresh.arrays["m"] == pytest.approx([6, -6])       # of 2 x0 and -2 x1
    assert fresh.arrays["v"] == pytest.approx([4 * 8 / 3, 4 * 2])


def test_adam_s_first_step_is_the_rate_in_the_gradient_s_direction():
    arrays = {"w": np.array([[1.0, -2.0]]), "b": np.array([3.0])}
    Adam(decay=0.5).step(arrays, {"w": np.array([[4.0, -1e-3]]), "b": np.array([-7.0])}, 0.1)
    np.testing.assert_allclose(arrays["w"], [[1 * 0.95 - 0.1, -2 * 0.95 + 0.1]], rtol=1e-4)
    np.testing.assert_allclose(arrays["b"], [3.1], rtol=1e-6)


def test_cosine_rate():
    assert [cosine_rate(2.0, s, 10, floor=0) for s in (0, 5, 10)] == pytest.approx([2, 1, 0])
    assert cosine_rate(2.0, 10, 10) == pytest.approx(0.02)


def test_shifted_images_are_moved_copies():
    x = np.arange(1, 10, dtype=np.float32).reshape(1, 1, 3, 3).repeat(50, axis=0)
    moved = shift_images(x, 1, np.random.default_rng(0))
    centers = set(moved[:, 0, 1, 1])
    assert centers == set(range(1, 10)) and moved.shape == x.shape
    corner = moved[moved[:, 0, 1, 1] == 1][0, 0]
    assert corner.tolist() == [[0, 0, 0], [0, 1, 2], [0, 4, 5]]


@pytest.mark.parametrize("settings, message", [
    (dict(epochs=0), "epochs must be at least 1, not 0"), (dict(epochs=1, batch=1),
                                                           "batch must be at least 2, not 1"),
    (dict(epochs=1, shift=-1), "shift must be at least 0, not -1")])
def test_settings_refuse(settings, message):
    with pytest.raises(ValueError, match=message):
        Settings(**settings)


def test_train_refuses_missing_data():
    x, labels = blobs(40)
    with pytest.raises(ValueError, match="at least 32 images with a label each, not 40 images and 39 labels"):
        train(small(), x, labels[:39], Settings(epochs=1, batch=32))
    with pytest.raises(ValueError, match="at least 64 images with a label each, not 40 images and 40 labels"):
        train(small(), x, labels, Settings(epochs=1))
