"""The training engine's program of a network: instructions, data, parameters."""

import numpy as np

from ..common.program import Section
from .config import MASTER_BITS
from .dynasty import DynastySettings
from .engine_config import ACCUMULATOR_BITS, PLANES
from .firmware import firmware
from .lfsr import RandomLanes
from .plan import Plan
from .program import Memory, Program
from .tiles import as_tiles

__all__ = ["encode", "from_vectors", "to_vectors", "words_as_bits"]


def to_vectors(weight, block):
    """``weight`` (M, C, R, S) as vectors of weight memory, (tiles * 2 * block, block / 2), int64."""
    tiles = as_tiles(weight, block, weight=True)
    rows, _, taps, columns, _ = tiles.shape
    halves = tiles.reshape(rows, 2, block // 2, taps, columns, block).transpose(0, 4, 3, 1, 5, 2)
    return halves.reshape(-1, block // 2)


def from_vectors(vectors, shape):
    """The weight (M, C, R, S) whose `to_vectors` are ``vectors``."""
    filters, channels, block = *shape[:2], 2 * vectors.shape[1]
    rows, columns = -(-filters // block), -(-channels // block)
    tiles = vectors.reshape(rows, columns, -1, 2, block, block // 2).transpose(0, 3, 5, 1, 4, 2)
    return tiles.reshape(rows * block, columns * block, -1)[:filters, :channels].reshape(shape)


def words_as_bits(values, width):
    """Bits bool (n, width) of integers, Python's."""
    data = b"".join((int(value) & (1 << width) - 1).to_bytes(-(-width // 8), "little") for value in values)
    bytes_ = np.frombuffer(data, np.uint8).reshape(-1, -(-width // 8))
    return np.unpackbits(bytes_, axis=1, count=width, bitorder="little").astype(bool)


def _weights(plan):
    """Bits of weight memory's words."""
    parts = []
    for layer in plan.layers:
        parameter = plan.net.parameters[layer.node.inputs[1]]
        both = [to_vectors(values.reshape(layer.weight), plan.config.block)
                for values in (parameter.master, parameter.accumulator)]
        parts.append(np.stack(both, axis=2))
    vectors = np.concatenate(parts)
    bits = [vectors[..., n, None] >> np.arange(width) & 1
            for n, width in enumerate((MASTER_BITS, ACCUMULATOR_BITS))]
    return np.concatenate(bits, axis=2).astype(bool).reshape(len(vectors), -1)


def encode(net, config, batch, mode, *, settings=None, seed=0):
    """The Program that trains ``net`` (IntegerNetwork) in batches of ``batch`` on an engine of ``config``.

    ``mode`` is one of `plan.MODES`; ``settings`` (DynastySettings) are those of "dynamic"; random numbers are
    those of `IntegerNetwork.interpreter` with this ``seed``. The program begins with the network's
    parameters, accumulators and running statistics. ``metadata``: "batch", "mode", "classes", "shape" (of an
    image), "instructions" and "data" (words), "width" (of all tiles at first). Raises ValueError as `Plan`
    and the assembler do.
    """
    plan = Plan(net, config, batch, mode)
    settings = settings or DynastySettings()
    fw = firmware(plan, RandomLanes(seed, config.side).states, settings)
    planes = PLANES - (settings.start // 2 if mode == "dynamic" else 0)
    instructions, data = fw.program(config), fw.data(config)
    words = {Memory.PROGRAM: [each.word for each in instructions], Memory.DATA: data,
             Memory.MAP: [planes - 1] * plan.maps}
    bits = {memory: words_as_bits(values, memory.width(config)) for memory, values in words.items()}
    bits[Memory.WEIGHTS] = _weights(plan)
    sections = tuple(Section.from_bits(memory, 0, bits[memory]) for memory in Memory)
    metadata = {"batch": batch, "mode": mode, "classes": plan.layers[-1].weight[0],
                "shape": list(net.network.input_shape), "instructions": len(instructions),
                "data": len(data), "width": 2 * planes}
    return Program(config, sections, metadata)
