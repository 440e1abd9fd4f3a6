"""Exact cycles of a batch, from recurrences over words, chunks, dot products and rows.

Nothing here simulates: each event's cycle is the maximum of a few earlier ones. The times are those of an
engine whose input always offers a beat and whose output is always taken; docs/engines/ternary.md derives the
recurrences, docs/engines/ternary-serial.md what is different for a bit-serial array, and
docs/engines/ternary-arrays.md for several arrays.
"""

import numpy as np

from ..common.timing import DESCRIPTOR_CYCLES, END_CYCLES, Timing, batch_timing, run_cycles
from ..common.timing_results import DRAIN_LATENCY
from .descriptor import Kind
from .serial import cycles, dense_operations, item_cycles, operations
from .timing_controller import QUEUE_DEPTH, Controller
from .timing_results import ARRAY_LATENCY, LEAST_GAP, DotResults

__all__ = ["Timing", "layer_cycles", "predict", "sacu_cycles", "ARRAY_LATENCY", "DRAIN_LATENCY", "LEAST_GAP",
           "QUEUE_DEPTH", "DESCRIPTOR_CYCLES", "END_CYCLES"]

def _plan(run, m, config):
    """Operations of a bit-serial array for dot products ``m`` of a layer, a list."""
    d, visited = run.descriptor, run.bitmaps[m]
    about = d.activation_bits, d.input_signed, config.acc_width
    if d.kind is Kind.DENSE:
        return dense_operations(int(visited.sum()), *about)
    return operations(run.signs[m][visited].tolist(), *about)


def _item_cycles(run, config):
    """Cycles that the array works on each visited term, int (m, visits, bits); 0 where there is none."""
    result = run.bitmaps.astype(np.int64)
    if config.bit_serial:
        for m, visited in enumerate(run.bitmaps):
            if visited.any():
                result[m][visited] = item_cycles(_plan(run, m, config), config.carry_write_back)
    return result


def _words(items, chunk):
    """Chunks of the words (m, visits, bits) with ``items``' cycles: a list (m) of lists (visits) of lists.

    A chunk is what `Controller` says; the null ones are left out.
    """
    m, visits, bits = items.shape
    chunks = items.reshape(m, visits, bits // chunk, chunk)
    final = chunk - 1 - (chunks[..., ::-1] != 0).argmax(axis=3)
    spans = np.take_along_axis(chunks, final[..., None], axis=3)[..., 0]
    leads = chunks.sum(axis=3) - spans
    return [[[pair for pair in zip(*word, strict=True) if pair[1]] for word in zip(*dot, strict=True)]
            for dot in zip(leads.tolist(), spans.tolist(), strict=True)]


def _compute(run, config):
    d = run.descriptor
    results = DotResults(d, config)
    null = cycles(operations([], 1, False), config.carry_write_back)
    controller = Controller(results.may_end, null)
    each = int(np.prod(run.loops[1:]))
    for dot in _words(_item_cycles(run, config), config.chunk):
        for _ in range(each):
            controller.dot(dot, 2 if d.plus_minus and d.kind is Kind.CONV else 1)
    controller.finish()
    return results.done


def predict(machine):
    """Timing of the batch that ``machine`` (interpreter.Machine) has run last."""
    return batch_timing(machine.layers, machine.config, _compute)


def layer_cycles(run, config):
    """Cycles of the layer ``run``, a LayerRun, its descriptor's fetch included."""
    return run_cycles(run, config, _compute)


def sacu_cycles(bitmap, config):
    """Cycles from the first to the last item of a dot product, both included, for ``bitmap``, bool (n,).

    The controller's alone: of an array that takes an item in every cycle.
    """
    bits = np.asarray(bitmap, np.int64)
    bits = np.pad(bits, (0, -len(bits) % config.word_width)).reshape(1, -1, config.word_width)
    controller = Controller(lambda cycle, span: cycle)
    controller.dot(_words(bits, config.chunk)[0])
    controller.finish()
    return controller.issued - controller.first_issue + 1
