"""The picture of `shiftwork explore`: latency against what an engine takes."""

from . import plots

__all__ = ["front"]

AXES = (("multipliers", "multipliers"), ("luts", "logic cells (estimated)"), ("rams", "block RAMs"))


def front(candidates, best, chosen, device):
    """SVG text: all ``candidates`` that fit, those of ``best`` in color, a ring around ``chosen``.

    A mark each for multipliers, logic and block RAMs, in percent of what ``device`` has, over cycles of a
    step.
    """
    axes, finish = plots.figure(3.4, "explore")
    marks = ("o", "s", "D")
    for (name, label), mark in zip(AXES, marks, strict=True):
        for group, color, alpha, size in ((candidates, plots.FAINT, 0.25, 4), (best, plots.OURS, 0.9, 5)):
            axes.plot([one.cycles for one in group], [_share(one, name, device) for one in group], ls="",
                      marker=mark, ms=size, mec="none", alpha=alpha, color=color,
                      label=label if group is best else None)
        axes.plot([chosen.cycles], [_share(chosen, name, device)], ls="", marker=mark, ms=11, mfc="none",
                  mec=plots.OURS)
    axes.set_xscale("log")
    axes.set_ylim(0, 100)
    axes.set_xlabel("cycles of a step")
    axes.set_ylabel("percent of the device")
    axes.legend(frameon=False, loc="upper right", labelcolor=plots.INK)
    return finish()


def _share(one, name, device):
    return 100 * getattr(one.resources, name) / getattr(device, name)
