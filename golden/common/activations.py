"""Ranges of activations: what a layer reads, and what it may yield."""

__all__ = ["input_range", "output_range"]


def input_range(signed, bits):
    """Least and greatest activation that a layer of such inputs reads:

    -2 ** (bits - 1) .. 2 ** (bits - 1) - 1 where ``signed``, else 0 .. 2 ** bits - 1
    """
    return (-1 << bits - 1, (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)


def output_range(signed, bits):
    """Least and greatest output of a layer whose reader has such inputs: `input_range`, at most 32767."""
    low, high = input_range(signed, bits)
    return low, min(high, 32767)
