"""Scale entries: bias, mantissa and shift of one filter in a table word."""

from dataclasses import dataclass

from .fixed import requantize

__all__ = ["ScaleFormat"]


@dataclass(frozen=True)
class ScaleFormat:
    """An entry's bits: ``bias_width`` of bias (two's complement), ``scale_width`` of mantissa, 4 of shift."""

    bias_width: int
    scale_width: int
    min_shift: int    #: the shift whose 4 bits are 0

    @property
    def max_shift(self):
        """Greatest shift."""
        return self.min_shift + 15

    def words(self, layer):
        """Table words of a layer's entries, a list of int."""
        at_shift = self.bias_width + self.scale_width
        return [int(b) & (1 << self.bias_width) - 1 | int(s) << self.bias_width
                | int(t) - self.min_shift << at_shift
                for b, s, t in zip(layer.bias, layer.scale, layer.shift, strict=True)]

    def requantize(self, acc, words, low, high):
        """`fixed.requantize` of ``acc`` by the entries in ``words``, int64 that broadcasts with it."""
        bias = words & (1 << self.bias_width) - 1
        bias -= (bias >> self.bias_width - 1) << self.bias_width
        scale = words >> self.bias_width & (1 << self.scale_width) - 1
        shift = (words >> self.bias_width + self.scale_width & 15) + self.min_shift
        return requantize(acc, bias, scale, shift, low, high)
