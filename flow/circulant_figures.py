"""What a program of the circulant engine costs: cycles of each product, bits of each memory."""

import numpy as np
from shiftwork.golden.circulant.cells import Lstm
from shiftwork.golden.circulant.integer_network import plans
from shiftwork.golden.circulant.program import Memory
from shiftwork.golden.circulant.resources import lane_multipliers, memories
from shiftwork.golden.circulant.timing import predict

__all__ = ["about_layers", "figures", "layer_cycles", "memory_use"]

_STORED = {"weights": Memory.WEIGHTS, "rows": Memory.ROWS, "phases": Memory.PHASES,
           "coefficients": Memory.COEFFICIENTS}


def about_layers(network):
    """Of each layer: name, kind, weights of its matrices if they were dense, numbers stored, products."""
    found = []
    for number, layer in enumerate(network.layers):
        cell, products = layer.cell, []
        for plan in plans(cell):
            rows, arrays = len(plan.gates), [part for _, part in plan.columns]
            products.append({"name": " ".join(plan.gates), "weights": sum(
                rows * int(np.prod(cell.shapes[part][1:])) for part in arrays)})
        stored = sum(network.arrays[f"layer{number}.forward.{part}"].size
                     for part in ("input", "recurrent", "projection") if part in cell.shapes)
        found.append({"name": f"layer{number}", "kind": "LSTM" if isinstance(cell, Lstm) else "GRU",
                      "weights": sum(product["weights"] for product in products), "stored": stored,
                      "products": products})
    return found


def layer_cycles(program, x):
    """Of each product of a layer, for a step: cycles, those without a wait ("bound", "ideal"), and "dense".

    "dense": of an engine with as many multipliers in its lanes that multiplies by all weights of the dense
    matrices. A product ends with the last column that it issues, the last one with the step.
    """
    config, side = program.config, program.metadata["sequences"]
    _, phases, rows = program.parse()
    timing, at, row, begin, found, phase = predict(program), 0, 0, 0, [], 0
    for layer in program.metadata["layers"]:
        for product in layer["products"]:
            ideal = stored = 0
            for number in range(phase, phase + side):
                passes = -(-phases[number].rows // config.rows)
                at += passes
                ideal += passes * max(phases[number].columns, config.slots * config.rows)
                busy = sum(not one.idle for one in rows[row:row + phases[number].rows])
                stored = busy * phases[number].columns * config.block      # the same of each sequence
                row += phases[number].rows
            phase += side
            end = timing.step_cycles if phase == len(phases) else timing.passes[at - 1].last + 1
            found.append({
                "name": f"{layer['name']} {product['name']}", "kind": layer["kind"],
                "weights": product["weights"], "zero_share": 1 - stored / product["weights"],
                "cycles": end - begin, "bound": ideal, "ideal": ideal,
                "dense": -(-product["weights"] * side // lane_multipliers(config))})
            begin = end
    return found


def figures(program, layers):
    """(rows of exact numbers, a sentence) for the report, of `layer_cycles`' rows ``layers``."""
    config, side, size = program.config, program.metadata["sequences"], 4 * len(program.to_words())
    step, ideal = sum(row["cycles"] for row in layers), sum(row["ideal"] for row in layers)
    return [
        ["complex lanes", config.lanes, ""],
        ["block size", config.block, ""],
        ["sequences side by side", side, ""],
        ["program", size, "bytes"],
        ["cycles of a step", step, "cycles"],
        ["without a wait", ideal, "cycles"],
        ["ratio of the two", step / ideal, ""],
    ], (
        f"{config.lanes} complex lanes, {config.rows} rows of blocks of {config.block} at a time, weights "
        f"and layers in a program of {size:,} bytes that is loaded at run time."
    )


def memory_use(program):
    """Bits of each memory, and what ``program`` takes of them."""
    config = program.config
    header, phases, rows = program.parse()
    half, taken = config.spectrum_depth // 2, set()
    for base, count, alternate in (
        (header.input_base, header.input_blocks, True),
        *((segment.base, segment.count, segment.alternate) for phase in phases for segment in phase.segments),
        *((row.target, 1, row.alternate) for row in rows if row.to_vector),
    ):
        for address in range(base, base + count):
            taken |= {address, address ^ half} if alternate else {address}
    states = config.slots * (1 + max(row.state for row in rows))
    words = {name: len(program.image(memory)) for name, memory in _STORED.items()}
    words |= {"spectra": len(taken), "states": states, "scratch 0": states, "scratch 1": states,
              "output": min(config.output_depth, header.output_beats)}
    return [{"name": name, "bits": depth * width, "used": words[name] * width}
            for name, (depth, width) in memories(config).items()]
