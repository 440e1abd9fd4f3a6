"""Layouts of descriptors."""

import pytest
from shiftwork.hw.common.layouts import descriptor_layout


def test_descriptor_of_wrong_size_is_refused():
    with pytest.raises(ValueError, match="Descriptor must have 512 bits, not 336"):
        descriptor_layout({"count": 16})
