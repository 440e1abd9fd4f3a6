"""The build folder: whole or not at all, the same bytes, and every hash checked."""

import json

import pytest
from shiftwork.flow.artifacts import MANIFEST, Folder, create
from shiftwork.flow.errors import FlowError


def _make(path, text="module m; endmodule\n"):
    with create(path, {"engine": "none", "results": {}}) as folder:
        folder.write("rtl/m.v", text)
    return path


def _contents(path):
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def test_same_command_same_bytes(tmp_path):
    assert _contents(_make(tmp_path / "a")) == _contents(_make(tmp_path / "b"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


def test_replaces_an_older_build_folder(tmp_path):
    _make(tmp_path / "a", "old")
    (tmp_path / "a" / "rtl" / "left.v").write_text("left over")
    _make(tmp_path / "a", "new")
    assert sorted(_contents(tmp_path / "a")) == ["rtl/m.v", MANIFEST]
    assert Folder.load(tmp_path / "a").file("rtl/m.v").read_text() == "new"


def test_a_failure_leaves_what_was_there(tmp_path):
    before = _contents(_make(tmp_path / "a"))
    with pytest.raises(RuntimeError), create(tmp_path / "a", {}) as folder:
        folder.write("rtl/m.v", "half")
        raise RuntimeError
    assert _contents(tmp_path / "a") == before
    with pytest.raises(RuntimeError), Folder.load(tmp_path / "a").edit() as folder:
        folder.write("rtl/m.v", "half")
        raise RuntimeError
    assert _contents(tmp_path / "a") == before
    with pytest.raises(RuntimeError), create(tmp_path / "new", {}) as folder:
        folder.write("rtl/m.v", "half")
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_refuses_folders_that_are_something_else(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    (tmp_path / "file").write_text("text")
    for name, what in (("home", "a folder with other files"), ("file", "a file")):
        with pytest.raises(
            FlowError, match=rf"^Output .*{name} must be a new folder or a build folder .*, not {what}$"
        ):
            _make(tmp_path / name)
    assert (tmp_path / "home" / "letter.txt").read_text() == "dear"
    (tmp_path / "empty").mkdir()
    _make(tmp_path / "empty")


def test_edit_adds_files_and_results(tmp_path):
    folder = Folder.load(_make(tmp_path / "a"))
    with folder.edit() as copy:
        copy.write("synth/log.txt", b"fine")
        copy.manifest["results"]["synth"] = {"fmax_mhz": 100.0}
    again = Folder.load(tmp_path / "a")
    assert again.manifest == folder.manifest
    assert again.file("synth/log.txt").read_bytes() == b"fine"
    assert again.manifest["results"] == {"synth": {"fmax_mhz": 100.0}}


def test_a_report_may_be_edited(tmp_path):
    _make(tmp_path / "a")
    (tmp_path / "a" / "report.html").write_text("mine")
    Folder.load(tmp_path / "a")


def _alter_manifest(folder):
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["engine"] = "another"
    (folder / MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda f: (f / MANIFEST).unlink(),
            r"a must be a build folder with a shiftwork\.json \(.*\), not another folder$",
        ),
        (
            lambda f: (f / "rtl/m.v").unlink(),
            r"rtl/m\.v must be there as shiftwork\.json says, not missing: run .* again$",
        ),
        (
            lambda f: (f / "rtl/m.v").write_text("other"),
            r"rtl/m\.v must be as it was written, not altered: run .* again$",
        ),
        (
            lambda f: (f / MANIFEST).write_text("{"),
            r"shiftwork\.json must be a manifest of this project, not something else",
        ),
        (
            lambda f: (f / MANIFEST).write_text("[]"),
            r"shiftwork\.json must be a manifest of this project, not something else",
        ),
        (_alter_manifest, r"shiftwork\.json must be as it was written, not altered: run .* again$"),
    ],
)
def test_damage_is_told(tmp_path, damage, message):
    damage(_make(tmp_path / "a"))
    with pytest.raises(FlowError, match=message):
        Folder.load(tmp_path / "a")


def test_another_version_is_told(tmp_path):
    with create(tmp_path / "a", {}) as folder:
        folder.manifest["format_version"] = 9
    with pytest.raises(FlowError, match=r"must be shiftwork-build version 1, not shiftwork-build version 9$"):
        Folder.load(tmp_path / "a")


def test_missing_folder_and_missing_file(tmp_path):
    with pytest.raises(FlowError, match="not absent$"):
        Folder.load(tmp_path / "nothing")
    with pytest.raises(FlowError, match=r"must have the file program/program\.bin .*, not only rtl/m\.v$"):
        Folder.load(_make(tmp_path / "a")).file("program/program.bin")
