"""One training step, operation by operation, against the paper's formulas in float64."""

import numpy as np
import pytest
from shiftwork.golden.training.config import TrainingConfig
from shiftwork.golden.training.network import IntegerNetwork
from shiftwork.golden.training.operations import Kind
from shiftwork.golden.training.quantize import Scaled
from shiftwork.golden.training.softmax import error_bound
from shiftwork.golden.training.trainer import IntegerSettings, Training

from . import wageubn
from .test_training_batch_norm import error_bound as norm_error_bound
from .training_graphs import before, residual

LEVELS, RATE = 32, 300


def geometry(node):
    return node.attributes.get("strides", (1, 1)), node.attributes.get("pads", (0, 0, 0, 0))


def windows(node, x):
    """Windows of a pool, (their number, C, OH, OW, N), and where each begins."""
    (rows, columns), (down, right) = node.attributes["kernel_shape"], node.attributes["strides"]
    oh, ow = (x.shape[1] - rows) // down + 1, (x.shape[2] - columns) // right + 1
    return [(r, s, x[:, r:, s:][:, ::down, ::right][:, :oh, :ow])
            for r in range(rows) for s in range(columns)]


def unpool(node, error, x):
    found, parts = np.zeros_like(x), windows(node, x)
    winner = np.argmax([part for _, _, part in parts], axis=0)
    down, right = node.attributes["strides"]
    for n, (r, s, _) in enumerate(parts):
        for i in range(error.shape[1]):
            for j in range(error.shape[2]):
                found[:, i * down + r, j * right + s] += (error * (winner == n))[:, i, j]
    return found


def normalized(config, x, found):
    mean, deviation = (wageubn.channel(part * 2.0 ** -15, x) for part in (found.mean, found.deviation))
    most = (2 ** (config.normal_bits - 1) - 1) / 2 ** config.normal_fraction
    bound = (0.5 + 2.0 ** (config.normal_bits - 17)) / 2 ** config.normal_fraction
    return np.clip((x - mean) / deviation, -most, most), bound


def multiplied(node, x, w, bias=None):
    y = w @ x if node.op_type == "Gemm" else wageubn.conv(x, w, *geometry(node))
    return y if bias is None else y + wageubn.channel(bias, y)


def gradients(node, x, w, e):
    """(dx, dw) of a product."""
    return (w.T @ e, e @ x.T) if node.op_type == "Gemm" else wageubn.conv_gradients(x, w, e, *geometry(node))


def expected(kind, node, reads, training):
    """(value, bound) that ``kind`` should write."""
    config = training.net.config
    values = [read.values if isinstance(read, Scaled) else read for read in reads]
    run = training.interpreter
    match kind:
        case Kind.ROUND:
            return wageubn.weight(reads[0].master / 2.0 ** 23), 0
        case Kind.MULTIPLY:
            return multiplied(node, *values), 0
        case Kind.NORMALIZE:
            return normalized(config, *values)
        case Kind.SCALE:
            normal, gamma, beta = values
            y = wageubn.channel(gamma, normal) * normal + wageubn.channel(beta, normal)
            return wageubn.q(y, 8), 0
        case Kind.RECTIFY:
            return np.minimum(wageubn.q(np.maximum(values[0], 0), 8), 255 / 128), 0
        case Kind.POOL:
            return np.max([part for _, _, part in windows(node, values[0])], axis=0), 0
        case Kind.FLATTEN:
            return values[0].reshape(-1, values[0].shape[-1]), 0
        case Kind.ADD | Kind.JOIN_ERRORS:
            return sum(values), 0
        case Kind.SPLIT_ERROR:
            return wageubn.sq(values[0], 16), 0
        case Kind.ACTIVATION_ERROR:
            return wageubn.sq(values[0], 8), 0
        case Kind.PRODUCT_ERROR:
            return product_error(config, values[0]), 0
        case Kind.WEIGHT_GRADIENT:
            weight = run.tensors[f"rounded {node.inputs[1]}"].values
            return gradients(node, values[0], weight, values[1])[1], 0
        case Kind.INPUT_GRADIENT:
            x = run.tensors[node.sources[0]].values
            return gradients(node, x, values[1], values[0])[0], 0
        case Kind.BIAS_GRADIENT:
            return product_error(config, values[0]).sum(axis=1), 0
        case Kind.MASK:
            error, a = values
            return error * (a > 0) * (a < 255 / 128), 0
        case Kind.NORM_SUMS:
            error, normal = values
            axes = tuple(range(1, error.ndim))
            return (error.sum(axis=axes), (error * normal).sum(axis=axes)), 0
        case Kind.NORM_ERROR:
            error, normal, _, _, gamma, found = reads
            deviation = found.deviation * 2.0 ** -15
            exact = wageubn.norm_error(error.values, normal.values, gamma.values, deviation)
            return exact, norm_error_bound(error, normal, found, gamma.integers)
        case Kind.UNPOOL:
            return unpool(node, *values), 0
        case Kind.UNFLATTEN:
            return values[0].reshape(values[1].shape), 0


def product_error(config, error):
    return wageubn.flag_e2(error) if config.error_bits == 8 else wageubn.sq(error, 16)


def check_loss(run):
    z, error = run.tensors["y"], run.tensors["error y"]
    labels = run.tensors["labels"]
    onehot = np.eye(len(z.integers))[:, labels]
    batch = 2.0 ** np.ceil(np.log2(len(labels)))
    exact = wageubn.softmax(z.values) - onehot
    assert np.abs(error.values * batch - exact).max() <= error_bound(len(onehot))


def check_update(training, operation, before_step, numbers):
    run = training.interpreter
    name, total = operation.writes[0], run.tensors[operation.reads[0]].values
    master, acc = before_step
    if operation.kind is Kind.UPDATE:
        y = np.abs(LEVELS * total / wageubn.r(total))
        up = np.floor(y % 1 * 2 ** 16) > numbers.reshape(y.shape)     # the fraction is cut to 16 bits
        gradient = np.sign(total) * np.minimum(np.floor(y) + up, LEVELS - 1) / 2 ** 14
    else:
        gradient = np.clip(wageubn.q(total, 15), -(2 - 2.0 ** -14), 2 - 2.0 ** -14)
    fresh = acc / 4096 / 4 + gradient
    parameter = training.net.parameters[name]
    assert np.array_equal(parameter.master / 2.0 ** 23, master / 2.0 ** 23 - RATE / 512 * fresh)
    assert np.array_equal(parameter.accumulator / 4096, wageubn.q(fresh, 13))


@pytest.mark.parametrize("config", [TrainingConfig(),
                                    TrainingConfig(error_bits=16, normal_bits=18, normal_fraction=15)])
@pytest.mark.parametrize("graph", [residual, before])
def test_every_operation_of_three_steps_is_the_papers(graph, config):
    rng = np.random.default_rng(1)
    network = graph()
    net = IntegerNetwork.random(network, config, seed=1)
    training = Training(net, IntegerSettings(epochs=1, batch=8, rates=((0, RATE),), levels=((0, LEVELS),)), 3)
    run, seen = training.interpreter, set()
    one, numbers = run.one, []
    def listed(draw):
        return lambda shape, block: numbers.append(draw(shape, block)) or numbers[-1]

    run.random.tiles, run.random.biases = map(listed, (run.random.tiles, run.random.biases))

    def checked(operation):
        reads = [run.tensors.get(name, run.parameters.get(name)) for name in operation.reads]
        parameter = run.parameters.get(operation.writes[0])
        stored = parameter and (parameter.master.copy(), parameter.accumulator.copy())
        one(operation)
        seen.add(operation.kind)
        if operation.kind is Kind.LOSS:
            return check_loss(run)
        if operation.kind in (Kind.UPDATE, Kind.UPDATE_NORM):
            return check_update(training, operation, stored, numbers[-1] if numbers else None)
        written = [run.tensors[name] for name in operation.writes]
        if operation.kind is Kind.STATISTICS:
            x = reads[0].values.reshape(len(reads[0].integers), -1)
            assert np.array_equal(written[0].mean * 2.0 ** -15, wageubn.q(x.mean(axis=1), 16))
            deviation = wageubn.q(x.std(axis=1), 16) + 2.0 ** -15
            assert np.array_equal(written[0].deviation * 2.0 ** -15, deviation)
            return None
        value, bound = expected(operation.kind, run.nodes.get(operation.node), reads, training)
        for part, wanted in zip(written, value if isinstance(value, tuple) else (value,), strict=True):
            assert part.values.shape == wanted.shape
            assert (np.abs(part.values - wanted) <= bound).all(), operation

    run.one = checked
    for _ in range(3):
        training.step(rng.random((8, *network.input_shape)), rng.integers(0, network.shapes["y"][0], 8))
    missing = set(Kind) - seen
    assert missing <= ({Kind.POOL, Kind.UNPOOL} if graph is before else set())
