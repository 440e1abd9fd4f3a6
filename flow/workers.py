"""Work in processes of their own, with their progress in this one's bars."""

import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor

__all__ = ["Workers", "train", "bitstream"]

_ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class Workers:
    """``count`` processes, numpy limited to one thread in each; a context manager."""

    def __init__(self, stages, count):
        self._stages = stages
        self._bars = {}
        context = multiprocessing.get_context("spawn")
        self._manager = context.Manager()
        self._queue = self._manager.Queue()
        self._saved = {name: os.environ.get(name) for name in _ONE_THREAD}
        # numpy reads them while it is imported, so they must be there before a process starts.
        os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
        self._pool = ProcessPoolExecutor(count, mp_context=context)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self._pool.shutdown(wait=kind is None, cancel_futures=True)
        if kind is not None:
            for process in list((self._pool._processes or {}).values()):
                process.terminate()
        self._queue.put(None)
        self._listener.join(5)
        self._manager.shutdown()
        for name, value in self._saved.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})

    def submit(self, stage, function, *arguments):
        """A future of ``function(report, *arguments)``; ``report(call, *arguments)`` reaches the stage's
        methods.
        """
        self._bars[stage.name] = stage
        return self._pool.submit(_reporting, self._queue, stage.name, function, arguments)

    def _listen(self):
        while (message := self._queue.get()) is not None:
            name, call, arguments = message
            getattr(self._bars[name], call)(*arguments)


def _reporting(queue, name, function, arguments):
    def report(call, *values):
        queue.put((name, call, values))

    report("begin")
    result = function(report, *arguments)
    report("end")
    return result


def train(report, name, seed):
    """The digits network of one seed, trained for the engine ``name``: float first, and then another half."""
    from .engines import engine

    def progress(stage, epoch, epochs, loss):
        report("update", epoch + (0 if stage == "float" else epochs), 2 * epochs)
        report("note", f"{stage}, loss {loss:.3f}")

    return engine(name).train_digits(seed, progress)


def bitstream(report, name, board):
    """(results, files) of the engine ``name``, with the parameters of the preset ``board``, on that board."""
    from .engines import engine
    from .synthesis import implement

    module = engine(name)
    return implement(module, module.PRESETS[board], board, lambda text: report("note", text))
