import numpy as np
import pytest
from shiftwork.golden.common.admm import AdmmSettings, AdmmState, Schedule, admm, prune, prune_slices
from shiftwork.golden.common.network import Network, Node
from shiftwork.golden.common.trainer import Settings, projected


def problem():
    """40 inputs of which six decide the class: pruning to few weights costs nothing."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1200, 40)).astype(np.float32)
    labels = np.stack([x[:, 0] + x[:, 1], x[:, 2] + x[:, 3], x[:, 4] + x[:, 5]]).argmax(axis=0)
    arrays = {"w": (rng.standard_normal((3, 40)) * 0.1).astype(np.float32)}
    gemm = Node(op_type="Gemm", name="y", inputs=("x", "w"), outputs=("y",), attributes={"transB": 1})
    return Network(nodes=(gemm,), arrays=arrays, input_shape=(40,), output_name="y"), x, labels


def test_prune_keeps_the_greatest_and_the_first_of_equals():
    assert prune(0.5)(np.array([[1.0, -3.0], [0.5, -2.0]])).tolist() == [[0, -3], [0, -2]]
    assert prune(0.5)(np.array([1.0, -1.0, 1.0])).tolist() == [1, -1, 0]
    assert prune(0.0)(np.array([1.0, 0.0])).tolist() == [1, 0]
    with pytest.raises(ValueError, match="share must be at least 0 and less than 1, not 1"):
        prune(1)


def test_prune_slices_zeroes_those_of_least_norm():
    weights = np.array([[3.0, 1, 0], [0, 2, 0], [1, 1, 4]])      # rows 3.2, 2, 4.2; columns 3.2, 2.4, 4
    assert prune_slices(0.34)(weights).tolist() == [[3, 1, 0], [0, 0, 0], [1, 1, 4]]
    assert prune_slices(0.34, 1)(weights).tolist() == [[3, 0, 0], [0, 0, 0], [1, 0, 4]]
    assert prune_slices(0.34, 1, np.array([1, 2, 0.5]))(weights).tolist() == [[3, 1, 0], [0, 2, 0], [1, 1, 0]]
    kernels = np.arange(1.0, 25).reshape(3, 2, 2, 2)
    assert prune_slices(0.67)(kernels)[:2].any() == 0 and prune_slices(0.67)(kernels)[2].all()
    assert prune_slices(0.5, 1)(kernels)[:, 0].any() == 0 and prune_slices(0.5, 1)(kernels)[:, 1].all()


def test_the_three_steps_are_the_formulas():
    w = {"w": np.array([3.0, 1.0])}
    state = AdmmState(w, {"w": prune(0.5)}, rho=0.5)
    assert state.z["w"].tolist() == [3, 0] and state.u["w"].tolist() == [0, 0]
    assert state.penalties()["w"](w["w"]).tolist() == [0, 0.5]
    assert state.residual(w) == pytest.approx((1 / 10) ** 0.5)
    moved = {"w": np.array([1.0, 2.0])}
    state.update(moved)
    assert state.z["w"].tolist() == [0, 2] and state.u["w"].tolist() == [1, 0]
    state.raise_rho(4)
    assert state.rho == 2 and state.u["w"].tolist() == [0.25, 0]
    assert state.penalties()["w"](moved["w"]).tolist() == [2 * 1.25, 0]


def test_arrays_may_be_projected_together():
    """Onto equal arrays, the nearest of which are their mean."""
    arrays = {"v": np.array([3.0, 1.0]), "w": np.array([1.0, 5.0]), "b": np.array([2.0, 0.5])}

    def equal(v, w):
        return [(v + w) / 2] * 2

    project = {("v", "w"): equal, "b": prune(0.5)}
    found = projected(project, arrays)
    assert {name: array.tolist() for name, array in found.items()} == {"v": [2, 3], "w": [2, 3], "b": [2, 0]}
    state = AdmmState(arrays, project, rho=1.0)
    state.update({**arrays, "v": np.array([5.0, 1.0])})
    assert state.z["w"].tolist() == [3, 3] and state.u["v"].tolist() == [2, -2]
    assert state.penalties().keys() == {"v", "w", "b"}


def test_admm_finds_the_inputs_that_matter():
    net, x, labels = problem()
    settings = AdmmSettings(updates=4, rho=0.02, train=Settings(epochs=6, rate=2e-2))
    pruned, masks = admm(net, x, labels, {"w": prune(0.95)}, settings, retrain=Settings(epochs=8, rate=2e-2))
    # 6 of 120 weights are left, all on the six inputs (some as negative weights of other classes).
    assert masks["w"].sum() == 6 and set(np.argwhere(masks["w"])[:, 1]) == set(range(6))
    assert np.array_equal(pruned.arrays["w"] != 0, masks["w"] == 1)
    assert pruned.accuracy(x, labels) > 0.9


def test_admm_brings_the_weights_to_the_set():
    net, x, labels = problem()
    residuals = []

    def watched(updates):
        settings = AdmmSettings(updates=updates, rho=0.02, train=Settings(epochs=4, rate=2e-2))
        state = {}

        def project(w):
            z = prune(0.95)(w)
            state["apart"] = float(np.linalg.norm(w - z) / np.linalg.norm(w))
            return z
        admm(net, x, labels, {"w": project}, settings)
        return state["apart"]    # of the last, hard projection

    residuals = [watched(n) for n in (1, 5)]
    assert residuals[1] < residuals[0] / 2


def test_progressive_admm_keeps_earlier_zeros():
    net, x, labels = problem()
    settings = AdmmSettings(updates=2, rho=0.02, train=Settings(epochs=3, rate=2e-2))
    first, masks = admm(net, x, labels, {"w": prune(0.6)}, settings)
    second, finer = admm(first, x, labels, {"w": prune(0.9)}, settings, masks=masks)
    assert masks["w"].sum() == 48 and finer["w"].sum() == 12
    assert np.all(finer["w"] <= masks["w"]) and np.all(second.arrays["w"][masks["w"] == 0] == 0)


@pytest.mark.parametrize("together", [False, True])
def test_projections_never_see_masked_weights(together):
    net, x, labels = problem()
    mask = (np.arange(120).reshape(3, 40) % 2).astype(np.float32)

    def project(w):
        assert np.all(w[mask == 0] == 0)
        return prune(0.9)(w)

    settings = AdmmSettings(updates=1, train=Settings(epochs=1))
    projections = {("w",): lambda w: [project(w)]} if together else {"w": project}
    pruned, _ = admm(net, x, labels, projections, settings, masks={"w": mask})
    assert np.all(pruned.arrays["w"][mask == 0] == 0)


@pytest.mark.parametrize("settings, message", [
    (dict(updates=0), "updates must be at least 1, not 0"),
    (dict(rho=0.0), "rho must be positive and growth at least 1, not 0.0 and 3.0"),
    (dict(growth=0.5), "rho must be positive and growth at least 1, not 0.01 and 0.5")])
def test_settings_refuse(settings, message):
    with pytest.raises(ValueError, match=message):
        AdmmSettings(**settings)


@pytest.mark.parametrize("schedule, message", [
    (dict(shares=(0.5,)), "shares and rhos must be equally many and at least 1, not 1 and 3"),
    (dict(shares=(), rhos=()), "shares and rhos must be equally many and at least 1, not 0 and 0"),
    (dict(shares=(0.5, 0.5, 0.8)), r"shares must grow, .* less than 1, not be \(0.5, 0.5, 0.8\)"),
    (dict(shares=(0.5, 0.6, 1.0)), r"shares must grow, .* less than 1, not be \(0.5, 0.6, 1.0\)"),
    (dict(shares=(-0.5, 0.6, 0.7)), r"shares must grow, .* less than 1, not be \(-0.5, 0.6, 0.7\)"),
    (dict(rhos=(1, 2, 1)), r"rhos must be positive and must not fall, not be \(1, 2, 1\)"),
    (dict(rhos=(0, 2, 3)), r"rhos must be positive and must not fall, not be \(0, 2, 3\)")])
def test_schedules_refuse(schedule, message):
    with pytest.raises(ValueError, match=message):
        Schedule(**schedule)


def test_the_residual_falls():
    net, _, _ = problem()
    state = AdmmState(net.arrays, {"w": prune(0.9)}, rho=1.0)
    arrays, found = {"w": net.arrays["w"].copy()}, []
    for _ in range(5):
        found.append(state.residual(arrays))
        for _ in range(20):    # a W-step on the penalty and a loss that pulls to the first weights
            arrays["w"] -= 0.1 * (state.penalties()["w"](arrays["w"]) + 0.1 * (arrays["w"] - net.arrays["w"]))
        state.update(arrays)
    assert found[-1] < found[1] < found[0]
