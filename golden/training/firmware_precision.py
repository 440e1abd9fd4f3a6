"""Firmware: dynamic precision, the tolerance and the tiles' widths after a step."""

from .assembler import ZERO
from .config import ACTIVATION_BITS
from .engine_config import PLANES
from .registers import Get, Put

__all__ = ["learned_widths", "precision", "precision_data", "precision_of_activations",
           "whole_widths"]

# As precision_control.Controller.
_EXTRA, _FAST, _SLOW, _NOISE, _MARGIN, _PATIENCE = 8, 2, 4, 6, 4, 4
_ONE = 1 << 15 + _EXTRA
_WISH_BITS = 8
_TENSOR = ("map", "count", "signed", "rectified")


def precision_data(fw, settings):
    """Data words; ``settings`` is a DynastySettings."""
    fw.settings = settings
    fw.tolerance = fw.word("tolerance", [settings.start])
    fw.averages = fw.word("averages", [-1, -1])
    fw.patience = fw.word("patience", [0])
    fw.rate_bits, fw.spent = fw.word("bits of the greatest rate", [0]), fw.word("tolerance spent", [0])
    fw.steps_left = fw.word("steps to the next move", [settings.interval])
    inputs = [(fields["map_in"], fields["in_blocks"] * fields["in_pixels"], 0, 1 - fields["first"])
              for fields in fw.plan.fields]
    errors = [(fields["map_error"], fields["out_blocks"] * fields["out_pixels"], 1, 0)
              for fields in fw.plan.fields]
    weights = [(fields["weight_map"], fields["weight_tiles"], 1, 0) for fields in fw.plan.fields]
    without, nothing = [inputs[0], *errors, *weights], (0,) * len(_TENSOR)
    words = [word for tensor in (*without, nothing, *inputs[1:], nothing) for word in tensor]
    fw.tensors = fw.word("tensors", words)
    fw.rectified_tensors = fw.tensors + len(_TENSOR) * (len(without) + 1)
    fw.wishes = fw.word("wishes", [0] * fw.plan.maps)
    fw.whole = fw.word("all widths are 8 bits", [0])


def whole_widths(fw):
    """8 bits for all tiles, for inference; the learned widths wait above the wishes."""
    with fw.part("precision"), fw.borrowed("entry word") as (entry, word):
        done = fw.fresh()
        fw.load(word, fw.whole)
        fw.branch("ne", word, 0, done)
        with fw.repeat(entry, fw.plan.maps):
            fw.get(word, Get.PLANES, -1, entry)
            fw.shl(word, word, _WISH_BITS)
            fw.load(fw.t, fw.wishes - 1, entry)
            fw.or_(word, word, fw.t)
            fw.store(word, fw.wishes - 1, entry)
            fw.put(Put.PLANES, PLANES - 1, -1, entry)
        fw.set(word, 1)
        fw.store(word, fw.whole)
        fw.label(done)


def learned_widths(fw):
    """Undoes `whole_widths`."""
    with fw.part("precision"), fw.borrowed("entry word") as (entry, word):
        done = fw.fresh()
        fw.load(word, fw.whole)
        fw.branch("eq", word, 0, done)
        with fw.repeat(entry, fw.plan.maps):
            fw.load(word, fw.wishes - 1, entry)
            fw.shr(fw.t, word, _WISH_BITS)
            fw.put(Put.PLANES, fw.t, -1, entry)
            fw.and_(word, word, (1 << _WISH_BITS) - 1)
            fw.store(word, fw.wishes - 1, entry)
        fw.store(ZERO, fw.whole)
        fw.label(done)


def precision(fw):
    """After all errors of a step: docs/engines/training.md, block-wise precision. The widths of activations
    behind a Relu are left.
    """
    with fw.part("precision"):
        end = fw.fresh()
        with fw.borrowed("loss fast slow tolerance") as (loss, fast, slow, tolerance):
            _spend(fw, fast, slow)
            _see(fw, loss, fast, slow)
            fw.load(fw.t, fw.steps_left)
            fw.sub(fw.t, fw.t, 1)
            fw.store(fw.t, fw.steps_left)
            fw.branch("ne", fw.t, 0, end)
            fw.load(tolerance, fw.tolerance)
            _move(fw, loss, fast, slow, tolerance)
            fw.store(tolerance, fw.tolerance)
        with fw.borrowed("tensor") as (tensor,):
            fw.set(tensor, fw.tensors)
            fw.call("widths", fw.inner_link)
            fw.go(end)
            _widths(fw, tensor)
            fw.tensor = tensor
        fw.label(end)


def precision_of_activations(fw):
    """After all products of a step: the other tensors' widths. Stands behind `precision`."""
    with fw.part("precision"):
        end = fw.fresh()
        fw.load(fw.t, fw.steps_left)
        fw.branch("ne", fw.t, 0, end)
        fw.set(fw.t, fw.settings.interval)
        fw.store(fw.t, fw.steps_left)
        fw.set(fw.tensor, fw.rectified_tensors)
        fw.call("widths", fw.inner_link)
        fw.label(end)


def _widths(fw, tensor):
    """Subroutine "widths": of the tensors from ``tensor`` on, to one that has no tiles."""
    end = fw.fresh()
    with fw.subroutine("widths", fw.inner_link):
        start = fw.label()
        fw.load(fw.t, _TENSOR.index("count"), tensor)
        fw.branch("eq", fw.t, 0, end)
        _tensor(fw, tensor)
        fw.add(tensor, tensor, len(_TENSOR))
        fw.go(start)
        fw.label(end)


def _spend(fw, bits, most):
    """How much of the tolerance the fall of the rate takes."""
    fw.len_(bits, fw.rate)
    fw.load(most, fw.rate_bits)
    fw.max(most, most, bits)
    fw.store(most, fw.rate_bits)
    fw.sub(most, most, bits)
    fw.sub(most, most, 1)
    fw.max(most, most, 0)
    fw.store(most, fw.spent)


def _see(fw, loss, fast, slow):
    """The averages, with the loss of this step."""
    batch, known = fw.plan.batch, fw.fresh()
    # floor(miss / batch): round((miss - (batch - 1) / 2) / batch), which has no ties.
    fw.shl(loss, fw.miss, 1)
    fw.sub(loss, loss, batch - 1)
    fw.set(fw.t, 2 * batch)
    fw.div(loss, loss, fw.t)
    fw.shl(loss, loss, _EXTRA)
    fw.load(fast, fw.averages)
    fw.load(slow, fw.averages + 1)
    fw.branch("ge", fast, 0, known)
    fw.set(fast, loss)
    fw.set(slow, loss)
    fw.label(known)
    for n, (average, shift) in enumerate(((fast, _FAST), (slow, _SLOW))):
        fw.sub(fw.t, loss, average)
        fw.rnd(fw.t, fw.t, shift)
        fw.add(average, average, fw.t)
        fw.store(average, fw.averages + n)


def _move(fw, wait, fast, slow, tolerance):
    calm, try_, done = fw.fresh(), fw.fresh(), fw.fresh()
    fw.load(wait, fw.patience)
    fw.set(fw.t, _ONE)
    fw.sub(fw.t, fw.t, slow)
    fw.shr(fw.t, fw.t, _NOISE)
    fw.add(fw.t, fw.t, slow)
    fw.branch("ge", fw.t, fast, calm)
    fw.sub(tolerance, tolerance, 1)
    fw.max(tolerance, tolerance, 0)
    fw.set(wait, _PATIENCE)
    fw.go(done)
    fw.label(calm)
    fw.branch("eq", wait, 0, try_)
    fw.sub(wait, wait, 1)
    fw.go(done)
    fw.label(try_)
    fw.shr(fw.t, slow, _MARGIN)
    fw.sub(fw.t, slow, fw.t)
    fw.branch("ge", fast, fw.t, done)
    fw.add(tolerance, tolerance, 1)
    fw.min(tolerance, tolerance, fw.settings.limit)
    fw.label(done)
    fw.store(wait, fw.patience)


def _tensor(fw, tensor):
    """The widths of one tensor's tiles follow what is wanted."""
    with fw.borrowed("entry count signed rectified allowed most") as names:
        entry, count, signed, rectified, allowed, most = names
        for n, x in enumerate((entry, count, signed, rectified)):
            fw.load(x, n, tensor)
        fw.clear(allowed)
        fw.clear(most)
        fw.set(fw.lane, count)
        first = fw.label()
        fw.get(fw.t, Get.LENGTH, 0, entry)
        fw.max(allowed, allowed, fw.t)
        _importance(fw, fw.t, entry, rectified)
        fw.max(most, most, fw.t)
        fw.add(entry, entry, 1)
        fw.sub(fw.lane, fw.lane, 1)
        fw.branch("ne", fw.lane, 0, first)
        # Greatest length less 8 bits' magnitude, plus what is left of the tolerance.
        fw.load(fw.cursor, fw.tolerance)
        fw.load(fw.t, fw.spent)
        fw.sub(fw.cursor, fw.cursor, fw.t)
        fw.max(fw.cursor, fw.cursor, 0)
        fw.add(allowed, allowed, fw.cursor)
        fw.add(allowed, allowed, signed)
        fw.sub(allowed, allowed, ACTIVATION_BITS)
        fw.max(allowed, allowed, 0)
        with fw.repeat(count, count):
            fw.sub(entry, entry, 1)
            _tile(fw, entry, signed, rectified, allowed, most)


def _importance(fw, d, entry, rectified):
    """Bit length of the sum of the error's magnitudes of a tile of activations; 0 of another one."""
    none = fw.fresh()
    fw.clear(d)
    fw.branch("eq", rectified, 0, none)
    fw.get(d, Get.SUM, 0, entry)
    fw.get(fw.cursor, Get.SUM, fw.config.maps, entry)
    fw.add(d, d, fw.cursor)
    fw.len_(d, d)
    fw.label(none)


def _tile(fw, entry, signed, rectified, allowed, most):
    """Widths are counted as planes - 1, of two bits each."""
    with fw.borrowed("wanted planes wishes") as (wanted, planes, wishes):
        more, done = fw.fresh(), fw.fresh()
        _importance(fw, wanted, entry, rectified)
        fw.sub(wanted, most, wanted)
        fw.min(wanted, wanted, fw.settings.reach)
        fw.add(wanted, wanted, allowed)
        fw.get(fw.t, Get.LENGTH, 0, entry)
        # The least width of at least l - allowed bits, and one for the sign.
        fw.sub(wanted, fw.t, wanted)
        fw.add(wanted, wanted, signed)
        fw.sub(wanted, wanted, 1)
        fw.shr(wanted, wanted, 1)
        # 4 bits at least of signed numbers.
        fw.max(wanted, wanted, signed)
        fw.min(wanted, wanted, PLANES - 1)
        fw.get(planes, Get.PLANES, 0, entry)
        fw.clear(wishes)
        fw.branch("lt", planes, wanted, more)
        fw.branch("eq", planes, wanted, done)
        fw.load(wishes, fw.wishes, entry)
        fw.add(wishes, wishes, 1)
        fw.set(fw.t, fw.settings.hold)
        fw.branch("lt", wishes, fw.t, done)
        fw.clear(wishes)
        fw.sub(wanted, planes, 1)
        fw.label(more)
        fw.put(Put.PLANES, wanted, 0, entry)
        fw.label(done)
        fw.store(wishes, fw.wishes, entry)
