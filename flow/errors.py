"""Expected failures: one sentence on standard error, exit code 2. Anything else keeps its traceback."""

import sys
from contextlib import contextmanager

__all__ = ["FlowError", "EXPECTED_EXIT", "is_expected", "sentence", "reported", "choose"]

EXPECTED_EXIT = 2


class FlowError(ValueError):
    """A step of the flow cannot be done with what it was given; the message says what to do about it."""


def _raised_here(error):
    """Whether the innermost frame of the traceback is code of this project."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith("shiftwork.")


def is_expected(error):
    """Whether ``error`` is an answer to the user rather than a defect.

    It is one if its class is defined in this project (ToolError, ProgramError, ...), if it is a ValueError
    that this
    project raised itself (a ValueError out of numpy is a defect of ours), or if the operating system refused
    a file.
    """
    own_class = type(error).__module__.startswith("shiftwork.")
    return own_class or isinstance(error, OSError) or (isinstance(error, ValueError) and _raised_here(error))


def sentence(error):
    """The message of ``error``; of the operating system's refusals, with the file."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror[0].lower()}{error.strerror[1:]}"
    return str(error).strip() or type(error).__name__


@contextmanager
def reported(stream=None):
    """Within, an expected failure ends the process with code 2 and ``error: <sentence>`` on standard error.
    """
    try:
        yield
    except Exception as error:
        if not is_expected(error):
            raise
        print(f"error: {sentence(error)}", file=stream or sys.stderr)
        raise SystemExit(EXPECTED_EXIT) from None


def choose(what, value, choices):
    """``choices[value]`` of a dict, or ``value`` out of other iterables; raises FlowError where it is not
    among them.
    """
    if value not in choices:
        raise FlowError(f"{what} must be one of {', '.join(choices)}, not {value!r}")
    return choices[value] if isinstance(choices, dict) else value
