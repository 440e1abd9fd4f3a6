"""Checks of the SmartExchange engine's parameters, and what follows from them."""

import dataclasses

import pytest
from shiftwork.golden.smartexchange.config import PRESETS, SmartExchangeConfig

REFUSED = [
    (dict(lanes=2), "lanes must be between 4 and 1024, not 2"),
    (dict(item_depth=5000), "item_depth must be a power of two, not 5000"),
    (dict(basis_depth=16), "basis_depth must be between 32 and 65536, not 16"),
    (dict(item_depth=1 << 17), "item_depth must be between 32 and 65536, not 131072"),
    (dict(acc_width=24, sum_width=20), "sum_width must be between acc_width 24 and 32, not 20"),
    (dict(sum_width=33), "sum_width must be between acc_width 20 and 32, not 33"),
    (dict(combine_width=2), "combine_width must be a power of two between drain_width 4 and half of the 64 "
                            "lanes, not 2"),
    (dict(combine_width=12), "combine_width must be a power of two .*, not 12"),
    (dict(combine_width=64), "combine_width must be .* half of the 64 lanes, not 64"),
    (dict(taps=0), "taps must be between 1 and 4, not 0"),
    (dict(taps=5), "taps must be between 1 and 4, not 5"),
    (dict(row_depth=32768), "row_depth must be at most 16384, not 32768"),
    (dict(pool_columns=12), "pool_columns must be a power of two of at most 128, not 12"),
    (dict(pool_columns=256), "pool_columns must be a power of two of at most 128, not 256"),
    (dict(arrays=33), "arrays must be between 1 and 32, not 33"),
]


@pytest.mark.parametrize("change, message", REFUSED)
def test_refused(change, message):
    with pytest.raises(ValueError, match=message):
        SmartExchangeConfig(**change)


def test_widths():
    config = SmartExchangeConfig()
    assert (config.combine_cycles, config.drain_cycles, config.table_width) == (8, 16, 48)
    assert config.basis_width == 36 and dataclasses.replace(config, taps=4).basis_width == 44
    assert (config.scales.min_shift, config.scales.max_shift, config.scales.bias_width) == (15, 30, 32)
    assert config.scatter_step == 1


def test_fingerprint_tells_what_a_program_depends_on():
    config = PRESETS["default"]
    same = [dict(row_depth=1024), dict(item_depth=16384), dict(pool_columns=8), dict(arrays=1)]
    other = [dict(taps=2), dict(combine_width=16), dict(sum_width=31), dict(acc_width=21), dict(lanes=128),
             dict(activation_width=16), dict(arrays=2)]
    assert all(dataclasses.replace(config, **change).fingerprint == config.fingerprint for change in same)
    prints = {dataclasses.replace(config, **change).fingerprint for change in other}
    assert len(prints | {config.fingerprint}) == 8
