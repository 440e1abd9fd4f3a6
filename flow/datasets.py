"""Labelled images: the digits that scikit-learn brings, and MNIST where its file is at hand."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["Dataset", "digits", "mnist10k"]


@dataclass(frozen=True)
class Dataset:
    """Images float32 in 0..1, (N, channels, rows, columns); labels int64 (N,)."""

    name: str
    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray


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
    if path is None:
        beside = Path(__file__).resolve().parents[2] / "shared" / "data"
        path = Path(os.environ.get("SHIFTWORK_DATA", beside)) / "mnist10k.npz"
    if not Path(path).is_file():
        raise FileNotFoundError(f"MNIST file must be {path}, not absent (SHIFTWORK_DATA may name its folder)")
    with np.load(path, allow_pickle=False) as archive:
        if not {"images", "labels"} <= set(archive.files) or archive["images"].shape != (10_000, 28, 28):
            raise ValueError(f"{path} must hold images (10000, 28, 28) and labels, "
                             f"not {sorted(archive.files)}")
        order = np.random.default_rng(0).permutation(10_000)
        x = (archive["images"][order] / np.float32(255)).astype(np.float32)[:, None]
        y = archive["labels"][order].astype(np.int64)
    return Dataset("mnist10k", x[:8000], y[:8000], x[8000:], y[8000:])
