"""The report: a dict of results to one HTML page that needs nothing beside itself.

    {"title", "words", "lead", "figures": [[name, value]],
     "accuracy": {"seeds", "float", "compressed", "hardware"}, "images": [{"pixels", "label", "said"}],
     "engines": [{"name", "summary", "layers": [...], "memory": [...], "resources": [...], "fmax_mhz",
                  "clock_mhz", "numbers": [[name, value, unit]]}],
     "training": `report_training`'s, "numbers": [[name, value, unit]], "versions": {}}

Every part but the title and the words (`engines.Words` as a dict) may be missing; its section then is too.
"""

from html import escape

import numpy as np

from . import plots, report_training
from .report_style import STYLE

__all__ = ["render", "accuracies"]


def accuracies(results):
    """Accuracies of all seeds by the network's name: float, compressed (by the engine's name), hardware."""
    found = results["accuracy"]
    names = {"float": "float", "compressed": results["words"]["name"], "hardware": "hardware"}
    return {name: found[kind] for kind, name in names.items() if kind in found}


def _text(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return f"{value:,}"
    if isinstance(value, (float, np.floating)):
        return f"{value:,.2f}"
    return escape(str(value))


def _table(head, rows):
    number = [all(isinstance(row[n], (int, float)) for row in rows) for n in range(len(head))]

    def line(tag, cells):
        return (
            "<tr>"
            + "".join(
                f"<{tag}{' class=n' if n else ''}>{_text(cell)}</{tag}>"
                for cell, n in zip(cells, number, strict=True)
            )
            + "</tr>"
        )

    return (
        "<div class=scroll><table>"
        + line("th", head)
        + "".join(line("td", row) for row in rows)
        + "</table></div>"
    )


def _accuracy(results):
    networks = accuracies(results)
    rows = [
        [f"seed {seed}", *(100 * values[n] for values in networks.values())]
        for n, seed in enumerate(results["accuracy"]["seeds"])
    ]
    rows.append(["mean", *(100 * float(np.mean(values)) for values in networks.values())])
    return [
        "<h2>Accuracy</h2><p>Of held-out images: the float network, the same after all its weights became "
        f"{escape(results['words']['weights'])}, and what the RTL answered.</p>",
        plots.accuracy(networks),
        _table(["percent", *networks], rows),
    ]


def _images(images):
    wrong = sum(image["said"] != image["label"] for image in images)
    cells = []
    for image in images:
        bad = image["said"] != image["label"]
        caption = f"{image['said']}, is {image['label']}" if bad else str(image["said"])
        cells.append(
            f'<figure{" class=wrong" if bad else ""}><img alt="digit {image["label"]}" '
            f'src="{plots.picture(image["pixels"])}"><figcaption>{caption}</figcaption></figure>'
        )
    return [
        f"<h2>What the hardware said</h2><p>All {wrong} held-out images that it got wrong, in red, and "
        f"{len(images) - wrong} of the others.</p>",
        f'<div class="digits">{"".join(cells)}</div>',
    ]


def _layers(engine, words):
    layers = engine["layers"]
    dense, ours = sum(row["dense"] for row in layers), sum(row["cycles"] for row in layers)
    rows = [
        [
            row["name"],
            row["kind"],
            row["weights"],
            100 * row["zero_share"],
            row["dense"],
            row["cycles"],
            row["ideal"],
        ]
        for row in layers
    ]
    return [
        "<h3>Cycles of each layer</h3>",
        f"<p>{ours:,} cycles a {escape(words['unit'])}; an engine {escape(words['dense'])} would take at "
        f"least {dense:,}, "
        f"{dense / ours:.2f} times as many. {escape(words['ideal'])}</p>",
        plots.cycles(layers, engine["name"], words["unit"]),
        _table(["layer", "kind", "weights", f"{words['saved']}, %", "dense", "this engine", "ideal"], rows),
    ]


def _engine(engine, words):
    salt, parts = engine["name"], [f"<h2>{escape(engine['name'])}</h2>"]
    if "summary" in engine:
        parts.append(f"<p>{escape(engine['summary'])}</p>")
    if engine.get("layers"):
        parts += _layers(engine, words)
    if engine.get("resources"):
        parts += [
            "<h3>Resources, against what the device has</h3>",
            plots.resources(engine["resources"], salt),
        ]
    if "fmax_mhz" in engine:
        clock = engine.get("clock_mhz")
        speed = (
            [{"name": "clock", "used": round(clock, 2), "available": round(engine["fmax_mhz"], 2)}]
            if clock
            else []
        )
        parts.append(
            "<h3>Clock</h3><p>Place and route closes at "
            f"{engine['fmax_mhz']:.2f} MHz"
            + (f"; the board runs it at {clock:.2f} MHz" if clock else "")
            + ".</p>"
        )
        if speed:
            parts.append(plots.resources(speed, salt + "-clock"))
    if engine.get("memory"):
        parts += ["<h3>Where each bit of memory goes</h3>", plots.memory(engine["memory"], salt)]
    if engine.get("numbers"):
        parts += ["<h3>Exact numbers</h3>", _table(["", "value", "unit"], engine["numbers"])]
    return parts


def render(results):
    """The page as HTML text; see the head of this file for ``results``."""
    words, body = results["words"], [f"<h1>{escape(results['title'])}</h1>"]
    if "lead" in results:
        body.append(f'<p class="lead">{escape(results["lead"])}</p>')
    if results.get("figures"):
        body.append(
            '<div class="figures">'
            + "".join(
                f"<div><b>{escape(str(value))}</b><span>{escape(name)}</span></div>"
                for name, value in results["figures"]
            )
            + "</div>"
        )
    if results.get("training"):
        body += report_training.sections(results["training"], _table)
    if results.get("accuracy"):
        body += _accuracy(results)
    first = next((engine for engine in results.get("engines", []) if engine.get("layers")), None)
    if first:
        body += [
            f"<h2>{escape(words['saved'].capitalize())}</h2><p>{escape(words['zeros'])}</p>",
            plots.zero_shares(first["layers"], words["zero"], words["are"]),
        ]
    if results.get("images"):
        body += _images(results["images"])
    for engine in results.get("engines", []):
        body += _engine(engine, words)
    if results.get("numbers"):
        body += ["<h2>All numbers</h2>", _table(["", "value", "unit"], results["numbers"])]
    if results.get("versions"):
        made = ", ".join(f"{name} {version}" for name, version in sorted(results["versions"].items()))
        body.append(f'<p class="note">Made with {escape(made)}.</p>')
    return (
        "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport "
        f'content="width=device-width, initial-scale=1"><title>{escape(results["title"])}</title>'
        f"<style>{STYLE}</style></head><body><main>\n" + "\n".join(body) + "\n</main></body></html>\n"
    )
