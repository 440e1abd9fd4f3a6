"""Measurements of the circulant engine: logic and clock of its Fourier transforms on the ECP5."""

from shiftwork.golden.circulant.transform_config import TransformConfig

from .bench import at_least, at_most, exactly, reported
from .bench_circulant_networks import ENTRIES as NETWORKS
from .bench_circulant_peer import ENTRIES as PEER_GRU
from .bench_circulant_sequences import ENTRIES as SEQUENCES
from .bench_tools import SEEDS, packed, used

__all__ = ["ENTRIES", "transform_verilog"]

TARGET = "ecp5-85k"
SIZES = (4, 8, 16, 32, 64)
PEERS = {8: 661, 16: 977}
"""TRELLIS_COMB of maia-hdl's complex FFT of 16 bits, one complex number a cycle, by points."""


def transform_verilog(config):
    """The RTL of one transform."""
    from amaranth.back import verilog
    from shiftwork.hw.circulant.transform import Transform

    return verilog.convert(Transform(config), name="transform", emit_src=False)


def _packed(bench, config):
    kind = "ifft" if config.inverse else "fft"
    bench.note(f"{kind} of {config.size}")
    return bench.once(config, lambda: packed(bench, f"{kind}{config.size}", transform_verilog(config)))


def _placed(bench, config):
    from shiftwork.boards.synthesis import synthesize

    bench.note(f"fft of {config.size}, seeds {SEEDS}")
    return bench.once((config, SEEDS), lambda: synthesize(
        transform_verilog(config), TARGET, bench.folder(f"synth-fft{config.size}"), seeds=SEEDS))


def comb(bench):
    """Logic of both transforms, 16 bits in, packed, by block size; two real numbers a cycle."""
    for size in SIZES:
        for name, inverse in (("fft", False), ("ifft", True)):
            found = _packed(bench, TransformConfig(size=size, inverse=inverse))
            yield reported(f"{name}/comb@{size}", "TRELLIS_COMB", found["TRELLIS_COMB"])
            yield reported(f"{name}/ff@{size}", "TRELLIS_FF", found["TRELLIS_FF"])
            yield reported(f"{name}/multipliers@{size}", "MULT18X18D", found.get("MULT18X18D", 0))


def fmax(bench):
    """Clock of the forward transforms of 8 and 16."""
    for size in (8, 16):
        found = _placed(bench, TransformConfig(size=size))
        yield at_least(f"fft/fmax@{size}", "MHz, ECP5 speed 6, median of seeds 1-3", found.median, 130)


def peer(bench):
    """Forward transforms beside maia-hdl's complex FFT of as many points.

    That takes 661 COMB and 3 multipliers, 977 and 6, at 138 MHz: one complex number a cycle. Ours takes two
    reals a cycle in no more, so half the logic for each real number, and no multiplier.
    """
    for size, bound in PEERS.items():
        found = _placed(bench, TransformConfig(size=size))
        yield at_most(f"peer/fft@{size}/comb", "TRELLIS_COMB", used(found, "TRELLIS_COMB"), bound)
        yield exactly(f"peer/fft@{size}/multipliers", "MULT18X18D", used(found, "MULT18X18D"), 0)


ENTRIES = {"fft/comb": comb, "fft/fmax": fmax, "peer/fft": peer, **PEER_GRU, **NETWORKS,
           **SEQUENCES}
