"""Live progress: one bar a stage on a terminal, one line a stage elsewhere."""

import sys
import threading
import time
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

__all__ = ["Stages", "console"]

console = Console(stderr=True, highlight=False)


class Stages:
    """A group of stages that run, maybe several at once, under one display on standard error."""

    def __init__(self):
        self._live = console.is_terminal
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description:28}"),
            BarColumn(bar_width=28),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[note]}"),
            console=console,
        )
        self._lock = threading.Lock()

    def __enter__(self):
        if self._live:
            self._progress.start()
        return self

    def __exit__(self, *_):
        if self._live:
            self._progress.stop()

    def add(self, name):
        """A stage named ``name``, waiting; `Stage.run` starts it."""
        return Stage(self, name)

    @contextmanager
    def stage(self, name):
        """A stage that lasts as long as the block; yields its `Stage`."""
        stage = self.add(name)
        stage.begin()
        yield stage
        stage.end()

    def say(self, text):
        """Prints a line above the bars."""
        with self._lock:
            if self._live:
                self._progress.console.print(text)
            else:
                print(text, file=sys.stderr, flush=True)


class Stage:
    """One bar. `update` is what the other rooms take for ``progress``."""

    def __init__(self, stages, name):
        self._stages, self.name, self._start = stages, name, None
        self._bar = stages._progress
        self._task = self._bar.add_task(name, total=None, start=False, visible=stages._live, note="")

    def begin(self):
        """Starts the clock; until the first `update` the bar only pulses."""
        if self._start is None:
            self._start = time.perf_counter()
            self._bar.start_task(self._task)

    def update(self, done, total):
        """``done`` of ``total`` parts of the work are done."""
        self.begin()
        self._bar.update(self._task, completed=done, total=total)

    def note(self, text):
        """Says what is being done right now."""
        self.begin()
        self._bar.update(self._task, note=text)

    def end(self, note=""):
        """The stage is done."""
        self.begin()
        self._bar.update(self._task, total=1, completed=1, note=note)
        self._bar.stop_task(self._task)
        if not self._stages._live:
            self._stages.say(
                f"{self.name}: done in {time.perf_counter() - self._start:.1f} s"
                + (f", {note}" if note else "")
            )
