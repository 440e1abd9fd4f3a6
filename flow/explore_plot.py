"""The picture of `shiftwork explore`: latency against what an engine takes."""

from . import plots

__all__ = ["front"]

AXES = (
    ("multipliers", "multipliers", "o", plots.OURS),
    ("luts", "logic cells (estimated)", "s", plots.IDEAL),
    ("rams", "block RAMs", "D", plots.BAD),
)


def front(candidates, best, chosen, device):
    """SVG text: all ``candidates`` that fit, those of ``best`` in color, a ring around ``chosen``.

    A mark each for multipliers, logic and block RAMs, in percent of what ``device`` has, over cycles of a
    step.
    """
    from matplotlib.ticker import LogLocator, NullFormatter

    axes, finish = plots.figure(3.4, "explore")
    for name, label, mark, color in AXES:
        axes.plot([one.cycles for one in candidates], [_share(one, name, device) for one in candidates],
                  ls="", marker=mark, ms=4, mec="none", alpha=0.25, color=plots.FAINT)
        axes.plot([one.cycles for one in best], [_share(one, name, device) for one in best], ls="",
                  marker=mark, ms=5, mec="none", color=color, label=label)
        axes.plot([chosen.cycles], [_share(chosen, name, device)], ls="", marker=mark, ms=11, mfc="none",
                  mec=color)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(0, 104)
    axes.set_xlabel("cycles of a step")
    axes.set_ylabel("percent of the device")
    axes.legend(frameon=False, loc="upper right", labelcolor=plots.INK)
    return finish()


def _share(one, name, device):
    return 100 * getattr(one.resources, name) / getattr(device, name)
