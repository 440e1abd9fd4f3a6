"""What training costs: cycles of each layer's products, words of each memory, engines that just suffice."""

from dataclasses import replace

import numpy as np
from shiftwork.golden.common.layers import conv_geometry, patches
from shiftwork.golden.training.engine_config import (
    PLANES,
    SLOT_WORDS,
    SUM_BITS,
    TILE_SUM_BITS,
    EngineConfig,
)
from shiftwork.golden.training.isa import INSTRUCTION_BITS, WORD_BITS
from shiftwork.golden.training.program import MAP_BITS
from shiftwork.golden.training.tile_cost import layer_steps

__all__ = ["about_layers", "figures", "fitted", "full_maps", "layer_cycles", "memory_use", "needs"]

_ROOMY = 65536
_QUADRANTS = 4

_LENGTH_BITS, _WINNER_BITS = 5, 2


def needs(plan):
    """{depth of EngineConfig: words that a Plan takes}, without program and data."""
    fields, last = plan.fields, plan.fields[-1]
    errors = max(layer["out_blocks"] * layer["error_slots"] for layer in fields)
    return {
        "left_slots": plan.weight_tiles + errors,
        "right_slots": last["right_error"] + errors,
        "maps": plan.maps,
        "z_depth": last["z_base"] + 2 * last["out_blocks"] * last["z_half"],
        "error_depth": max(2 * layer["out_blocks"] * layer["error_half"] for layer in fields),
        "winner_depth": sum(2 * layer["out_blocks"] * layer["error_half"] * layer["pooled"]
                            for layer in fields),
        "weight_depth": plan.weight_tiles * 2 * plan.config.block,
    }


def fitted(prepared, side=8):
    """The engine (EngineConfig) of ``side`` whose memories are the least powers of two for a Prepared."""
    names = ("left_slots", "right_slots", "maps", "z_depth", "error_depth", "winner_depth", "weight_depth",
             "program_depth", "data_depth")
    roomy = EngineConfig(side=side, **dict.fromkeys(names, _ROOMY))
    program = prepared.program(roomy)
    found = needs(program.packets.plan) | {"program_depth": program.metadata["instructions"],
                                           "data_depth": program.metadata["data"]}
    return replace(roomy, **{name: max(16, 1 << (count - 1).bit_length()) for name, count in found.items()})


def full_maps(plan, width=8):
    """`Packets.parse_maps`' widths with ``width`` bits throughout."""
    return {layer.node.name: {
        "x": np.full((f["in_blocks"], f["in_pixels"]), width),
        "weight": np.full((f["out_blocks"], f["in_blocks"], f["taps"]), width),
        "error": np.full((f["out_blocks"], f["out_pixels"]), width),
    } for layer, f in zip(plan.layers, plan.fields, strict=True)}


def _pairs(layer):
    """Output pixels and taps that meet outside of the padding."""
    inside = np.ones((1, *layer.in_map, 1), np.int64)
    return int(patches(inside, layer.weight[2:], *conv_geometry(layer.node)).sum())


def layer_cycles(program, maps=None):
    """Of each layer, for a step: cycles of its products with tiles' widths ``maps``, or those it begins with.

    "dense": with 8 bits throughout; "ideal": its multiplications alone, none for what fills tiles up, on as
    many 8 by 8 multipliers; "multiplications" is their number. The first layer has no input's gradient.
    """
    plan, rows = program.packets.plan, []
    maps = maps or full_maps(plan, program.metadata["width"])
    for n, (layer, fields) in enumerate(zip(plan.layers, plan.fields, strict=True)):
        widths = maps[layer.node.name]
        steps, tiles = layer_steps(
            layer.node, widths["x"].reshape(-1, *layer.in_map), widths["weight"].transpose(0, 2, 1),
            widths["error"].reshape(-1, *layer.out_map), layer.weight[2:])
        products = ("forward", "weight gradient", "input gradient")[:2 + (n > 0)]
        cycles = _QUADRANTS * plan.groups * sum(steps[product] for product in products)
        dense = _QUADRANTS * plan.groups * tiles * PLANES ** 2 * len(products)
        filters, channels, *_ = layer.weight
        useful = filters * channels * _pairs(layer) * plan.batch * len(products)
        rows.append({
            "name": layer.node.name, "kind": layer.node.op_type, "weights": int(np.prod(layer.weight)),
            "zero_share": 1 - cycles / dense, "dense": int(dense), "cycles": int(cycles),
            "bound": int(cycles), "ideal": -(-useful // program.config.multipliers),
            "multiplications": useful, "taps": fields["taps"],
        })
    return rows


def about_layers(program):
    """Rows of the layers for a manifest."""
    return [{name: row[name] for name in ("name", "kind", "weights", "zero_share", "multiplications")}
            for row in layer_cycles(program)]


def figures(program, layers):
    """(rows of exact numbers, a sentence) for the report, of `layer_cycles`' rows ``layers``."""
    config, meta, size = program.config, program.metadata, 4 * len(program.to_words())
    cycles, useful = (sum(row[name] for row in layers) for name in ("cycles", "multiplications"))
    return [
        ["multipliers of 8 by 8 bits", config.multipliers, ""],
        ["images of a batch", meta["batch"], ""],
        ["program", size, "bytes"],
        ["instructions", meta["instructions"], ""],
        ["multiplications of a step", useful, ""],
        ["cycles of a step's products", cycles, "cycles"],
        ["multiplications a cycle", useful / cycles, ""],
    ], (
        f"{config.lanes} lanes, {config.multipliers} multiplications of 8 by 8 bits a cycle; forward pass, "
        f"backward pass and update in a program of {size:,} bytes that is loaded at run time, with "
        f"the network's first parameters."
    )


def memory_use(program):
    """Bits of each memory, and what ``program`` takes of them."""
    config, plan = program.config, program.packets.plan
    count = needs(plan) | {"program_depth": program.metadata["instructions"],
                           "data_depth": program.metadata["data"]}
    slot, side = 2 * SLOT_WORDS * config.bank_width, config.side
    widths = (("weights and errors", "left_slots", slot), ("activations and errors", "right_slots", slot),
              ("products", "z_depth", config.z_word), ("wide errors", "error_depth", side * SUM_BITS),
              ("winners", "winner_depth", side * _WINNER_BITS),
              ("stored weights", "weight_depth", config.weight_word),
              ("gradients", "weight_depth", side * SUM_BITS),
              ("maps, lengths and sums", "maps", MAP_BITS + _LENGTH_BITS + 2 * TILE_SUM_BITS),
              ("program", "program_depth", INSTRUCTION_BITS), ("data", "data_depth", WORD_BITS))
    return [{"name": name, "bits": getattr(config, depth) * width, "used": count[depth] * width}
            for name, depth, width in widths]
