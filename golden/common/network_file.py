"""The file of a network: one npz archive of plain arrays, one of them the JSON text ``graph``."""

import json
import os
import zipfile
import zlib
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np

__all__ = ["Node", "read_file", "write_file"]

FORMAT, VERSION = "shiftwork-network", 1


@dataclass(frozen=True, kw_only=True)
class Node:
    """One operation: ``outputs = op_type(inputs)``; activations come first (Add has two), then arrays."""

    op_type: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict = field(default_factory=dict)   #: ONNX's names; lists become tuples

    def __post_init__(self):
        for name in ("inputs", "outputs"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for value in (self.op_type, self.name, *self.inputs, *self.outputs):
            if not isinstance(value, str):
                raise ValueError(f"node's op_type, name, inputs and outputs must be strings, not {value!r}")
        attributes = {k: tuple(v) if isinstance(v, list) else v for k, v in self.attributes.items()}
        object.__setattr__(self, "attributes", attributes)

    @property
    def sources(self):
        """Names of the activations among the inputs."""
        return self.inputs[:2 if self.op_type == "Add" else 1]


def write_file(path, *, nodes, arrays, input_name, input_shape, output_name, ranges):
    """Writes a graph and its arrays to ``path``: of the same, the same bytes; the file appears whole or not.
    """
    if "graph" in arrays:
        raise ValueError("array name must not be 'graph', the name of the file's description")
    listed = [{"name": n.name, "op_type": n.op_type, "inputs": n.inputs, "outputs": n.outputs,
               "attributes": n.attributes} for n in nodes]
    text = json.dumps({"format": FORMAT, "version": VERSION, "output": output_name, "nodes": listed,
                       "input": {"name": input_name, "shape": input_shape}, "ranges": ranges}, sort_keys=True)
    entries = {"graph": np.array(text), **arrays}
    path = Path(path)
    beside = path.with_name(path.name + ".part")
    with zipfile.ZipFile(beside, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(entries):
            buffer = BytesIO()
            np.lib.format.write_array(buffer, np.array(entries[name], order="C"), allow_pickle=False)
            # A fixed date: zip entries carry the time of writing otherwise.
            entry = zipfile.ZipInfo(name + ".npy", date_time=(1980, 1, 1, 0, 0, 0))
            archive.writestr(entry, buffer.getvalue())
    os.replace(beside, path)


def _read_arrays(path):
    if not Path(path).exists():
        raise FileNotFoundError(f"network file {path} must exist, not be absent")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"network file {path} must be an npz archive, not another kind of file")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"network file {path} must hold plain arrays, not others ({error})") from None
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise ValueError(f"network file {path} must hold plain arrays, not the entry {name!r}")
    return arrays


def read_file(path):
    """What `write_file` was given, as a dict.

    Raises FileNotFoundError, or ValueError with a sentence that says what the file must be and what it was.
    """
    arrays = _read_arrays(path)
    if "graph" not in arrays:
        raise ValueError(f"network file {path} must have the entry 'graph', not only {sorted(arrays)}")
    try:
        graph = json.loads(str(arrays.pop("graph")))
        found = (graph.get("format"), graph.get("version"))
    except (json.JSONDecodeError, AttributeError) as error:
        raise ValueError(f"graph of {path} must be a JSON object, not something else ({error})") from None
    if found != (FORMAT, VERSION):
        raise ValueError(f"graph of {path} must be {FORMAT} version {VERSION}, "
                         f"not {found[0]} version {found[1]}")
    try:
        return {"nodes": tuple(Node(op_type=n["op_type"], name=n["name"], inputs=n["inputs"],
                                    outputs=n["outputs"], attributes=n.get("attributes", {}))
                               for n in graph["nodes"]),
                "arrays": arrays,
                "input_shape": tuple(graph["input"]["shape"]), "input_name": graph["input"]["name"],
                "output_name": graph["output"],
                "ranges": {k: (float(v[0]), float(v[1])) for k, v in graph.get("ranges", {}).items()}}
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"graph of {path} must have input, output and nodes as documented, "
                         f"not miss or misshape {error}") from None
