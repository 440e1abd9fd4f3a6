"""The picture of a block in the frequency domain: what golden says, over what numpy says."""

import re

import numpy as np
import pytest
from shiftwork.flow.spectra import CONFIG, panels, spectrum
from shiftwork.golden.circulant.config import CirculantConfig
from shiftwork.golden.circulant.interpreter import Machine
from shiftwork.golden.circulant.transform import error_bound, forward, inverse

CONFIGS = {16: CONFIG, 4: CirculantConfig(block=4)}
NAMES = {16: "0 8 4 4 2 2 10 10 1 1 9 9 13 13 5 5", 4: "0 2 1 1"}


def slots(spectrum, places):
    """Numbers of a whole complex spectrum in the order of ``places``."""
    return [(spectrum.imag if name.startswith("Im") else spectrum.real)[int(name.split()[-1])]
            for name in places]


@pytest.mark.parametrize("seed", [4, 0])
@pytest.mark.parametrize("size", CONFIGS)
def test_values(size, seed):
    config = CONFIGS[size]
    x, found, product, y = panels(config, seed)
    assert x.places == y.places == tuple(map(str, range(size)))
    assert found.places == product.places
    assert [name.split()[-1] for name in found.places] == NAMES[size].split()

    # integers: golden's; the weight's spectrum follows from the exact product
    assert x.integers.dtype == np.int64 and np.ptp(x.integers) > 100
    assert np.array_equal(found.integers, forward(x.integers, config.forward).reshape(-1))
    whole = np.fft.fft(x.integers)
    assert np.allclose(found.exact, slots(whole, found.places))
    weight = [z.reshape(-1, 2) for z in (found.exact, product.exact)]
    c = (weight[1] @ [1, 1j]) / (weight[0] @ [1, 1j])
    c[0] = complex(*weight[1][0] / weight[0][0])
    weight = np.rint(np.stack([c.real, c.imag], axis=-1)).astype(int)
    assert np.abs(weight).max() < 1 << config.weight_width - 1
    sums = Machine(config)._sums(weight[None, None], found.integers.reshape(1, -1, 2))[0]
    assert np.array_equal(product.integers, sums.reshape(-1))

    # exact: the convolution, in its definition, of the weight that numpy's inverse makes of its spectrum
    spectrum = np.zeros(size, complex)
    for f, value in zip(map(int, NAMES[size].split()[2::2]), c[1:], strict=True):
        spectrum[f], spectrum[-f] = np.rint(value), np.conj(np.rint(value))
    spectrum[0], spectrum[size // 2] = weight[0]
    w = np.fft.ifft(spectrum).real
    convolved = [sum(w[(a - b) % size] * x.exact[b] for b in range(size)) for a in range(size)]
    scales = y.exact / convolved
    shift = round(np.log2(size / scales[0]))
    assert np.allclose(scales, size / 2.0 ** shift) and 0 <= shift < 16
    halved = (product.integers + (1 << shift >> 1)) >> shift
    assert np.array_equal(y.integers, inverse(halved.reshape(-1, 2), config.inverse))

    # residuals: within the bound of the transform, and not hidden
    assert x.residual == 0 and x.title == x.name
    assert found.residual <= error_bound(config.forward).max()
    assert 0 < y.residual < 1e-3 * np.abs(y.exact).max()
    assert y.title.endswith(f"at most {y.residual:,.1f} from the circular convolution")


def test_svg():
    """Titles with residuals, a dot and a line for each number; the same each time."""
    text = spectrum()
    assert text == spectrum() and text.startswith("<svg ")
    for panel in panels():
        assert f">{panel.title}<" in text.replace("&#x27;", "'").replace("&apos;", "'")
    assert len(re.findall("<use ", text)) >= 4 * CONFIG.block and text.count(">Re 13<") == 2
