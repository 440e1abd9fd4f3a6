"""What a program of the SmartExchange engine costs: cycles of each layer, bits of each memory."""

from shiftwork.golden.smartexchange.descriptor import Descriptor
from shiftwork.golden.smartexchange.interpreter import Machine
from shiftwork.golden.smartexchange.program import Memory
from shiftwork.golden.smartexchange.timing import predict

from .array_figures import dense_cycles, descriptors, row_memory, table_words

__all__ = ["layer_cycles", "memory_use"]


def layer_cycles(program, x):
    """Of each layer, for one batch ``x``: cycles, the bound max(work, drain), the cycles of a dense engine
    with as many lanes, and the ideal, one cycle for each coefficient and column that is not zero.

    ``work`` are the items that all lanes take, ``drain`` the vectors of lanes that are combined.
    """
    machine, config = Machine(program.config), program.config
    machine.load(program.to_words())
    machine.run(program.pack_input(x))
    rows = []
    for about, counted, cycles in zip(
        program.metadata["layers"], machine.statistics(program), predict(machine).layers[1:], strict=True
    ):
        rows.append(
            {
                "name": about["name"],
                "kind": about["kind"],
                "weights": about["weights"],
                "coefficients": about["coefficients"],
                "zero_share": 1 - about["non_zeros"] / about["coefficients"],
                "cycles": int(cycles),
                "work": counted.adds,
                "drain": counted.combines,
                "bound": max(counted.adds, counted.combines),
                "dense": int(dense_cycles(about, config)),
                "ideal": counted.adds * about["non_zeros"] // max(1, about["items"]),
            }
        )
    return rows


def memory_use(program):
    """Bits of each memory, those of all arrays together, and what ``program`` takes of them."""
    config, table = program.config, table_words(program)
    words = {section.memory: len(section.words) for section in program.sections}

    def memory(name, width, depth, used):
        return {"name": name, "bits": width * depth, "used": width * used}

    return [
        row_memory(config, descriptors(table, Descriptor)),
        memory("items", 32, config.item_depth // 2, words[Memory.ITEMS]),
        memory("bases", config.basis_width, config.basis_depth, words[Memory.BASIS]),
        memory("table", config.table_width, config.table_depth, len(table)),
    ]
