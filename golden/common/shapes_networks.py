"""Layers of published networks, derived from each architecture's own rule of blocks and repeats.

Biases and batch normalization are no layers and not counted.
"""

from math import ceil

from .shapes import Kind, LayerShape

__all__ = ["NETWORKS", "Stack", "deeplab_v3_plus", "efficientnet_b0", "mobilenet_v2", "resnet164", "resnet50",
           "vgg11", "vgg19"]


class Stack:
    """Collects layers, and knows the map (channels, rows, columns) that the next one reads."""

    def __init__(self, channels, rows, columns):
        self.layers, self.map = [], (channels, rows, columns)

    def convolution(self, name, filters, kernel=1, stride=1, dilation=1, depthwise=False, source=None):
        """A convolution with "same" pads, of ``source`` (default: of the last map); returns its map."""
        channels, rows, columns = source or self.map
        pad = dilation * (kernel - 1) // 2
        layer = LayerShape(
            name=name, kind=Kind.DEPTHWISE if depthwise else Kind.CONVOLUTION, channels=channels,
            filters=filters, kernel_rows=kernel, kernel_columns=kernel, stride=stride, pads=(pad,) * 4,
            dilation=dilation, rows=rows, columns=columns, groups=channels if depthwise else 1)
        self.layers.append(layer)
        self.map = (filters, layer.output_rows, layer.output_columns)
        return self.map

    def pool(self, size):
        """Windows of ``size`` that do not overlap; what does not fill one is dropped."""
        channels, rows, columns = self.map
        self.map = (channels, rows // size, columns // size)

    def dense(self, name, inputs, outputs):
        """A fully connected layer; the map stays what it was."""
        self.layers.append(LayerShape(name=name, kind=Kind.FULLY_CONNECTED, channels=inputs, filters=outputs))


def _vgg(stack, blocks, pooled):
    """Blocks (filters, repeats) of 3x3 convolutions, each with a pool behind it if ``pooled`` says so."""
    for block, (filters, repeats) in enumerate(blocks, 1):
        for n in range(1, repeats + 1):
            stack.convolution(f"conv{block}.{n}", filters, 3)
        if block in pooled:
            stack.pool(2)
    return stack


def vgg11():
    """VGG11 (configuration A of arXiv:1409.1556), ImageNet, 224x224."""
    stack = _vgg(Stack(3, 224, 224), ((64, 1), (128, 1), (256, 2), (512, 2), (512, 2)), range(1, 6))
    for n, (inputs, outputs) in enumerate(((512 * 7 * 7, 4096), (4096, 4096), (4096, 1000)), 1):
        stack.dense(f"fc{n}", inputs, outputs)
    return tuple(stack.layers)


def vgg19():
    """VGG19 (configuration E) for CIFAR-10, 32x32: the fifth block is averaged to 1x1, one fc behind it."""
    stack = _vgg(Stack(3, 32, 32), ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4)), range(1, 5))
    stack.dense("fc", 512, 10)
    return tuple(stack.layers)


def _bottlenecks(stack, blocks, last=4):
    """Stages (width, repeats, stride, dilation) of bottlenecks 1x1, 3x3 and 1x1 to 4 * width.

    The 3x3 of a stage's first block has its stride; 1x1 shortcuts where the map's shape changes. Names start
    at stage ``last`` - len(blocks) + 2. Returns the map behind each stage.
    """
    maps = []
    for stage, (width, repeats, stride, dilation) in enumerate(blocks, last - len(blocks) + 2):
        for n in range(1, repeats + 1):
            name, step, source = f"conv{stage}.{n}", stride if n == 1 else 1, stack.map
            stack.convolution(f"{name}.reduce", width)
            stack.convolution(f"{name}.middle", width, 3, step, dilation)
            stack.convolution(f"{name}.expand", 4 * width)
            if n == 1:
                stack.convolution(f"{name}.shortcut", 4 * width, 1, step, source=source)
        maps.append(stack.map)
    return maps


def resnet50():
    """ResNet50 (arXiv:1512.03385), ImageNet, 224x224; the stride is in the 3x3, as in common use ("v1.5")."""
    stack = Stack(3, 224, 224)
    stack.convolution("conv1", 64, 7, 2)
    stack.pool(2)   # 3x3 with stride 2 and pads: the same size
    _bottlenecks(stack, ((64, 3, 1, 1), (128, 4, 2, 1), (256, 6, 2, 1), (512, 3, 2, 1)))
    stack.dense("fc", 2048, 1000)
    return tuple(stack.layers)


def resnet164():
    """ResNet164 with pre-activation (arXiv:1603.05027), CIFAR-10, 32x32: 3 stages of 18 bottlenecks."""
    stack = Stack(3, 32, 32)
    stack.convolution("conv1", 16, 3)
    _bottlenecks(stack, ((16, 18, 1, 1), (32, 18, 2, 1), (64, 18, 2, 1)), last=3)
    stack.dense("fc", 256, 10)
    return tuple(stack.layers)


def _inverted(stack, blocks, squeeze):
    """Blocks (expansion, filters, repeats, stride, kernel): 1x1 expand, depthwise, squeeze-excite, 1x1.

    ``squeeze`` is the share of a block's input channels that its squeeze-excite has, or 0 for none.
    """
    for block, (expansion, filters, repeats, stride, kernel) in enumerate(blocks, 1):
        for n in range(1, repeats + 1):
            name, channels = f"block{block}.{n}", stack.map[0]
            inner = expansion * channels
            if expansion > 1:
                stack.convolution(f"{name}.expand", inner)
            stack.convolution(f"{name}.depthwise", inner, kernel, stride if n == 1 else 1, depthwise=True)
            if squeeze:
                stack.dense(f"{name}.squeeze", inner, max(1, int(channels * squeeze)))
                stack.dense(f"{name}.excite", max(1, int(channels * squeeze)), inner)
            stack.convolution(f"{name}.project", filters)


def mobilenet_v2():
    """MobileNetV2 of width 1 (arXiv:1801.04381), ImageNet, 224x224."""
    stack = Stack(3, 224, 224)
    stack.convolution("stem", 32, 3, 2)
    _inverted(stack, ((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 32, 3, 2, 3), (6, 64, 4, 2, 3),
                      (6, 96, 3, 1, 3), (6, 160, 3, 2, 3), (6, 320, 1, 1, 3)), 0)
    stack.convolution("head", 1280)
    stack.dense("fc", 1280, 1000)
    return tuple(stack.layers)


def efficientnet_b0():
    """EfficientNet-B0 (arXiv:1905.11946), ImageNet, 224x224; squeeze-excite as fully connected layers."""
    stack = Stack(3, 224, 224)
    stack.convolution("stem", 32, 3, 2)
    _inverted(stack, ((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3),
                      (6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)), 0.25)
    stack.convolution("head", 1280)
    stack.dense("fc", 1280, 1000)
    return tuple(stack.layers)


def deeplab_v3_plus(classes=11):
    """DeepLabV3+ (arXiv:1802.02611) on ResNet50, output stride 16; CamVid, 360x480, 11 classes.

    The paper's own backbone is Xception as well; ResNet50 is our choice, and with it plain convolutions in
    the pyramid and the decoder, not separable ones. The last stage of the backbone has no stride and dilation
    2; the pyramid is 1x1, three 3x3 of dilation 6, 12, 18, and a pooled branch; the decoder joins its output
    (four times larger) with 48 channels of the first stage.
    """
    stack = Stack(3, 360, 480)
    stack.convolution("conv1", 64, 7, 2)
    channels, rows, columns = stack.map
    stack.map = (channels, ceil(rows / 2), ceil(columns / 2))
    low, _, _, high = _bottlenecks(stack, ((64, 3, 1, 1), (128, 4, 2, 1), (256, 6, 2, 1), (512, 3, 1, 2)))
    stack.convolution("pyramid.1", 256, source=high)
    for n, dilation in enumerate((6, 12, 18), 2):
        stack.convolution(f"pyramid.{n}", 256, 3, dilation=dilation, source=high)
    stack.dense("pyramid.pooled", high[0], 256)
    stack.convolution("pyramid.project", 256, source=(5 * 256, *high[1:]))
    stack.convolution("decoder.low", 48, source=low)
    stack.map = (256 + 48, *low[1:])
    stack.convolution("decoder.1", 256, 3)
    stack.convolution("decoder.2", 256, 3)
    stack.convolution("decoder.classes", classes)
    return tuple(stack.layers)


NETWORKS = {
    "VGG11": vgg11,
    "ResNet50": resnet50,
    "MobileNetV2": mobilenet_v2,
    "EfficientNet-B0": efficientnet_b0,
    "VGG19": vgg19,
    "ResNet164": resnet164,
    "DeepLabV3+": deeplab_v3_plus,
}
"""The seven networks of SmartExchange's evaluation: functions that return a tuple of LayerShapes."""
