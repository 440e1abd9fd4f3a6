"""Arrays that people bring."""

import numpy as np
import pytest
from shiftwork.flow.errors import FlowError
from shiftwork.flow.inputs import as_images, read_array, write_array


def _saved(path, array):
    np.save(path, array)
    return path


@pytest.mark.parametrize("shape", [(5, 1, 8, 8), (5, 8, 8)])
def test_images_may_come_without_the_channel(shape):
    x = np.arange(np.prod(shape)).reshape(shape)
    np.testing.assert_array_equal(as_images(x, (1, 8, 8)), x.reshape(5, 1, 8, 8))


def test_one_image_may_come_alone():
    assert as_images(np.zeros((8, 8)), (1, 8, 8)).shape == (1, 1, 8, 8)
    assert as_images(np.zeros((3, 8, 8)), (3, 8, 8)).shape == (1, 3, 8, 8)
    assert as_images(np.zeros(4), (4,)).shape == (1, 4)


@pytest.mark.parametrize(
    ("x", "shape", "message"),
    [
        (
            np.zeros((5, 8, 7)),
            (1, 8, 8),
            r"^Input must have shape \(n, 1, 8, 8\) or \(n, 8, 8\) with n >= 1, not \(5, 8, 7\)$",
        ),
        (np.zeros((0, 4)), (4,), r"^Input must have shape \(n, 4\) with n >= 1, not \(0, 4\)$"),
        (np.zeros(()), (4,), r"not \(\)$"),
    ],
)
def test_other_shapes_are_refused(x, shape, message):
    with pytest.raises(FlowError, match=message):
        as_images(x, shape)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array(["a"]), r"must be of floats or integers, not <U1$"),
        (np.array([1j]), r"must be of floats or integers, not complex128$"),
        (np.array([1.0, np.nan]), r"must be finite, not contain NaN or infinity$"),
        (np.array([np.inf], np.float32), r"must be finite, not contain NaN or infinity$"),
    ],
)
def test_values_are_checked(tmp_path, array, message):
    with pytest.raises(FlowError, match=message):
        read_array(_saved(tmp_path / "x.npy", array))


@pytest.mark.parametrize("data", [b"", b"P5 8 8 255", b"\x93NUMPY\x01\x00", b"PK\x03\x04 not a zip"])
def test_other_files_are_refused(tmp_path, data):
    (tmp_path / "x.npy").write_bytes(data)
    with pytest.raises(
        FlowError, match=r"x\.npy must be an \.npy file of numbers \(numpy\.save writes one\), not something"
    ):
        read_array(tmp_path / "x.npy")


def test_objects_archives_and_absent_files_are_refused(tmp_path):
    with pytest.raises(FlowError, match="of numbers"):
        read_array(_saved(tmp_path / "o.npy", np.array([{}], object)))
    np.savez(tmp_path / "a.npz", x=np.zeros(1))
    with pytest.raises(FlowError, match="not an archive of several$"):
        read_array(tmp_path / "a.npz")
    with pytest.raises(FlowError, match=r"must be an \.npy file, not absent$"):
        read_array(tmp_path / "none.npy")
    with pytest.raises(FlowError, match=r"must be an \.npy file, not a folder$"):
        read_array(tmp_path)


def test_writing_is_whole_or_not_at_all(tmp_path):
    write_array(tmp_path / "y.npy", np.arange(3))
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), [0, 1, 2])
    assert [p.name for p in tmp_path.iterdir()] == ["y.npy"]
    with pytest.raises(FileNotFoundError):
        write_array(tmp_path / "no" / "y.npy", np.arange(3))
