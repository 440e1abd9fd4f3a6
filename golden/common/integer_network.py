"""A chain of integer layers: what compression yields, what the program encodes, what the model computes."""

from dataclasses import dataclass

from .activations import input_range

__all__ = ["IntegerNetwork"]


@dataclass(frozen=True, kw_only=True)
class IntegerNetwork:
    """Convolutions first, fully connected layers after them; at least one layer.

    ``input_shape`` is (C, H, W), or (K,) where the first layer is fully connected. Inputs are integers of
    ``input_bits`` bits; a float input x enters as clip(round_half_even(x / input_scale)) in their range. An
    output integer y stands for y * output_scale. What a layer yields, its ``low`` .. ``high``, must be within
    what the next one reads, activations of A = ``activation_width`` bits of the engine's config: -128 .. 127
    or 0 .. 255 for A = 8, -32768 .. 32767 or 0 .. 32767 for A = 16. The last layer may use 16 bits in any
    case.

    The engine's encoder checks all this; its ``model.forward`` checks the inputs alone.
    """

    input_shape: tuple[int, ...]
    input_scale: float
    output_scale: float
    layers: tuple
    input_bits: int = 8    #: of an activation of the network's input, 1 .. A

    @property
    def input_range(self):
        """Least and greatest integer of the network's input."""
        return input_range(self.layers[0].input_signed, self.input_bits)
