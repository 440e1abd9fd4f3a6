"""`shiftwork bench`: a list of measurements, each beside what it must be."""

import json
import operator
import tempfile
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path

from .errors import FlowError, choose, is_expected, sentence
from .progress import Stages, console

__all__ = ["BENCHES", "Measurement", "Bench", "at_most", "at_least", "exactly", "reported", "measure"]

BENCHES = {"ternary": "shiftwork.flow.bench_ternary", "smartexchange": "shiftwork.flow.bench_smartexchange",
           "circulant": "shiftwork.flow.bench_circulant", "training": "shiftwork.flow.bench_training"}
"""Of each engine the module with its ENTRIES: {name of a row: function(bench) that yields Measurements}."""


@dataclass(frozen=True)
class Measurement:
    """One figure; ``ok`` is None where nothing is demanded."""

    name: str
    unit: str
    value: float | None   #: None where it could not be measured
    must: str
    ok: bool | None


def _compare(compare, sign):
    def make(name, unit, value, bound):
        return Measurement(name, unit, value, f"{sign} {bound:g}", bool(compare(value, bound)))

    return make


at_most = _compare(operator.le, "<=")
at_least = _compare(operator.ge, ">=")
exactly = _compare(operator.eq, "=")


def reported(name, unit, value):
    """A figure that is told, not judged."""
    return Measurement(name, unit, value, "", None)


class Bench:
    """What entries share: folders, progress, and results that several of them need, computed once."""

    def __init__(self, work):
        self.work, self._known, self._stage = Path(work), {}, None

    def note(self, text):
        """Says what is being measured right now."""
        if self._stage:
            self._stage.note(text)

    def once(self, key, function):
        """``function()``, or what it returned for ``key`` before."""
        if key not in self._known:
            self._known[key] = function()
        return self._known[key]

    def folder(self, name):
        """An empty folder for an entry's files."""
        path = self.work / name.replace("/", "-")
        path.mkdir(parents=True, exist_ok=True)
        return path

    @contextmanager
    def stage(self, stages, name):
        """Progress of the entry ``name``."""
        with stages.stage(name) as self._stage:
            yield


def _row(found):
    value = "" if found.value is None else f"{found.value:,.{0 if isinstance(found.value, int) else 3}f}"
    mark = {True: "[green]ok[/]", False: "[red]NOT MET[/]", None: ""}[found.ok]
    return found.name, value, found.unit, found.must, mark


def _print(measured):
    from rich.table import Table

    table = Table(box=None, header_style="dim", pad_edge=False)
    for column, side in (
        ("name", "left"),
        ("value", "right"),
        ("unit", "left"),
        ("must be", "left"),
        ("", "left"),
    ):
        table.add_column(column, justify=side)
    for found in measured:
        table.add_row(*_row(found))
    console.print(table)


def _measured(entry, function, bench):
    """The entry's measurements; where a tool fails or nothing fits, one not met in the failure's words."""
    found = []
    try:
        found.extend(function(bench))
    except Exception as error:
        if not is_expected(error):
            raise
        found.append(Measurement(entry, "", None, f"must be measured, but: {sentence(error)}", False))
    return found


def _rows(path):
    """Rows of an earlier run."""
    try:
        rows = json.loads(Path(path).read_text())
        return [row for row in rows if row["name"]]
    except (ValueError, TypeError, KeyError) as error:
        raise FlowError(f"--json with --only must name a file of an earlier bench, or none, not {path}, "
                        "which is no list of rows") from error


def _save(path, rows):
    """Writes rows; of two with one name the later one, in the earlier one's place."""
    beside = Path(path).with_name(f".{Path(path).name}.part")
    unique = {row["name"]: row for row in rows}
    beside.write_text(json.dumps(list(unique.values()), indent=1) + "\n")
    beside.replace(path)


def measure(name, path=None, only=""):
    """Runs the entries of an engine with ``only`` in their names; the exit code, 1 where one is not met.

    Writes [{name, unit, value, must, ok}] to ``path`` after each entry; with ``only``, rows of other names
    that a file there has stay. Raises FlowError where no entry is meant, or where such a file is not a list
    of rows.
    """
    entries = import_module(choose("Engine", name, BENCHES)).ENTRIES
    chosen = {entry: function for entry, function in entries.items() if only in entry}
    if not chosen:
        raise FlowError(f"--only must be part of one of {', '.join(entries)}, not {only!r}")
    if path is not None and not Path(path).absolute().parent.is_dir():
        raise FlowError(f"--json must name a file in a folder that exists, not {path}")
    kept = _rows(path) if only and path is not None and Path(path).exists() else []
    measured = []
    with tempfile.TemporaryDirectory(prefix="shiftwork-bench-") as work, Stages() as stages:
        bench = Bench(work)
        for entry, function in chosen.items():
            with bench.stage(stages, entry):
                measured += _measured(entry, function, bench)
            if path is not None:
                _save(path, [*kept, *map(asdict, measured)])
    _print(measured)
    missed = [found.name for found in measured if found.ok is False]
    if missed:
        console.print(f"not met: {', '.join(missed)}")
    return 1 if missed else 0
