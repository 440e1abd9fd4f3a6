"""Results that the report shows, from what steps have left: a demo's results.json or a build folder's
manifest.
"""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from . import build as folders
from .errors import FlowError
from .synthesis import BOARDS

__all__ = ["RESULTS", "check_output", "results_of", "engine_results"]

RESULTS = "results.json"


def check_output(output):
    """Raises FlowError where a demo must not write to ``output``: what is there is not a demo's."""
    if output.exists() and not (output / RESULTS).is_file() and (output.is_file() or any(output.iterdir())):
        raise FlowError(f"Output {output} must be a new folder or one of a demo before, not something else")


def engine_results(name, module, program, x, found=None, synth=None):
    """One engine's part of the report, for one batch ``x``; ``found``: what was compared; ``synth``: its
    results.
    """
    layers = module.layer_cycles(program, x[: program.metadata["images"]])
    numbers, sentence = module.figures(program, layers)
    if found:
        numbers += [[k, v, u] for k, v, u in found]
    result = {
        "name": name,
        "layers": layers,
        "memory": module.memory_use(program),
        "numbers": numbers,
        "summary": sentence,
    }
    if synth:
        result |= {
            "resources": synth["resources"],
            "fmax_mhz": synth["fmax_mhz"],
            "clock_mhz": synth.get("clock_mhz"),
        }
    return result


def results_of(path):
    """The report's results for the folder ``path``: a demo's, or a build folder."""
    path = Path(path)
    if (path / RESULTS).is_file():
        try:
            return json.loads((path / RESULTS).read_text())
        except ValueError:
            raise FlowError(
                f"{path / RESULTS} must be JSON as shiftwork demo wrote it, not altered"
            ) from None
    folder, module, program = folders.loaded(path)
    manifest, x = folder.manifest, np.load(folder.file(folders.VECTORS[0]))
    synth = manifest["results"].get("synth", {})
    whole = engine_results("The engine", module, program, x)
    engines = [whole] + [
        {
            "name": BOARDS.get(target, target),
            **{k: found[k] for k in ("resources", "fmax_mhz")},
            "clock_mhz": found.get("clock_mhz"),
        }
        for target, found in synth.items()
    ]
    checked = [
        [f"verified with {name}, values compared", found["values"], ""]
        for name, found in manifest["results"].get("verify", {}).items()
    ]
    parameters = [[name, value, ""] for name, value in manifest["config"].items()]
    return {
        "title": f"A {module.WORDS.name} engine",
        "words": asdict(module.WORDS),
        "lead": module.TITLE[0].upper() + module.TITLE[1:] + ".",
        "engines": engines,
        "numbers": checked + parameters,
        "versions": manifest["versions"],
    }
