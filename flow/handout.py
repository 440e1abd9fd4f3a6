"""The page of a build folder for whoever instantiates the core: ports, registers, an instantiation to copy.
"""

__all__ = ["instantiation"]


def _range(width):
    return f"[{width - 1}:0] " if width > 1 else ""


def _table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows]


def instantiation(top, ports, registers):
    """Markdown on the module ``top``, from the rows of its ports and registers (see `engines`)."""
    width = max(len(port["name"]) for port in ports)
    nets = [f"wire {_range(port['width']):8}{port['name']};" for port in ports]
    pins = [f"    .{port['name']:{width}} ({port['name']})" for port in ports]
    return "\n".join(
        [
            f"# {top}",
            "",
            "All inputs and outputs are synchronous to the rising edge of `clk`; `rst` is a synchronous "
            "reset, active high.",
            f"The source is `rtl/{top}.v`, the only file that synthesis needs; `shiftwork verify` on this "
            "folder runs its bench.",
            "",
            "## Instantiation",
            "",
            "```verilog",
            *nets,
            "",
            f"{top} core (",
            ",\n".join(pins),
            ");",
            "```",
            "",
            "## Ports",
            "",
            *_table(
                ("port", "direction", "bits"), [(f"`{p['name']}`", p["direction"], p["width"]) for p in ports]
            ),
            "",
            "## Registers (AXI4-Lite)",
            "",
            *_table(
                ("address", "name", "access", "meaning"), [(f"0x{a:02X}", *rest) for a, *rest in registers]
            ),
            "",
        ]
    )
