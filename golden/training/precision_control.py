"""The controller of dynamic precision: as few bits as the trend of the loss allows."""

from dataclasses import dataclass

from .arithmetic import shift_round

__all__ = ["Controller"]

_EXTRA = 8          # bits of the averages behind the last bit of the loss
_FAST, _SLOW = 2, 4
_ONE = 1 << 15 + _EXTRA
_NOISE = 6          # averages of few batches differ by up to 2 ** -_NOISE, less where the loss is near 1
_MARGIN = 4         # the loss falls well if the fast average is below the slow one by 2 ** -_MARGIN of it
_PATIENCE = 4       # moves without a try after one that failed


@dataclass(eq=False)
class Controller:
    """``tolerance`` 0 .. ``limit``: bits that the most important tile may lose.

    Two averages of the loss (an integer, the mean of 1 - the label's probability on the grid 2 ** -15):

        fast += (loss - fast) / 4,    slow += (loss - slow) / 16       rounded, 8 bits behind the last one

    The move: if fast - slow > (1 - slow) / 64 (the loss rises), tolerance - 1, and the next 4 moves do not go
    up; else, if fast - slow < -slow / 16 (it falls well) and none of these moves is left, tolerance + 1. In
    between, nothing. So there is a band without a change, and after a failure a pause: tolerance does not
    swing from move to move.
    """

    tolerance: int
    limit: int

    def __post_init__(self):
        self.fast = self.slow = None
        self.wait = 0

    def see(self, loss):
        """Takes the ``loss`` of one step into the averages; the first one sets both."""
        fresh = loss << _EXTRA
        if self.fast is None:
            self.fast = self.slow = fresh
        self.fast += int(shift_round(fresh - self.fast, _FAST))
        self.slow += int(shift_round(fresh - self.slow, _SLOW))

    def move(self):
        change = self.fast - self.slow
        if change > _ONE - self.slow >> _NOISE:
            self.tolerance, self.wait = max(self.tolerance - 1, 0), _PATIENCE
        elif self.wait:
            self.wait -= 1
        elif change < -(self.slow >> _MARGIN):
            self.tolerance = min(self.tolerance + 1, self.limit)
