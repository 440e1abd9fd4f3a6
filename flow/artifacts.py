"""The build folder: files under hashes with a manifest, written whole or not at all.

    shiftwork.json   manifest: engine, config, versions, ports, registers, predictions, results, sha256 of
    each file
    README.md        ports and an instantiation to copy
    rtl/             the Verilog
    program/         what the engine loads, and the metadata that packing inputs needs
    vectors/         inputs and the results that they must have

A step reads a folder (`Folder.load` checks the hashes) and adds to it (`Folder.edit`).
"""

import hashlib
import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

from .errors import FlowError

__all__ = ["MANIFEST", "Folder", "create", "dumps", "sha256", "replaced"]

MANIFEST = "shiftwork.json"
FORMAT, VERSION = "shiftwork-build", 1
_UNHASHED = {MANIFEST, "report.html"}


def dumps(value):
    """JSON text that is the same for the same value."""
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n"


def sha256(data):
    """Hash of ``data`` (bytes) in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _seal(manifest):
    """Hash of a manifest without its own hash."""
    return sha256(dumps({k: v for k, v in manifest.items() if k != "sha256"}).encode())


class Folder:
    """A build folder at ``path`` with its ``manifest``, a dict."""

    def __init__(self, path, manifest):
        self.path, self.manifest = Path(path), manifest

    @classmethod
    def load(cls, path):
        """The folder at ``path``, every hash checked.

        Raises FlowError where it is not a build folder, or a file of it is missing or altered.
        """
        path = Path(path)
        if not (path / MANIFEST).is_file():
            raise FlowError(
                f"{path} must be a build folder with a {MANIFEST} (shiftwork generate or build makes one), "
                f"not {'another folder' if path.is_dir() else 'absent'}"
            )
        again = "run shiftwork generate or build again"
        try:
            manifest = json.loads((path / MANIFEST).read_bytes())
            found = manifest["format"], manifest["format_version"]
            sealed = manifest["sha256"] == _seal(manifest)
        except (ValueError, KeyError, TypeError):
            raise FlowError(
                f"{path / MANIFEST} must be a manifest of this project, not something else: {again}"
            ) from None
        if found != (FORMAT, VERSION):
            raise FlowError(
                f"{path / MANIFEST} must be {FORMAT} version {VERSION}, not {found[0]} version {found[1]}"
            )
        if not sealed:
            raise FlowError(f"{path / MANIFEST} must be as it was written, not altered: {again}")
        for name, digest in manifest["files"].items():
            if not (path / name).is_file():
                raise FlowError(f"{path / name} must be there as {MANIFEST} says, not missing: {again}")
            if sha256((path / name).read_bytes()) != digest:
                raise FlowError(f"{path / name} must be as it was written, not altered: {again}")
        return cls(path, manifest)

    def file(self, name):
        """Path of the file ``name``; raises FlowError where the folder has none of that name."""
        if name not in self.manifest["files"]:
            raise FlowError(
                f"{self.path} must have the file {name} (shiftwork build makes it, from a network), "
                f"not only {', '.join(sorted(self.manifest['files']))}"
            )
        return self.path / name

    def write(self, name, data):
        """Writes ``data`` (bytes or text) to ``name``; only while the folder is being made or edited."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())

    def _finish(self):
        files = sorted(p for p in self.path.rglob("*") if p.is_file())
        names = [p.relative_to(self.path).as_posix() for p in files]
        self.manifest["files"] = {
            name: sha256((self.path / name).read_bytes()) for name in names if name not in _UNHASHED
        }
        self.manifest["sha256"] = _seal(self.manifest)
        self.write(MANIFEST, dumps(self.manifest))

    @contextmanager
    def edit(self):
        """A copy of the folder to change; takes the folder's place when the block ends without an error."""
        with replaced(self.path) as beside:
            shutil.copytree(self.path, beside, dirs_exist_ok=True)
            copy = Folder.load(beside)
            yield copy
            copy._finish()
        self.manifest = copy.manifest


@contextmanager
def create(path, manifest):
    """A new `Folder` to fill; at ``path``, in place of an older one, when the block ends without an error.

    Raises FlowError where ``path`` is something else than a build folder or an empty one.
    """
    path = Path(path)
    if path.exists() and not (path / MANIFEST).is_file() and not (path.is_dir() and not any(path.iterdir())):
        raise FlowError(
            f"Output {path} must be a new folder or a build folder (one with a {MANIFEST}), "
            f"not {'a folder with other files' if path.is_dir() else 'a file'}"
        )
    with replaced(path) as beside:
        folder = Folder(beside, {"format": FORMAT, "format_version": VERSION, **manifest})
        yield folder
        folder._finish()


@contextmanager
def replaced(path):
    """An empty folder beside ``path`` that takes its place when the block ends without an error, and goes
    away otherwise.
    """
    path = Path(os.path.abspath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
    old = beside.with_suffix(".old")
    try:
        beside.chmod(0o777 & ~_umask())
        yield beside
        if path.exists():
            path.rename(old)
        try:
            beside.rename(path)
        except OSError:
            if old.exists():
                old.rename(path)
            raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
