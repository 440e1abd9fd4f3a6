"""The command line, `shiftwork`: what each command takes, and its help."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from .engines import DEFAULT_ENGINE, ENGINES, engine
from .errors import EXPECTED_EXIT, reported
from .help import WithKeys, examples

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Compressed neural networks as verified hardware: `demo` shows the whole road; `generate` or "
    "`build` make a build folder that `run`, `verify`, `synth` and `report` take.",
)

_PRESET = typer.Option(help="Parameters to start from; generate --help lists them.", metavar="NAME")
_SET = typer.Option(
    "--set",
    help="One parameter, as KEY=VALUE; may be given again. generate --help lists the keys.",
    metavar="KEY=VALUE",
)
_OUT = typer.Option("-o", "--output", help="The build folder to make.", metavar="DIR", show_default=False)
_FOLDER = typer.Argument(help="A build folder.", metavar="DIR", show_default=False)


def _configured(name, preset, settings):
    from .setting import configure

    module = engine(name)
    return configure(module.PRESETS, preset or module.DEFAULT, settings or [])


@app.command(
    help="Trains, compresses, encodes, verifies, places and routes a network, and writes a report.\n\n"
    "It is the same road for each engine: a float network is trained and then retrained with weights as the "
    "engine has them, its Verilog runs 500 held-out images with the golden model beside it, and each board "
    "that the engine fits gets a bitstream. digits-rnn reads the images as sequences of rows. train is of "
    "another kind: the hardware itself trains the network, and its parameters are compared with the golden "
    "model's.\n\n"
    + examples(
        "shiftwork demo",
        "shiftwork demo digits --engine smartexchange",
        "shiftwork demo digits-rnn",
        "shiftwork demo train",
        "shiftwork demo train --full",
        "shiftwork demo digits --quick",
        "shiftwork demo -o /tmp/digits",
    )
)
def demo(
    name: Annotated[
        str, typer.Argument(help="The demo: digits, digits-rnn or train.", metavar="NAME")
    ] = "digits",
    engine_name: Annotated[
        str,
        typer.Option(
            "--engine",
            help="The engine: of digits ternary or smartexchange, of digits-rnn circulant, of train "
            "training.",
            metavar="E",
        ),
    ] = None,
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            help="Where to write; without it build/NAME, or build/NAME-E of another engine than the first.",
            metavar="DIR",
        ),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="One seed, no synthesis and no bitstreams; of train, 8 steps in hardware."
        ),
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Of train: all epochs in hardware, compared after each step.")
    ] = False,
):
    from .demo import DEMOS, run
    from .errors import choose

    first, *_ = choose("Demo", name, DEMOS).engines
    engine_name = engine_name or first
    choose(f"Engine of the demo {name}", engine_name, DEMOS[name].engines)
    folder = name if engine_name == first else f"{name}-{engine_name}"
    raise typer.Exit(run(name, output or Path("build") / folder, engine_name, quick, full))


@app.command(
    cls=WithKeys,
    help="Writes an engine's Verilog with manifest, instantiation and a bench that passes.\n\n"
    + examples(
        "shiftwork generate ternary -o build/core",
        "shiftwork generate ternary --preset icebreaker --set row_depth=256 -o build/small",
    ),
)
def generate(
    name: Annotated[
        str, typer.Argument(help=f"The engine: {', '.join(ENGINES)}.", metavar="ENGINE", show_default=False)
    ],
    output: Annotated[Path, _OUT],
    preset: Annotated[str, _PRESET] = None,
    settings: Annotated[list[str], _SET] = None,
):
    from . import steps

    steps.generate(name, _configured(name, preset, settings), output)


@app.command(
    help="Compresses a network, encodes it as a program, and generates the engine that runs it.\n\n"
    "NETWORK.npz is a network as docs/network-format.md describes. Weights that are not ternary yet are "
    "made so by the TWN rule, dense matrices of a recurrent network become the nearest block-circulant ones, "
    "without retraining. Networks without ranges of their activations need --calibrate, recurrent ones "
    "always.\n\n"
    + examples(
        "shiftwork build net.npz --engine ternary --calibrate images.npy -o build/net",
        "shiftwork build rnn.npz --engine circulant --calibrate sequences.npy -o build/rnn",
        "shiftwork build net.npz --engine training --batch 32 --seed 0 -o build/learner",
        "shiftwork build net.npz --preset ulx3s-85f --set weight_depth=4096 -o build/net",
    )
)
def build(
    network: Annotated[Path, typer.Argument(help="The network.", metavar="NETWORK.npz", show_default=False)],
    output: Annotated[Path, _OUT],
    name: Annotated[
        str, typer.Option("--engine", help=f"The engine: {', '.join(ENGINES)}.", metavar="E")
    ] = DEFAULT_ENGINE,
    preset: Annotated[str, _PRESET] = None,
    settings: Annotated[list[str], _SET] = None,
    calibrate: Annotated[
        Path,
        typer.Option(
            help="Typical inputs, for the ranges of activations; the first of them become "
            "the folder's test vectors.",
            metavar="X.npy",
        ),
    ] = None,
    batch: Annotated[
        int, typer.Option(help="Of the training engine: images of a batch; without it a tile's.", metavar="N")
    ] = None,
    mode: Annotated[
        str,
        typer.Option(
            help="Of the training engine: wide (errors of 8 bits and a flag), fixed (8 bits) or dynamic (2 "
            "to 8 bits a tile, learned), which it is without it.",
            metavar="NAME",
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            help="Of the training engine: begin with random parameters instead of the file's.", metavar="N"
        ),
    ] = None,
):
    from . import steps

    options = {"batch": batch, "mode": mode, "seed": seed}
    given = {option: value for option, value in options.items() if value is not None}
    steps.build(network, name, _configured(name, preset, settings), output, calibrate, **given)


@app.command(
    help="Runs the folder's Verilog, compiled to machine code, on your inputs.\n\n"
    "X.npy holds any number of inputs, (n, channels, rows, columns) or (n, values), or sequences, (n, "
    "steps, values), whose outputs are (n, steps, outputs); floats are quantized with "
    "the network's input scale, integers go in as they are. Y.npy gets the integers that the hardware "
    "answered.\n\n"
    + examples(
        "shiftwork run build/net --input images.npy -o logits.npy",
        "shiftwork run build/net --input images.npy -o logits.npy --real --check",
    )
)
def run(
    folder: Annotated[Path, _FOLDER],
    inputs: Annotated[Path, typer.Option("--input", help="The inputs.", metavar="X.npy", show_default=False)],
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", help="Where to write the outputs.", metavar="Y.npy", show_default=False
        ),
    ],
    real: Annotated[
        bool, typer.Option("--real", help="Write outputs times the output scale, as floats.")
    ] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Compare every bit and cycle with the golden model; 1 is the exit code where they differ.",
        ),
    ] = False,
):
    from . import steps

    raise typer.Exit(steps.run(folder, inputs, output, real, check))


@app.command(
    help="Runs the bench on the folder's Verilog, with the golden model beside it.\n\n"
    + examples("shiftwork verify build/net", "shiftwork verify build/net --simulator compiled")
)
def verify(
    folder: Annotated[Path, _FOLDER],
    simulator: Annotated[
        str,
        typer.Option(
            help="verilator or icarus (cocotb), or compiled; without it whichever of the first two is there.",
            metavar="NAME",
        ),
    ] = None,
):
    from . import steps

    raise typer.Exit(steps.verify(folder, simulator))


@app.command(
    help="Synthesizes, places and routes the folder's engine, on boards to a bitstream.\n\n"
    "Targets ulx3s-85f and icebreaker are boards; ecp5-85k and ice40-up5k are the core alone, "
    "out of context.\n\n"
    + examples("shiftwork synth build/net --target ulx3s-85f", "shiftwork synth build/net --target ecp5-85k")
)
def synth(
    folder: Annotated[Path, _FOLDER],
    target: Annotated[
        str,
        typer.Option(
            help="ulx3s-85f, icebreaker, ecp5-85k or ice40-up5k.", metavar="NAME", show_default=False
        ),
    ],
):
    from . import steps

    steps.synth(folder, target)


@app.command(
    help="Writes DIR/report.html from what the steps before have found.\n\n"
    + examples("shiftwork report build/net")
)
def report(folder: Annotated[Path, _FOLDER]):
    from . import steps

    steps.report(folder)


@app.command(
    help="Measures an engine: cycles, resources, clock, accuracy; each beside what it must be.\n\n"
    + examples("shiftwork bench ternary --json bench.json", "shiftwork bench ternary --only peer")
)
def bench(
    name: Annotated[
        str, typer.Argument(help=f"The engine: {', '.join(ENGINES)}.", metavar="ENGINE", show_default=False)
    ],
    json: Annotated[
        Path,
        typer.Option(
            "--json",
            help="Where to write [{name, unit, value, must, ok}]; with --only, other rows there stay.",
            metavar="F",
        ),
    ] = None,
    only: Annotated[str, typer.Option(help="Measure what has this in its name.", metavar="TEXT")] = "",
):
    from .bench import measure

    raise typer.Exit(measure(name, json, only))


@app.command(
    help="Explores engines for a recurrent network on a board's device: cell and block size, then rows and "
    "bits.\n\n"
    "Phase I takes the cells and block sizes whose weights fit the memory and whose measured loss is within "
    "--max-loss; phase II tries engines of each with every number of rows, and prints those that no other "
    "one beats. DIR gets all of them as explore.json, and pareto.svg.\n\n"
    + examples(
        "shiftwork explore circulant --target ulx3s-85f --network google-lstm",
        "shiftwork explore circulant --target ulx3s-85f --network net.npz --losses losses.json --max-loss 1",
        "shiftwork explore circulant --target ulx3s-85f --network google-lstm --cluster tcp://10.0.0.1:8786",
    )
)
def explore(
    name: Annotated[str, typer.Argument(help="The engine: circulant.", metavar="ENGINE", show_default=False)],
    target: Annotated[
        str, typer.Option(help="ulx3s-85f or icebreaker.", metavar="NAME", show_default=False)
    ],
    network: Annotated[
        str,
        typer.Option(
            help="google-lstm, google-gru, or a file as docs/network-format.md describes.",
            metavar="NETWORK",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Where to write.", metavar="DIR")
    ] = Path("build/explore"),
    losses: Annotated[
        str,
        typer.Option(
            help='Losses in points, {"gru": {"8": 0.5, "16": 1.2}, "bits": {"12": 0, "10": 0.3}}; or rows or '
            "spoken: a recipe, whose network is trained for it.",
            metavar="F.json",
        ),
    ] = None,
    most_loss: Annotated[
        float, typer.Option("--max-loss", help="The greatest loss, in points.", metavar="X")
    ] = None,
    memory: Annotated[
        int,
        typer.Option(
            help="Kibibits for weights; without it those of all block RAMs.", metavar="N", min=1
        ),
    ] = None,
    block: Annotated[
        list[int], typer.Option(help="A block size to try; may be given again.", metavar="K")
    ] = None,
    error: Annotated[
        float, typer.Option("--activation-error", help="The greatest error of sigmoid and tanh.", metavar="X")
    ] = 0.01,
    cluster: Annotated[
        str,
        typer.Option(
            help="Address of a Dask scheduler that shall do the work; without it all cores do.",
            metavar="ADDRESS",
        ),
    ] = None,
):
    from .errors import choose
    from .explore import explore

    choose("Engine to explore", name, ["circulant"])
    explore(target, network, output, losses=losses, most_loss=most_loss, memory_kibit=memory, blocks=block,
            error=error, cluster=cluster)


def main(arguments=None):
    """Runs the command line; ends the process with 0, with 2 after an expected failure, or with 1."""
    usage_error = typer.BadParameter.__mro__[2]  # Click's ClickException, wherever this Typer has it from
    with reported():
        try:
            code = app(arguments, standalone_mode=False)
        except usage_error as error:
            # Click shows its own in a box of several lines.
            text = " ".join(error.format_message().split()).rstrip(".")
            if text:
                print(f"error: {text} (--help shows what there is)", file=sys.stderr)
            raise SystemExit(EXPECTED_EXIT) from None
        except (typer.Abort, KeyboardInterrupt):
            raise SystemExit(130) from None
    raise SystemExit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
