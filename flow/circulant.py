"""The circulant engine as the flow sees it; see `engines` for what each name must be.

Inputs are sequences (n, steps, entries), outputs (n, steps, outputs), those of the last layer. A batch is
what one start takes: as many sequences as the program has side by side.
"""

from dataclasses import dataclass, replace

import numpy as np
from shiftwork.golden.circulant import encode as encoder
from shiftwork.golden.circulant.config import PRESETS
from shiftwork.golden.circulant.files import is_recurrent, of_file
from shiftwork.golden.circulant.interpreter import Machine
from shiftwork.golden.circulant.lower import lower, ranges, to_integers
from shiftwork.golden.circulant.matrix import project
from shiftwork.golden.circulant.network import RecurrentNetwork, Sequences
from shiftwork.golden.circulant.program import Program
from shiftwork.golden.circulant.quantize import exponent
from shiftwork.golden.circulant.timing import predict
from shiftwork.golden.common.network_file import read_file

from .circulant_figures import about_layers, figures, layer_cycles, memory_use
from .circulant_selftest import selftest_network
from .engines import Results, Words
from .errors import FlowError
from .inputs import as_sequences
from .program_engine import PROGRAM_FILES, ProgramEngine, registers

__all__ = [
    "TITLE",
    "WORDS",
    "TOP",
    "PRESETS",
    "DEFAULT",
    "REGISTERS",
    "PROGRAM_FILES",
    "NETWORK",
    "Prepared",
    "read",
    "verilog",
    "component",
    "ports",
    "compress",
    "encode",
    "selftest",
    "save",
    "load",
    "describe",
    "random_input",
    "quantize",
    "inputs",
    "classes",
    "logits",
    "figures",
    "golden",
    "simulate",
    "verify",
    "layer_cycles",
    "memory_use",
    "train_digits",
]

TITLE = "recurrent networks of block-circulant matrices, multiplied in the frequency domain"
WORDS = Words(
    name="circulant",
    weights="blocks of circulant matrices",
    zeros="Of a block of k x k weights k numbers are stored, and its product takes about 3 k / 2 "
    "multiplications of its spectrum instead of k x k.",
    zero="weights",
    dense="that multiplies by every weight of the dense matrices, with as many multipliers in its lanes,",
    ideal="The ideal is every row's columns one behind the other, and no wait for what they need.",
    saved="not stored",
    are="not stored",
    unit="step",
)
DEFAULT = "default"
NETWORK = RecurrentNetwork
REGISTERS = registers(
    Program,
    lanes="bits 15:0 complex lanes, 23:16 rows, 31:24 block",
    widths="bits 7:0 vector_width, 15:8 weight_width, 23:16 acc_width, 31:24 sum_width",
    depths=("spectrum_depth", "weight_depth", "row_depth", "state_depth"),
    arrays="1",
)

_ENGINE = ProgramEngine(
    "Circulant",
    Program,
    ("sequences", "inputs", "outputs", "output_blocks", "input_exponent", "output_exponent", "layers",
     "images", "input_scale", "output_scale"),
)
TOP, verilog, component = _ENGINE.top, _ENGINE.verilog, _ENGINE.component
ports, save, load = _ENGINE.ports, _ENGINE.save, _ENGINE.load

STEPS = 3
"""Steps of random sequences."""

_HEAD_BITS = 12
"""Of the head's weights, which the host multiplies by."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """A network on its way to integers, which depend on the engine's block size and widths.

    Matrices of ``network`` are dense or block-circulant. On ``typical`` sequences the greatest magnitudes of
    its vectors are measured.
    """

    network: RecurrentNetwork
    typical: Sequences


def read(path):
    """The RecurrentNetwork in the file ``path``; raises FlowError for another kind of network."""
    file = read_file(path)
    if not is_recurrent(file):
        raise FlowError(f"Network {path} must have an LSTM or a GRU, not only "
                        f"{', '.join(sorted({node.op_type for node in file['nodes']}))}")
    return of_file(file)


def compress(network, x):
    """The network with its typical sequences ``x`` (n, steps, entries), Prepared."""
    if x is None:
        raise FlowError("Range of the input must be measured (--calibrate X.npy, typical sequences), "
                        "not left open")
    x = as_sequences(x, network.layers[0].cell.inputs).astype(np.float32)
    return Prepared(network=network, typical=Sequences(x, np.full(len(x), x.shape[1])))


def selftest(config):
    """A small network, Prepared, that fits an engine of ``config``."""
    def fits(network, typical):
        prepared = Prepared(network=network, typical=typical)
        encode(prepared, config)
        return prepared

    return selftest_network(config, fits)


def encode(prepared, config):
    """The Program of a Prepared network: dense matrices projected, without training, and all rounded.

    Raises ValueError where it does not fit the engine.
    """
    network = prepared.network
    columns = {name: project(network.arrays[name], config.block) for name in network.matrices
               if network.arrays[name].ndim == 3}
    network = replace(network, arrays=network.arrays | columns)
    most, *outputs = ranges(network, prepared.typical)
    program = encoder.encode(lower(network, config, input_range=most, output_ranges=outputs), config)
    meta = program.metadata
    about = about_layers(network)
    layers = [{**places, **more} for places, more in zip(meta["layers"], about, strict=True)]
    return replace(program, metadata=meta | {
        "layers": layers, "images": meta["sequences"], "input_scale": 2.0 ** meta["input_exponent"],
        "output_scale": 2.0 ** meta["output_exponent"]})


def describe(integer, program):
    """Shapes, scales and layers of a network, and what it takes of the memories."""
    meta = program.metadata
    layers = [{**about, "zero_share": 1 - about["stored"] / about["weights"]} for about in meta["layers"]]
    return {
        "input_shape": ["steps", meta["inputs"]],
        "input_scale": meta["input_scale"],
        "input_signed": True,
        "output_shape": ["steps", meta["outputs"]],
        "output_scale": meta["output_scale"],
        "images_of_a_batch": meta["images"],
        "layers": layers,
        "memory": memory_use(program),
    }


def random_input(program, count, rng):
    """``count`` random sequences, integers over the whole range."""
    limit = 1 << program.config.vector_width - 1
    return rng.integers(-limit, limit, (count, STEPS, program.metadata["inputs"]))


def quantize(program, x):
    """Integers of float sequences: x / input_scale, ties to even, limited to the vectors' bits."""
    return to_integers(np.asarray(x, np.float64), program.metadata["input_exponent"],
                       program.config.vector_width)


def inputs(program, x):
    """Sequences that people bring as the engine reads them: floats are quantized, integers stay.

    Raises FlowError for another shape, and for integers out of range.
    """
    x = as_sequences(np.asarray(x), program.metadata["inputs"])
    if x.dtype.kind == "f":
        return quantize(program, x)
    limit = 1 << program.config.vector_width - 1
    if x.min() < -limit or x.max() >= limit:
        raise FlowError(f"Input of integers must be within {-limit} .. {limit - 1}, "
                        f"not {x.min()} .. {x.max()}")
    return x.astype(np.int64)


def logits(program, values, network):
    """The head, as the host computes it: integers (n, classes) of outputs ``values`` (n, steps, outputs).

    Its weights have 12 bits; its bias is in units of the products.
    """
    weight, bias = (network.arrays[f"head.{part}"].astype(np.float64) for part in ("weight", "bias"))
    unit = exponent(weight, _HEAD_BITS)
    seen, steps = (values[:, -1], 1) if network.head == "last" else (values.sum(axis=1), values.shape[1])
    added = np.rint(steps * np.ldexp(bias, -unit - program.metadata["output_exponent"])).astype(np.int64)
    return seen @ to_integers(weight, unit, _HEAD_BITS).T + added


def classes(program, values, integer):
    """The class that the host's head names of each sequence; ``integer``: the Prepared network."""
    return logits(program, values, integer.network).argmax(axis=1)


def _packets(program, x):
    """Input packets of ``x``; the last one's sequences are filled up with zeros."""
    side = program.metadata["sequences"]
    x = np.concatenate([x, np.zeros((-len(x) % side, *x.shape[1:]), x.dtype)])
    return [program.pack_input(x[n : n + side]) for n in range(0, len(x), side)]


def _values(program, outputs, count):
    """Outputs (count, steps, outputs) of what the output stream yielded for each batch."""
    return np.concatenate([program.unpack_output(np.reshape(beats, (-1, 2))) for beats in outputs])[:count]


def golden(program, x, progress=lambda done, all_: None):
    """Results of the golden model, the interpreter of the program's words."""
    machine, packets, outputs = Machine(program.config), _packets(program, x), []
    machine.load(program.to_words())
    for n, packet in enumerate(packets):
        outputs.append(machine.run(packet))
        progress(n + 1, len(packets))
    run = np.full(len(packets), x.shape[1] * predict(program).step_cycles)
    return Results(_values(program, outputs, len(x)), None, run)


def simulate(program, x, rtl, folder, progress=lambda done, all_: None, stage=None):
    """Results of the Verilog file or text ``rtl``, compiled in ``folder``."""
    from shiftwork.sim.compiled import CompiledSimulator

    simulator = CompiledSimulator(rtl, folder, TOP, progress=stage, magic=Program.MAGIC)
    output = simulator.run(program.to_words(), _packets(program, x), progress=progress)
    return Results(_values(program, output.values, len(x)), output.load_cycles, output.run_cycles,
                   output.cycles_per_second)


def verify(rtl, program, x, folder, simulator=None):
    """The bench on the Verilog text ``rtl``, golden beside it; see `shiftwork.sim.verify.verify`.

    Sequences are cut to different lengths: the first of them stays whole, and one has a single step.
    """
    from shiftwork.sim import verify as bench

    header, *_ = program.parse()
    beats, steps = header.input_blocks * program.config.slots, x.shape[1]
    lengths = [steps - n % steps for n in range(-(-len(x) // program.metadata["sequences"]))]
    packets = [packet[: beats * length] for packet, length in zip(_packets(program, x), lengths, strict=True)]
    machine = Machine(program.config)
    machine.load(program.to_words())
    return bench.verify(
        rtl, program.config, program.to_words(), packets, [machine.run(one).reshape(-1) for one in packets],
        folder, simulator, run_cycles=np.array(lengths) * predict(program).step_cycles,
        step=(beats, 2 * header.output_beats))


@dataclass(frozen=True, kw_only=True, eq=False)
class Demonstrated:
    """A trained network of the demo; accuracies are those on the held-out part."""

    integer: Prepared
    accuracy: float                 #: of the float network
    compressed_accuracy: float      #: with blocks, rounded
    rate: float                     #: bits of dense float weights by those of the blocks' numbers


def train_digits(seed, progress=None):
    """The trained network of the demo, in blocks of the board's engine: `recipes_circulant.train_rows`."""
    from .recipes_circulant import rows_of_digits, train_rows

    config, data = PRESETS["ulx3s-85f"], rows_of_digits()
    found = train_rows(seed, progress, data=data, sizes=(config.block,))
    compressed = found.compressed[config.block]
    return Demonstrated(
        integer=Prepared(network=compressed.network, typical=data.train),
        accuracy=found.accuracy,
        compressed_accuracy=found.accuracies[config.block],
        rate=32 / config.weight_width * compressed.rate,
    )
