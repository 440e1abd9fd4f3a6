"""Shapes of layers, and those of published networks against their published numbers of parameters."""

import pytest
from shiftwork.golden.common.shapes import Kind, LayerShape
from shiftwork.golden.common.shapes_networks import NETWORKS
from shiftwork.golden.smartexchange.sparsity import PUBLISHED

CONV = dict(name="conv", kind=Kind.CONVOLUTION, channels=4, filters=6, kernel_rows=3, kernel_columns=2,
            rows=9, columns=8, stride=2, pads=(1, 0, 1, 1))


def test_convolution():
    """Rows (9 + 2 - 3) // 2 + 1 = 5, columns (8 + 1 - 2) // 2 + 1 = 4."""
    layer = LayerShape(**CONV)
    assert (layer.output_rows, layer.output_columns, layer.positions) == (5, 4, 20)
    assert (layer.taps, layer.weights, layer.inputs, layer.outputs) == (24, 144, 288, 120)
    assert layer.macs == 120 * 24
    assert (layer.row_size, layer.coefficient_rows) == (2, 12)


def test_dilation_and_groups():
    """A kernel of 3, dilated by 2, spans 5 of 9 rows and 3 of 8 columns: strides of 2 fit 3 + 1 times."""
    layer = LayerShape(**CONV | dict(dilation=2, groups=2, pads=(0, 0, 0, 0)))
    assert (layer.output_rows, layer.output_columns) == (3, 3)
    assert (layer.group_channels, layer.group_filters, layer.taps, layer.weights) == (2, 3, 12, 72)


def test_batch():
    """As many outputs and multiplications for each image, for all layers whose pads keep the size."""
    for layer in (layer for network in NETWORKS.values() for layer in network()):
        three = layer.batch(3)
        assert (three.outputs, three.macs) == (3 * layer.outputs, 3 * layer.macs)
        assert three.weights == layer.weights
        assert three.output_columns == (3 if layer.kind == Kind.FULLY_CONNECTED else layer.output_columns)
        assert 3 * layer.inputs <= three.inputs <= 3.7 * layer.inputs


def test_rows_of_coefficients_without_a_kernel():
    layer = LayerShape(name="fc", kind=Kind.FULLY_CONNECTED, channels=10, filters=2)
    assert (layer.row_size, layer.coefficient_rows, layer.macs) == (3, 4, 20)


@pytest.mark.parametrize("change, message", [
    (dict(kind="pool"), "kind of conv must be one of convolution, depthwise, fully connected, not 'pool'"),
    (dict(stride=0), "stride of conv must be an integer of at least 1, not 0"),
    (dict(rows=2.0), "rows of conv must be an integer of at least 1, not 2.0"),
    (dict(pads=(1, 1, 1)), r"pads of conv must be four integers of at least 0, not \(1, 1, 1\)"),
    (dict(groups=3), "groups of conv must divide the 4 channels and the 6 filters, not be 3"),
    (dict(kind=Kind.DEPTHWISE, groups=2),
     "groups of conv, which is depthwise, must be the 4 channels, not 2"),
    (dict(filters=8, groups=4), "groups of conv, which is convolution, must not be the 4 channels, not 4"),
    (dict(kind=Kind.FULLY_CONNECTED), "map and kernel of conv must be 1x1, not 9x8 and 3x2"),
    (dict(columns=1, pads=(0, 0, 0, 0)),
     "kernel of conv must fit its map of 9x1 and pads, not be 3x2, dilated by 1"),
])
def test_refused(change, message):
    with pytest.raises(ValueError, match=message):
        LayerShape(**CONV | change)


def _norms(layers):
    """Parameters of a batch normalization behind each convolution: two for each filter."""
    return 2 * sum(layer.filters for layer in layers if layer.kind != Kind.FULLY_CONNECTED)


def _biases(layers):
    """One for each output of a fully connected layer."""
    return sum(layer.filters for layer in layers if layer.kind == Kind.FULLY_CONNECTED)


def _norms_before(layers):
    """Pre-activation: one before each convolution but the first and the shortcuts, and one before fc."""
    return 2 * sum(layer.channels for layer in layers[1:] if not layer.name.endswith("shortcut"))


@pytest.mark.parametrize("name, parameters, others, gigamacs", [
    ("VGG11", 132_863_336, lambda layers: sum(layer.filters for layer in layers), 7.609),
    ("ResNet50", 25_557_032, lambda layers: _norms(layers) + _biases(layers), 4.089),
    ("MobileNetV2", 3_504_872, lambda layers: _norms(layers) + _biases(layers), 0.3008),
    ("EfficientNet-B0", 5_288_548, lambda layers: _norms(layers) + _biases(layers), 0.3858),
    ("VGG19", 20_035_018, lambda layers: _norms(layers) + _biases(layers), 0.398),
    ("ResNet164", 1_703_258, lambda layers: _norms_before(layers) + _biases(layers), 0.2476),
])
def test_parameters_are_the_published_ones(name, parameters, others, gigamacs):
    """To the last one, with biases and batch normalizations; MACs to the digits that are published."""
    layers = NETWORKS[name]()
    assert sum(layer.weights for layer in layers) + others(layers) == parameters
    assert sum(layer.macs for layer in layers) == pytest.approx(gigamacs * 1e9, rel=1e-3)


@pytest.mark.parametrize("name, share", [
    ("ResNet50", 0.004), ("MobileNetV2", 0.004), ("EfficientNet-B0", 0.027), ("VGG19", 0.001),
    ("ResNet164", 0.006),
])
def test_megabytes_of_the_table(name, share):
    """Four bytes a weight; ``share`` is for biases and batch normalization, and how the table rounds."""
    assert PUBLISHED[name].megabytes * 1e6 / 4 == pytest.approx(
        sum(layer.weights for layer in NETWORKS[name]()), rel=share)


def test_the_table_contradicts_vgg11():
    weights = sum(layer.weights for layer in NETWORKS["VGG11"]())
    assert PUBLISHED["VGG11"].megabytes * 1e6 / 4 > 1.5 * weights


def test_layers_follow_one_another():
    """Each layer of a plain network reads the channels that the one before it makes."""
    for name in ("VGG11", "VGG19"):
        layers = [layer for layer in NETWORKS[name]() if layer.kind == Kind.CONVOLUTION]
        assert all(a.filters == b.channels for a, b in zip(layers, layers[1:], strict=False))
    assert [layer.rows for layer in NETWORKS["VGG11"]()[:8]] == [224, 112, 56, 56, 28, 28, 14, 14]


def test_resnet50_by_counting():
    layers = NETWORKS["ResNet50"]()
    assert len(layers) == 1 + 3 * (3 + 4 + 6 + 3) + 4 + 1
    by_name = {layer.name: layer for layer in layers}
    assert by_name["conv3.1.shortcut"].channels == 256 and by_name["conv3.1.shortcut"].stride == 2
    assert by_name["conv5.3.middle"].rows == 7 and by_name["conv5.3.expand"].filters == 2048


def test_mobile_networks_by_counting():
    mobile, efficient = NETWORKS["MobileNetV2"](), NETWORKS["EfficientNet-B0"]()
    assert sum(layer.kind == Kind.DEPTHWISE for layer in mobile) == 17
    assert len(mobile) == 1 + 2 + 3 * 16 + 2 and len(efficient) == 1 + 4 + 5 * 15 + 2
    assert {layer.kernel for layer in efficient if layer.kind == Kind.DEPTHWISE} == {(3, 3), (5, 5)}


def test_deeplab():
    """The backbone has the weights of ResNet50; the stage of stride 16 keeps its size; the head by hand."""
    layers, resnet = NETWORKS["DeepLabV3+"](), NETWORKS["ResNet50"]()
    backbone = layers[:len(resnet) - 1]
    assert [layer.weights for layer in backbone] == [layer.weights for layer in resnet[:-1]]
    last = {layer.name: layer for layer in layers}["conv5.3.middle"]
    assert (last.output_rows, last.output_columns, last.dilation) == (23, 30, 2)
    pyramid = 2048 * 256 + 3 * 9 * 2048 * 256 + 2048 * 256 + 1280 * 256
    decoder = 256 * 48 + 9 * 304 * 256 + 9 * 256 * 256 + 256 * 11
    assert sum(layer.weights for layer in layers[len(backbone):]) == pyramid + decoder
    assert (layers[-1].output_rows, layers[-1].output_columns) == (90, 120)
