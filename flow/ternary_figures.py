"""What a program of the ternary engine costs: cycles of each layer, bits of each memory."""

from shiftwork.golden.ternary.descriptor import Descriptor, Destination, Kind
from shiftwork.golden.ternary.interpreter import Machine
from shiftwork.golden.ternary.program import Memory
from shiftwork.golden.ternary.timing import predict

from .array_figures import dense_cycles, descriptors, row_memory, table_words

__all__ = ["layer_cycles", "memory_use"]


def layer_cycles(program, x):
    """Of each layer, for one batch ``x``: cycles, the bound max(work, drain), the same bound of an engine
    with as many lanes and as wide a drain that does not skip zeros ("dense"), the ideal.
    """
    machine, config = Machine(program.config), program.config
    machine.load(program.to_words())
    machine.run(program.pack_input(x))
    rows = []
    for about, counted, cycles in zip(
        program.metadata["layers"], machine.statistics(program), predict(machine).layers[1:], strict=True
    ):
        positions, weights = about["positions"], about["weights"]
        dense = dense_cycles(about, config)
        rows.append(
            {
                "name": about["name"],
                "kind": about["kind"],
                "weights": weights,
                "zero_share": 1 - about["non_zeros"] / weights,
                "cycles": int(cycles),
                "work": counted.work,
                "drain": counted.drain,
                "bound": max(counted.work, counted.drain),
                "dense": int(max(dense, counted.drain)),
                "ideal": int(-(-about["non_zeros"] * positions // config.all_lanes)),
            }
        )
    return rows


def memory_use(program):
    """Bits of each memory, those of all arrays together, and what ``program`` takes of them."""
    config, sections = program.config, {section.memory: section for section in program.sections}
    table = table_words(program)
    layers, vector = descriptors(table, Descriptor), set()
    for d in layers:
        if d.destination is Destination.VECTOR:
            dense = d.m_count * -(-d.outputs // config.scatter_width) * config.scatter_width
            size = dense if d.kind is Kind.DENSE else d.m_count * d.i_count * d.j_count * config.lanes
            vector.update(range(d.out_base, d.out_base + -(-size // config.drain_width)))
    word, vector_word = 2 * config.word_width, config.arrays * config.activation_width * config.drain_width
    return [
        row_memory(config, layers),
        {
            "name": "weight memory",
            "bits": word * config.weight_depth,
            "used": word * len(sections[Memory.WEIGHTS].words),
        },
        {
            "name": "table",
            "bits": config.table_width * config.table_depth,
            "used": config.table_width * len(table),
        },
        {
            "name": "vector memory",
            "bits": vector_word * config.vector_depth,
            "used": vector_word * len(vector),
        },
    ]
