"""Arrays that people bring: reading, checking, writing."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np

from .errors import FlowError

__all__ = ["read_array", "write_array", "as_images", "as_sequences"]


def read_array(path):
    """The array in the npy file ``path``.

    Raises FileNotFoundError, or FlowError where it is another file, or has no numbers, or NaN among them.
    """
    if not Path(path).is_file():
        raise FlowError(
            f"Input {path} must be an .npy file, not {'a folder' if Path(path).is_dir() else 'absent'}"
        )
    try:
        x = np.load(io.BytesIO(Path(path).read_bytes()), allow_pickle=False)
    except (ValueError, EOFError, SyntaxError, zipfile.BadZipFile):
        raise FlowError(
            f"Input {path} must be an .npy file of numbers (numpy.save writes one), not something else"
        ) from None
    if not isinstance(x, np.ndarray):
        x.close()
        raise FlowError(f"Input {path} must be an .npy file of one array, not an archive of several")
    if x.dtype.kind not in "fiub":
        raise FlowError(f"Input {path} must be of floats or integers, not {x.dtype}")
    if x.dtype.kind == "f" and not np.all(np.isfinite(x)):
        raise FlowError(f"Input {path} must be finite, not contain NaN or infinity")
    return x


def as_images(x, shape):
    """``x`` as an array (n, *shape); one image may come without n, and a single channel without its axis.

    Raises FlowError for another shape or for no image at all.
    """
    shape = tuple(shape)
    spellings = [shape] + ([shape[1:]] if len(shape) == 3 and shape[0] == 1 else [])
    for spelled in spellings:
        if x.shape == spelled:
            x = x[None]
        if x.shape[1:] == spelled and len(x):
            return x.reshape(len(x), *shape)
    wanted = " or ".join("(n" + "".join(f", {v}" for v in spelled) + ")" for spelled in spellings)
    raise FlowError(f"Input must have shape {wanted} with n >= 1, not {x.shape}")


def as_sequences(x, entries):
    """``x`` as an array (n, steps, entries); one sequence may come without n.

    Raises FlowError for another shape or for no sequence or step at all.
    """
    if x.ndim == 2:
        x = x[None]
    if x.ndim != 3 or x.shape[2] != entries or not x.size:
        raise FlowError(f"Input must have shape (n, steps, {entries}) with n and steps >= 1, not {x.shape}")
    return x


def write_array(path, array):
    """Writes ``array`` to the npy file ``path``, which appears whole or not at all."""
    path = Path(path)
    beside = path.with_name(f".{path.name}.part")
    try:
        with open(beside, "wb") as file:
            np.save(file, array)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
