"""What engines of column arrays have in common, for the flow; `engines` says what each name must be."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from shiftwork.golden.circulant.files import is_recurrent
from shiftwork.golden.common.activations import input_range
from shiftwork.golden.common.network import Network, calibrate
from shiftwork.golden.common.network_file import read_file

from .engines import Results
from .errors import FlowError
from .inputs import as_images
from .program_engine import PROGRAM_FILES, ProgramEngine
from .program_engine import registers as _registers

__all__ = ["ArrayEngine", "NETWORK", "PROGRAM_FILES", "calibrated", "describe", "read", "registers"]

NETWORK = Network


def read(path):
    """The Network in the file ``path``; raises FlowError for a recurrent one."""
    file = read_file(path)
    if is_recurrent(file):
        raise FlowError(
            f"Network {path} must be without LSTM and GRU, which --engine circulant runs, not with"
        )
    return Network(**file)


def registers(program, depths):
    """Rows (address, name, access, meaning) of an engine that runs ``program``, a class of ArrayProgram.

    ``depths`` say what DEPTH_ROWS, DEPTH_WEIGHTS, DEPTH_TABLE and DEPTH_VECTOR are.
    """
    return _registers(
        program,
        lanes="bits 15:0 lanes, 23:16 grid_rows, 31:24 grid_columns",
        widths="bits 7:0 drain_width, 15:8 scatter_width, 23:16 acc_width, 31:24 scale_width",
        depths=depths,
        arrays="column arrays",
    )


def calibrated(network, x):
    """``network`` with its activations' ranges measured on the images ``x`` that people bring; None: as it
    is.
    """
    return network if x is None else calibrate(network, as_images(x, network.input_shape).astype(np.float32))


@dataclass(frozen=True)
class ArrayEngine(ProgramEngine):
    """An engine's parts, and from them what the flow does with its programs; ``program``: an ArrayProgram."""

    keys: tuple[str, ...] = ("images", "input_shape", "output_shape", "layers")
    machine: type = field(kw_only=True)      #: the interpreter
    predict: Callable = field(kw_only=True)  #: (machine) -> Timing of its last batch

    @staticmethod
    def random_input(program, count, rng):
        """``count`` random inputs, integers over the whole range."""
        low, high = input_range(program.metadata["input_signed"], program.metadata["input_bits"])
        return rng.integers(low, high + 1, (count, *program.metadata["input_shape"]))

    @staticmethod
    def quantize(program, x):
        """Integers of float inputs: clip(round_half_even(x / input_scale)) in the first layer's range."""
        low, high = input_range(program.metadata["input_signed"], program.metadata["input_bits"])
        scaled = np.asarray(x, np.float64) / program.metadata["input_scale"]
        return np.clip(np.rint(scaled), low, high).astype(np.int64)

    def inputs(self, program, x):
        """Inputs that people bring as the engine reads them: floats are quantized, integers stay.

        Raises FlowError for another shape, and for integers out of range.
        """
        x = as_images(np.asarray(x), program.metadata["input_shape"])
        if x.dtype.kind == "f":
            return self.quantize(program, x)
        low, high = input_range(program.metadata["input_signed"], program.metadata["input_bits"])
        if x.min() < low or x.max() > high:
            raise FlowError(f"Input of integers must be within {low} .. {high}, not {x.min()} .. {x.max()}")
        return x.astype(np.int64)

    @staticmethod
    def classes(program, values, integer):
        """Of each output the place of its greatest value."""
        return values.argmax(axis=1)

    @staticmethod
    def figures(program, layers):
        """(rows of exact numbers, a sentence) for the report, of `layer_cycles`' rows ``layers``."""
        images, lanes = program.metadata["images"], program.config.all_lanes
        size = 4 * len(program.to_words())
        bound, run = sum(row["bound"] for row in layers), sum(row["cycles"] for row in layers)
        return [
            ["lanes", lanes, ""],
            ["images of a batch", images, ""],
            ["program", size, "bytes"],
            ["cycles of the layers, first batch", run, "cycles"],
            ["sum of max(work, drain) over layers", bound, "cycles"],
            ["ratio of the two", run / bound, ""],
            ["cycles of the layers, for an image", run / images, "cycles"],
        ], (
            f"{lanes} lanes, {images} image{'s' if images > 1 else ''} at a time, weights "
            f"and layers in a program of {size:,} bytes that is loaded at run time."
        )

    def golden(self, program, x, progress=lambda done, all_: None):
        """Results of the golden model, the interpreter of the program's words."""
        _, values, load_cycles, run_cycles = self._model(program, x, progress)
        return Results(_values(program, values, len(x)), load_cycles, run_cycles)

    def simulate(self, program, x, rtl, folder, progress=lambda done, all_: None, stage=None):
        """Results of the Verilog file or text ``rtl``, compiled in ``folder``."""
        from shiftwork.sim.compiled import CompiledSimulator

        simulator = CompiledSimulator(rtl, folder, self.top, progress=stage, magic=self.program.MAGIC)
        output = simulator.run(program.to_words(), _batches(program, x), progress=progress)
        return Results(
            _values(program, output.values, len(x)),
            output.load_cycles,
            output.run_cycles,
            output.cycles_per_second,
        )

    def verify(self, rtl, program, x, folder, simulator=None):
        """The bench on the Verilog text ``rtl``, golden beside it; see `shiftwork.sim.verify.verify`."""
        from shiftwork.sim import verify as bench

        packets, expected, load_cycles, run_cycles = self._model(program, x)
        return bench.verify(
            rtl,
            program.config,
            program.to_words(),
            packets,
            expected,
            folder,
            simulator,
            load_cycles=load_cycles,
            run_cycles=run_cycles,
        )

    def _model(self, program, x, progress=lambda done, all_: None):
        """Input packets, what the interpreter yields for each, and predicted cycles of each."""
        machine = self.machine(program.config)
        machine.load(program.to_words())
        packets, values, cycles = _batches(program, x), [], []
        for n, packet in enumerate(packets):
            values.append(machine.run(packet).reshape(-1))
            cycles.append(self.predict(machine))
            progress(n + 1, len(packets))
        return (
            packets,
            np.array(values),
            np.array([c.load_cycles for c in cycles]),
            np.array([c.run_cycles for c in cycles]),
        )


def describe(program, memory):
    """What the manifest says of a network; ``memory``: what it takes of each."""
    meta = program.metadata
    layers = [
        {**about, "zero_share": 1 - about["non_zeros"] / about.get("coefficients", about["weights"])}
        for about in meta["layers"]
    ]
    return {
        "input_shape": meta["input_shape"],
        "input_scale": meta["input_scale"],
        "input_signed": meta["input_signed"],
        "output_shape": meta["output_shape"],
        "output_scale": meta["output_scale"],
        "images_of_a_batch": meta["images"],
        "layers": layers,
        "memory": memory,
    }


def _batches(program, x):
    """Packets of the input stream, uint8 (batches, beats, drain_width)."""
    images = program.metadata["images"]
    return np.array([program.pack_input(x[n : n + images]) for n in range(0, len(x), images)])


def _values(program, batches, count):
    """Outputs (count, ...) of what the output stream yielded for each batch."""
    return np.concatenate([program.unpack_output(values) for values in batches])[:count]
