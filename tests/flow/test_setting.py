"""`--set`: the keys that help lists, and every refusal."""

from dataclasses import dataclass

import pytest
from shiftwork.flow.errors import FlowError
from shiftwork.flow.setting import configure, keys
from shiftwork.golden.circulant.config import PRESETS as CIRCULANT
from shiftwork.golden.circulant.config import CirculantConfig
from shiftwork.golden.ternary.config import PRESETS, TernaryConfig


@dataclass(frozen=True, kw_only=True)
class Sample:
    """An engine's config."""

    width: int = 8  #: bits of a thing
    depth: int = 64  #: words of another
    fast: bool = False  #: whether it hurries

    def __post_init__(self):
        if not 4 <= self.width <= 9:
            raise ValueError("width must be between 4 and 9")
        if self.depth & (self.depth - 1) or self.depth < 16:
            raise ValueError("depth must be a power of two of at least 16")


def test_keys_are_read_off_the_dataclass():
    width, depth, fast = keys(Sample())
    assert (width.name, width.meaning, width.default, width.range) == (
        "width",
        "bits of a thing",
        8,
        "4 .. 9",
    )
    assert (depth.meaning, depth.range) == ("words of another", "16, 32, 64 .. 65536")
    assert (fast.default, fast.range) == (False, "false or true")


@pytest.mark.parametrize("config", [TernaryConfig(), CirculantConfig()])
def test_every_parameter_of_an_engine_has_a_meaning_and_a_range(config):
    for key in keys(config):
        assert len(key.meaning) > 8 and key.range, key


def test_settings_apply_together():
    # Neither alone stands beside the other defaults: 8 lanes need a smaller grid, and the reverse.
    config = configure(
        PRESETS, "default", ["lanes=8", "grid_rows=2", "grid_columns = 2", "scatter_width=0x4"]
    )
    assert (config.lanes, config.grid_rows, config.grid_columns, config.scatter_width) == (8, 2, 2, 4)
    assert configure(PRESETS, "tiny", []) == PRESETS["tiny"]
    assert configure(PRESETS, "default", ["convolution=False"]).convolution is False


def test_settings_of_several_numbers():
    config = configure(CIRCULANT, "default", ["forward_shifts=0,1,1", "block=8"])
    assert config.forward_shifts == (0, 1, 1)
    key, = (key for key in keys(config) if key.name == "forward_shifts")
    assert key.range == "numbers with commas between" and key.default == (0, 1, 1)
    message = "^Value of --set forward_shifts must be integers with commas between, not 'none'$"
    with pytest.raises(FlowError, match=message):
        configure(CIRCULANT, "default", ["forward_shifts=none"])
    with pytest.raises(ValueError, match=r"^forward_shifts must be 3 numbers, each 0 or 1, not \(1,\)$"):
        configure(CIRCULANT, "default", ["forward_shifts=1"])


@pytest.mark.parametrize(
    ("preset", "settings", "message"),
    [
        ("huge", [], r"^Preset must be one of tiny, default, icebreaker, ulx3s-85f, not 'huge'$"),
        ("tiny", ["lanes"], r"^--set must be KEY=VALUE, not 'lanes'$"),
        ("tiny", ["lane=8"], r"^Key of --set must be one of lanes, .*, not 'lane'$"),
        ("tiny", ["lanes=many"], r"^Value of --set lanes must be an integer, not 'many'$"),
        (
            "tiny",
            ["convolution=maybe"],
            r"^Value of --set convolution must be one of true, 1, false, 0, not 'maybe'$",
        ),
        ("tiny", ["lanes=8", "lanes=8"], r"^--set lanes must be given once, not twice$"),
    ],
)
def test_refusals(preset, settings, message):
    with pytest.raises(FlowError, match=message):
        configure(PRESETS, preset, settings)


def test_impossible_values_are_the_configs_own_refusal():
    with pytest.raises(ValueError, match="^lanes must be a power of two, not 48$"):
        configure(PRESETS, "default", ["lanes=48"])
