"""Parameters of the circulant engine: messages, and widths that follow."""

import pytest
from shiftwork.golden.circulant.config import PRESETS, CirculantConfig


@pytest.mark.parametrize(("settings", "message"), [
    ({"block": 2}, "block must be 4, 8, 16, 32 or 64, not 2"),
    ({"rows": 0}, "rows must be between 1 and 64, not 0"),
    ({"rows": 2.0}, "rows must be of type int, not 2.0"),
    ({"peepholes": 1}, "peepholes must be of type bool, not 1"),
    ({"weight_width": 19}, "weight_width must be between 8 and 18, not 19"),
    ({"spectrum_depth": 48}, "spectrum_depth must be a power of two, not 48"),
    ({"forward_shifts": (0, 1)}, r"forward_shifts must be 3 numbers, each 0 or 1, not \(0, 1\)"),
    ({"inverse_shifts": (0, 1, 2)}, r"inverse_shifts must be 3 numbers, each 0 or 1, not \(0, 1, 2\)"),
    ({"block": 64, "forward_shifts": (0,) * 6},
     "forward_shifts must leave spectra of at most 17 bits, not 18"),
])
def test_a_parameter_that_cannot_be_is_named(settings, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        CirculantConfig(**settings)


@pytest.mark.parametrize("block", [4, 8, 16, 32, 64])
@pytest.mark.parametrize("vector_width", [8, 12, 16])
def test_spectra_fit_the_multipliers_with_the_fewest_shifts(block, vector_width):
    config = CirculantConfig(block=block, vector_width=vector_width)
    shifts = config.forward.shifts
    assert config.spectrum_width <= 17
    assert shifts == tuple(sorted(shifts))
    if any(shifts):
        fewer = (0, *shifts[:-1][:shifts.index(1)], 0, *shifts[shifts.index(1) + 1:])[1:]
        with pytest.raises(ValueError, match="spectra of at most 17 bits, not 18"):
            CirculantConfig(block=block, vector_width=vector_width, forward_shifts=fewer)


def test_lists_of_shifts_are_those_that_tuples_are():
    assert CirculantConfig(forward_shifts=[0, 0, 1]) == CirculantConfig(forward_shifts=(0, 0, 1))


def test_fingerprints_are_those_of_what_a_program_depends_on():
    """Depths are checked by a program's sections."""
    assert PRESETS["default"].fingerprint == PRESETS["ulx3s-85f"].fingerprint
    others = [PRESETS[name].fingerprint for name in ("tiny", "default", "google-lstm")]
    assert len(set(others)) == 3
