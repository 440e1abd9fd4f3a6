"""The part of a report that a training fills; `report.render` calls it.

    {"lead", "loss", "accuracy": {"float", "golden", "hardware": [[step, value]]},
     "table": {"head", "rows"}, "widths": {"steps", "tensors"}, "units": [[name, share]]}

"widths" and "units" may be missing.
"""

from html import escape

from . import plots_training as plots

__all__ = ["sections"]


def sections(training, table):
    """HTML of the results ``training``; ``table(head, rows)`` makes that of a table."""
    parts = [
        "<h2>Training</h2>",
        f"<p>{escape(training['lead'])}</p>",
        plots.curves("Loss", training["loss"], "mean of 1 - the label's probability", "loss"),
        plots.curves("Held-out accuracy, percent", training["accuracy"],
                     "percent of images that were held out", "accuracy"),
        table(training["table"]["head"], training["table"]["rows"]),
    ]
    if training.get("widths"):
        parts += [
            "<h2>Bits of each tile</h2><p>Each operand of a product is cut into tiles of 16 by 16 numbers. "
            "The engine measures each tile's greatest number and how much it matters to the loss, and gives "
            "it 2, 4, 6 or 8 bits; this is the map as the hardware had it after each step.</p>",
            plots.widths(training["widths"]),
        ]
    if training.get("units"):
        parts += [
            "<h2>Who works when</h2><p>Cycles in which each unit is busy, counted by the hardware; the "
            "controller's are those in which no unit works.</p>",
            plots.units(training["units"]),
        ]
    return parts
