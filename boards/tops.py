"""What goes on a board: an engine behind a host link, clocked as fast as the board's part allows."""

from dataclasses import dataclass
from functools import cached_property

from amaranth.back import verilog
from amaranth.hdl import ClockDomain, ClockSignal, Const, Instance, Module, ResetSignal, Signal
from amaranth.lib import io, wiring
from amaranth.lib.cdc import ResetSynchronizer
from amaranth.lib.wiring import In, Out
from amaranth_boards.icebreaker import ICEBreakerPlatform
from amaranth_boards.ulx3s import ULX3S_85F_Platform

from ..hw.common.link import LinkConfig, UartLink
from .driver import BAUD

__all__ = ["BoardSettings", "BOARDS", "BoardCore", "BoardTop", "clock_settings"]

TIMEOUT_SECONDS = 0.05  # USB adds up to 16 ms between two bytes


@dataclass(frozen=True, kw_only=True)
class BoardSettings:
    """One board: its platform, the pin of its clock, and its clock's and its engine's frequency in MHz.

    ``seed`` is that of placement: of a nearly full device some take very long.
    """

    platform: type
    pin: str
    crystal: float
    frequency: float
    fastest: float    #: MHz that its top may be asked for
    seed: int = 1


BOARDS = {
    "ulx3s-85f": BoardSettings(platform=ULX3S_85F_Platform, pin="clk25", crystal=25.0, frequency=50.0,
                               fastest=150.0),
    "icebreaker": BoardSettings(platform=ICEBreakerPlatform, pin="clk12", crystal=12.0, frequency=24.0,
                                fastest=48.0, seed=2),
}
"""Boards by name."""


def clock_settings(board, frequency):
    """Dividers of the board's PLL for ``frequency`` MHz, None its usual: {"reference", "feedback", "output"}.

    ULX3S: crystal / reference * feedback, from an oscillator of that times ``output`` (400 .. 800 MHz).
    iCEBreaker: crystal * (feedback + 1) / 2 ** output, oscillator 533 .. 1066 MHz.
    Raises ValueError for an unknown board, or where no dividers give the frequency.
    """
    if board not in BOARDS:
        raise ValueError(f"Board must be {' or '.join(sorted(BOARDS))}, not {board!r}")
    settings = BOARDS[board]
    frequency = settings.frequency if frequency is None else frequency
    if settings.crystal <= frequency <= settings.fastest:
        if board == "ulx3s-85f":
            for reference in range(1, 9):
                feedback = frequency * reference / settings.crystal
                output = int(600 // frequency)
                if feedback.is_integer() and feedback <= 80 and 400 <= output * frequency <= 800:
                    return {"reference": reference, "feedback": int(feedback), "output": output}
        else:
            for output in range(1, 7):
                oscillator = frequency * 2 ** output
                feedback = oscillator / settings.crystal
                if 533 <= oscillator <= 1066 and feedback.is_integer():
                    return {"reference": 0, "feedback": int(feedback) - 1, "output": output}
    raise ValueError(f"Engine clock of {board} must be one that its PLL makes of {settings.crystal:g} MHz, "
                     f"between {settings.crystal:g} and {settings.fastest:g} MHz, not {frequency:g}")


class BoardCore(wiring.Component):
    """An engine behind a serial line: all of a board's design but its pins and its clock.

    Members: ``rx``: In(1), ``tx``: Out(1), ``busy``, ``error``: Out(1).
    """

    def __init__(self, config, *, frequency, divisor, engine=None):
        self._config = config
        self._timeout = int(TIMEOUT_SECONDS * frequency * 1e6)
        self._divisor = divisor
        self._engine = engine
        super().__init__({"rx": In(1), "tx": Out(1), "busy": Out(1), "error": Out(1)})

    def elaborate(self, platform):
        m = Module()
        engine = m.submodules.engine = self._make_engine()
        width, result_bytes = (len(port.p.data) // 8 for port in (engine.i, engine.o))
        link = m.submodules.link = UartLink(LinkConfig(
            width=width, result_bytes=result_bytes, timeout=self._timeout,
            fingerprint=self._config.fingerprint), self._divisor)
        wiring.connect(m, link.program, engine.i_program)
        wiring.connect(m, link.input, engine.i)
        wiring.connect(m, engine.o, link.output)
        m.d.comb += [
            engine.start.eq(link.start), engine.clear.eq(link.clear),
            link.rx.eq(self.rx), self.tx.eq(link.tx),
            self.busy.eq(engine.busy), self.error.eq(engine.error.any()),
        ]
        for name in ("busy", "loaded", "error", "layer", "load_cycles", "run_cycles"):
            m.d.comb += getattr(link, name).eq(getattr(engine, name))
        return m

    def _make_engine(self):
        if self._engine is not None:
            return self._engine(self._config)
        from ..hw.ternary.engine import TernaryEngine
        return TernaryEngine(self._config)


class BoardTop(wiring.Component):
    """An engine on a board.

    The serial line goes to the board's USB connector. The first LED is on while the engine is busy, the
    second while it has an error.

    Parameters
    ----------
    config : ArrayConfig
        Of the engine.
    board : str
        A name in ``BOARDS``.
    frequency : float, optional
        Engine clock in MHz.
    baud : int
        Bits a second of the serial line.
    engine : function of config, optional
        Makes the engine, of the ports of `TernaryEngine`, which it is without it.

    Raises ValueError for an unknown board, a clock that the PLL cannot make, or a baud rate that the clock
    does not divide into to within 2 %.
    """

    def __init__(self, config, board, *, frequency=None, baud=BAUD, engine=None):
        self.clock = clock_settings(board, frequency)
        self.config = config
        self.board = board
        self.frequency = BOARDS[board].frequency if frequency is None else frequency
        cycles = self.frequency * 1e6 / baud
        if abs(round(cycles) - cycles) > 0.02 * cycles or cycles < 8:
            raise ValueError(f"Baud rate must be at most {self.frequency * 1e6 / 8:.0f} and divide the clock "
                             f"of {self.frequency:g} MHz to within 2 %, not {baud}")
        self.divisor = round(cycles)
        self._engine = engine
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        self._clock(m, platform)
        platform.add_file("shiftwork_core.v", self.core)
        uart = platform.request("uart", 0, dir="-")
        m.submodules.rx = rx = io.Buffer("i", uart.rx)
        m.submodules.tx = tx = io.Buffer("o", uart.tx)
        leds = []
        for number in range(2):
            led = m.submodules[f"led{number}"] = io.Buffer("o", platform.request("led", number, dir="-"))
            leds.append(led.o)
        m.submodules.core = Instance(
            "shiftwork_core", i_clk=ClockSignal(), i_rst=ResetSignal(), i_rx=rx.i, o_tx=tx.o,
            o_busy=leds[0], o_error=leds[1])
        return m

    @cached_property
    def core(self):
        """`BoardCore`, module ``shiftwork_core``.

        It is Verilog, like the core that was verified: only there do synthesis tools find what a memory need
        not do.
        """
        core = BoardCore(self.config, frequency=self.frequency, divisor=self.divisor, engine=self._engine)
        return verilog.convert(core, name="shiftwork_core", emit_src=False, strip_internal_attrs=True)

    def _clock(self, m, platform):
        """The domain ``sync`` from the board's PLL; held in reset until the PLL has locked."""
        settings = BOARDS[self.board]
        pin = platform.request(settings.pin, 0, dir="-")
        locked = Signal()
        m.domains.sync = sync = ClockDomain()
        if self.board == "ulx3s-85f":
            crystal = m.submodules.crystal = io.Buffer("i", pin)
            pll = Instance(
                "EHXPLLL", p_CLKI_DIV=self.clock["reference"], p_CLKFB_DIV=self.clock["feedback"],
                p_CLKOP_DIV=self.clock["output"], p_CLKOP_CPHASE=self.clock["output"] - 1, p_CLKOP_FPHASE=0,
                p_CLKOP_ENABLE="ENABLED", p_FEEDBK_PATH="CLKOP", p_PLLRST_ENA="DISABLED",
                a_FREQUENCY_PIN_CLKI=f"{settings.crystal:g}", a_FREQUENCY_PIN_CLKOP=f"{self.frequency:g}",
                a_ICP_CURRENT="12", a_LPF_RESISTOR="8",
                i_CLKI=crystal.i, i_CLKFB=sync.clk, i_RST=Const(0), i_STDBY=Const(0), i_ENCLKOP=Const(0),
                i_PHASESEL0=Const(0), i_PHASESEL1=Const(0), i_PHASEDIR=Const(0), i_PHASESTEP=Const(0),
                i_PHASELOADREG=Const(0), i_PLLWAKESYNC=Const(0), o_CLKOP=sync.clk, o_LOCK=locked)
        else:
            pll = Instance(
                "SB_PLL40_PAD", p_FEEDBACK_PATH="SIMPLE", p_DIVR=Const(self.clock["reference"], 4),
                p_DIVF=Const(self.clock["feedback"], 7), p_DIVQ=Const(self.clock["output"], 3),
                p_FILTER_RANGE=Const(1, 3), i_PACKAGEPIN=pin.io, i_RESETB=Const(1), i_BYPASS=Const(0),
                o_PLLOUTGLOBAL=sync.clk, o_LOCK=locked)
        m.submodules.pll = pll
        m.submodules.reset = ResetSynchronizer(~locked)
        platform.add_clock_constraint(sync.clk, self.frequency * 1e6)
