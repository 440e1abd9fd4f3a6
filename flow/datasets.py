"""Labelled images and recordings: scikit-learn's digits; MNIST and spoken digits where files are at hand."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["Dataset", "Recordings", "digits", "mnist10k", "spoken_digits"]


@dataclass(frozen=True)
class Dataset:
    """Images float32 in 0..1, (N, channels, rows, columns); labels int64 (N,)."""

    name: str
    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray


@dataclass(frozen=True)
class Recordings:
    """Sounds float32 in -1..1, each an array of its own; labels int64 (N,).

    ``takes`` (N,) numbers the recordings of one speaker and word in the training part: to validate, leave
    some takes out.
    """

    name: str
    rate: int                       #: samples a second
    train: tuple[np.ndarray, ...]
    train_y: np.ndarray
    takes: np.ndarray
    test: tuple[np.ndarray, ...]
    test_y: np.ndarray


def _file(path, name, what):
    """``path``, or ``name`` in the folder of data; raises FileNotFoundError where there is none."""
    if path is None:
        beside = Path(__file__).resolve().parents[2] / "shared" / "data"
        path = Path(os.environ.get("SHIFTWORK_DATA", beside)) / name
    if not Path(path).is_file():
        raise FileNotFoundError(f"{what} file must be {path}, not absent "
                                f"(SHIFTWORK_DATA may name its folder)")
    return path


def digits():
    """8x8 handwritten digits: 1,297 to train on, 500 held out (a fixed shuffle, seed 0)."""
    # Imported here: loading scikit-learn takes a second, and only this function needs it.
    from sklearn.datasets import load_digits

    bunch = load_digits()
    order = np.random.default_rng(0).permutation(len(bunch.target))
    x = (bunch.images[order] / 16).astype(np.float32)[:, None]
    y = bunch.target[order].astype(np.int64)
    return Dataset("digits", x[:-500], y[:-500], x[-500:], y[-500:])


def mnist10k(path=None):
    """28x28 handwritten digits, 10,000 of MNIST: 8,000 to train on, 2,000 held out (a fixed shuffle, seed 0).

    The file is sorted by label: unshuffled, 8 and 9 would never be trained on and only 7 to 9 held out.

    ``path`` is the file mnist10k.npz; without it, the one in the folder that the environment variable
    SHIFTWORK_DATA names, or in shared/data beside the repository. Raises FileNotFoundError where there is
    none, ValueError for another file.
    """
    path = _file(path, "mnist10k.npz", "MNIST")
    with np.load(path, allow_pickle=False) as archive:
        if not {"images", "labels"} <= set(archive.files) or archive["images"].shape != (10_000, 28, 28):
            raise ValueError(f"{path} must hold images (10000, 28, 28) and labels, "
                             f"not {sorted(archive.files)}")
        order = np.random.default_rng(0).permutation(10_000)
        x = (archive["images"][order] / np.float32(255)).astype(np.float32)[:, None]
        y = archive["labels"][order].astype(np.int64)
    return Dataset("mnist10k", x[:8000], y[:8000], x[8000:], y[8000:])


def spoken_digits(path=None):
    """Spoken digits of four speakers at 8 kHz (Free Spoken Digit Dataset): 1,800 to train on, 200 held out.

    The split is the data set's own: takes 0 to 4 are held out. ``path`` is the file fsdd.npz, or as in
    `mnist10k`. Raises FileNotFoundError where there is none, ValueError for another file.
    """
    path = _file(path, "fsdd.npz", "Spoken digits'")
    with np.load(path, allow_pickle=False) as archive:
        wanted = {"audio", "lengths", "label", "take"}
        if not wanted <= set(archive.files) or archive["lengths"].sum() != archive["audio"].size:
            raise ValueError(f"{path} must hold audio, its lengths, label and take, "
                             f"not {sorted(archive.files)}")
        arrays = {name: archive[name] for name in wanted}
    ends = np.cumsum(arrays["lengths"])
    sounds = np.split(arrays["audio"].astype(np.float32) / np.float32(32768), ends[:-1])
    labels, held = arrays["label"].astype(np.int64), arrays["take"] < 5

    def part(chosen):
        return tuple(sounds[n] for n in np.flatnonzero(chosen))

    takes = arrays["take"][~held].astype(np.int64)
    return Recordings("spoken digits", 8000, part(~held), labels[~held], takes, part(held), labels[held])
