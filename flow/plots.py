"""Plots of the report: functions from results to SVG text that takes its text color from the page."""

import base64
import io
import re

import numpy as np

__all__ = ["accuracy", "zero_shares", "cycles", "resources", "memory", "picture", "figure", "BAD", "FAINT",
           "IDEAL", "INK", "OURS"]

INK = "#010203"  # replaced by currentColor, so that one picture suits light and dark pages
FAINT = "#8a8f98"
OURS, IDEAL, DENSE, BAD = "#2f7ed8", "#6cc08b", "#b4b9c1", "#d8483e"
SEEDS = ("o", "s", "D", "^", "v")


def figure(height, salt):
    """Axes without a frame, and the function that turns them into SVG text."""
    # Imported here: matplotlib takes a second to load, and only reports need it.
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    style = {
        "svg.hashsalt": salt,
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.size": 10,
        "text.color": INK,
        "axes.labelcolor": INK,
        "xtick.color": FAINT,
        "ytick.color": INK,
        "xtick.labelcolor": INK,
    }
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(7.6, height), layout="constrained")
        axes = figure.subplots()
    figure.patch.set_alpha(0)
    axes.patch.set_alpha(0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.tick_params(axis="y", length=0)

    def finish():
        for text in axes.texts:
            # Annotations take their color from the style of the moment they are made.
            if text.get_color() == "black":
                text.set_color(INK)
        buffer = io.StringIO()
        with matplotlib.rc_context(style):
            FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})
        text = buffer.getvalue()
        text = text[text.index("<svg") :].replace(INK, "currentColor")
        text = re.sub(r'<g id="[^"]*"', "<g", text)  # the same in every plot, and never referred to
        text = re.sub(r"font-family: [^;]*;", "font-family: system-ui, sans-serif;", text)
        return re.sub(
            r' width="[^"]*pt"', ' width="100%"', re.sub(r' height="[^"]*pt"', "", text, count=1), count=1
        )

    return axes, finish


def _rows(axes, names):
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)


def accuracy(networks):
    """Accuracy of each seed, and the mean, of each network: {its name: [accuracy of a seed]}."""
    axes, finish = figure(1.9, "accuracy")
    for row, (name, accuracies) in enumerate(networks.items()):
        values = 100 * np.array(accuracies)
        axes.plot(
            values,
            np.full(len(values), row),
            ls="",
            marker="o",
            ms=8,
            mec="none",
            alpha=0.55,
            color=OURS if name == "hardware" else FAINT,
        )
        mean = values.mean()
        axes.plot([mean, mean], [row - 0.28, row + 0.28], color=INK, lw=1.6)
        axes.annotate(f"{mean:.2f} %", (mean, row - 0.3), ha="center", va="bottom", fontsize=9)
    _rows(axes, list(networks))
    low = 100 * min(map(min, networks.values()))
    axes.set_xlim(min(96, np.floor(low - 0.5)), 100)
    axes.set_ylim(len(networks) - 0.5, -0.8)
    axes.set_xlabel("held-out accuracy, percent: a dot a seed, a line the mean")
    return finish()


def zero_shares(layers, what="weights", are="zero"):
    """Share of zeros of each layer: rows with "name", "zero_share" and ``what``, the number of all."""
    axes, finish = figure(0.8 + 0.38 * len(layers), "zeros")
    shares = [100 * layer["zero_share"] for layer in layers]
    rows = range(len(layers))
    axes.barh(rows, 100, color=DENSE, alpha=0.3, height=0.62)
    axes.barh(rows, shares, color=OURS, height=0.62)
    for row, (share, layer) in enumerate(zip(shares, layers, strict=True)):
        inside = share > 25
        axes.annotate(
            f"{share:.1f} % of {layer[what]:,}",
            (share, row),
            va="center",
            fontsize=9,
            xytext=(-6 if inside else 6, 0),
            textcoords="offset points",
            ha="right" if inside else "left",
            color="white" if inside else INK,
        )
    _rows(axes, [layer["name"] for layer in layers])
    axes.set_xlim(0, 100)
    axes.set_xlabel(f"{what} that are {are}, percent")
    return finish()


def cycles(layers, salt="", unit="batch"):
    """Cycles of each layer of a ``unit``: rows with "name", "dense", "cycles" and "ideal"."""
    kinds = (
        ("dense", "dense engine, same lanes", DENSE),
        ("cycles", "this engine", OURS),
        ("ideal", "ideal", IDEAL),
    )
    axes, finish = figure(1.1 + 0.75 * len(layers), f"cycles-{salt}")
    top = max(layer[kind] for layer in layers for kind, _, _ in kinds)
    for place, (kind, label, color) in enumerate(kinds):
        at = np.arange(len(layers)) + (place - 1) * 0.27
        values = [layer[kind] for layer in layers]
        axes.barh(at, values, height=0.25, color=color, label=label)
        for y, value in zip(at, values, strict=True):
            axes.annotate(
                f"{value:,.0f}",
                (value, y),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8.5,
            )
    _rows(axes, [layer["name"] for layer in layers])
    axes.set_xlim(0, 1.1 * top)
    axes.set_xlabel(f"cycles of a {unit}")
    axes.legend(
        frameon=False, ncols=3, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0, labelcolor=INK
    )
    return finish()


def resources(rows, salt):
    """What a board's device has, and what is used: rows with "name", "used" and "available"."""
    axes, finish = figure(0.45 + 0.36 * len(rows), f"resources-{salt}")
    for place, row in enumerate(rows):
        share = row["used"] / row["available"]
        axes.barh(place, 1, color=DENSE, alpha=0.3, height=0.6)
        axes.barh(place, min(share, 1), color=OURS if share <= 1 else BAD, height=0.6)
        axes.annotate(
            f"{row['used']:,} of {row['available']:,}  ({100 * share:.0f} %)",
            (1.01, place),
            va="center",
            fontsize=9,
            annotation_clip=False,
        )
    _rows(axes, [row["name"] for row in rows])
    axes.set_xlim(0, 1.35)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    return finish()


def memory(rows, salt):
    """Bits of each memory, used and free, on one scale: rows with "name", "bits" and "used"."""
    axes, finish = figure(0.9 + 0.38 * len(rows), f"memory-{salt}")
    for place, row in enumerate(rows):
        axes.barh(place, row["bits"] / 1024, color=DENSE, alpha=0.45, height=0.6)
        axes.barh(place, row["used"] / 1024, color=OURS, height=0.6)
        axes.annotate(
            f"{row['used'] / 1024:,.1f} of {row['bits'] / 1024:,.1f} "
            f"({100 * row['used'] / row['bits']:.0f} %)",
            (row["bits"] / 1024, place),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
    _rows(axes, [row["name"] for row in rows])
    axes.set_xlim(0, 1.28 * max(row["bits"] for row in rows) / 1024)
    axes.set_xlabel("kibibits: used, free")
    return finish()


def picture(pixels):
    """A picture of pixels 0 .. 1, (rows, columns), dark on light, as a data URL of a PNG."""
    from matplotlib.image import imsave

    buffer = io.BytesIO()
    imsave(
        buffer,
        1 - np.asarray(pixels, float),
        cmap="gray",
        vmin=0,
        vmax=1,
        format="png",
        metadata={"Software": None},
    )
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
