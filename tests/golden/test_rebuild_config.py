"""Parameters of the `rebuild` dataflow: their checks, the fingerprint, the command line's names."""

import dataclasses

import pytest
from shiftwork.flow.setting import configure, keys
from shiftwork.golden.smartexchange.config import PRESETS, SmartExchangeConfig

REFUSED = [
    (dict(slices=3, rebuild=True), "slices must be a power of two of at most 64, not 3"),
    (dict(slices=128, rebuild=True), "slices must be a power of two of at most 64, not 128"),
    (dict(lines=0, rebuild=True), "lines must be a power of two of at most 32, not 0"),
    (dict(filter_bases=12), "filter_bases must be a power of two of at most 64, not 12"),
    (dict(slices=2), "rebuild must be True where slices is 2, not False"),
    (dict(lines=4), "rebuild must be True where lines is 4, not False"),
    (dict(synchronised=True), "rebuild must be True where synchronised is True, not False"),
    (dict(rebuild=True, arrays=2), "arrays must be 1 where rebuild is True, not 2"),
    (dict(rebuild=1), "rebuild must be of type bool, not 1"),
]


@pytest.mark.parametrize("change, message", REFUSED)
def test_refused(change, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        SmartExchangeConfig(**change)


def test_fingerprint_has_slices_and_lines_of_rebuild_engines_only():
    config = PRESETS["default"]
    assert config.fingerprint == 0x2398fe    # as before there was another dataflow
    assert dataclasses.replace(config, filter_bases=32).fingerprint == config.fingerprint
    rebuild = dataclasses.replace(config, rebuild=True)
    assert dataclasses.replace(rebuild, synchronised=True).fingerprint == rebuild.fingerprint
    shapes = [(1, 1), (1, 2), (2, 1), (4, 4)]
    prints = {dataclasses.replace(rebuild, slices=a, lines=b).fingerprint for a, b in shapes}
    prints |= {dataclasses.replace(config, arrays=n).fingerprint for n in (1, 2, 12)}
    assert len(prints) == len(shapes) + 3


def test_command_line():
    config = configure(PRESETS, "tiny", ["rebuild=true", "slices=4", "lines=2", "synchronised=1"])
    assert config == dataclasses.replace(PRESETS["tiny"], rebuild=True, slices=4, lines=2, synchronised=True)
    found = {key.name: key for key in keys(config)}
    assert found["rebuild"].default is True and found["slices"].range == "1, 2, 4 .. 64"
    assert found["slices"].meaning == "filters that it computes together"
