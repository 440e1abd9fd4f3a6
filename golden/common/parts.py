"""Parts of a program: table words of descriptors, sections of words."""

import numpy as np

from .check import EncodeError
from .program import Section

__all__ = ["pack_descriptors", "plain", "word_section"]


def plain(values):
    """A list of int, JSON-able."""
    return [int(v) for v in values]


def pack_descriptors(descriptor, config, layers):
    """Table words of a program's descriptors, an END behind them; ``layers``: pairs (name, fields).

    Raises EncodeError where a value does not fit its field or its counter.
    """
    table = []
    for name, fields in layers:
        try:
            table += descriptor(**fields).check_counts(config).to_words()
        except ValueError as error:
            raise EncodeError(f"Descriptor of {name}: {error}") from None
    return table + descriptor(kind=0).to_words()


def word_section(memory, words, config, address=0):
    """The section that writes ``words``, ints of at most 64 bits, to ``memory`` from ``address`` on."""
    places = np.arange(memory.width(config), dtype=np.uint64)
    return Section.from_bits(memory, address, (np.array(words, np.uint64)[:, None] >> places & 1) != 0)
