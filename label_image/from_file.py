"""What runs an export, fit to be pickled: as the path of the export, which is loaded again where it is unpickled."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from label_image.errors import ModelError
from label_image.files import reason_of, sha256_of_files
from label_image.manifest import MANIFEST
from label_image.preprocessing import Pixels
from label_image.runtimes import Outputs, Run

FILES = (MANIFEST, "model.tflite", "saved_model.pb", "model.onnx", "graph.pb")
FOLDERS = ("variables", "assets")  # of a SavedModel

Stamps = tuple[tuple[str, int, int, int, int], ...]


@dataclass(frozen=True)
class FromFile:
    """`run`, loaded from the export `path` when its files had these `stamps`; `trust` as `load_model` was told.

    `again(path, sha256, trust)` loads it where it is unpickled, and compares the SHA-256 of its files. Pickling it
    raises ModelError if they have changed since, for then it would become another model.
    """

    path: Path
    stamps: Stamps
    trust: bool
    run: Run
    again: "Callable[[str, str, bool], FromFile]"

    def __call__(self, pixels: Pixels) -> Outputs:
        return self.run(pixels)

    def __reduce__(self) -> tuple[object, tuple[str, str, bool]]:
        return self.again, (str(self.path), self.sha256(), self.trust)

    def sha256(self) -> str:
        """Of the files that it was loaded from. Raises ModelError if they are there no more."""
        try:
            digest = sha256_of_files(self.path, _files(self.path))
        except OSError as error:
            raise ModelError(f"{self.path} cannot be read again: {reason_of(error)}.") from None
        if stamps(self.path) != self.stamps:
            raise ModelError(f"{self.path} was changed after it was loaded: load it again before it is pickled.")
        return digest

    def content(self) -> dict[str, bytes]:
        """Those files, by their names from `path` on; "" if it is a file itself. Raises ModelError as `sha256` does."""
        try:
            found = {file.relative_to(self.path).as_posix(): file.read_bytes() for file in _files(self.path)}
        except OSError as error:
            raise ModelError(f"{self.path} cannot be read again: {reason_of(error)}.") from None
        self.sha256()
        return {"" if name == "." else name: data for name, data in found.items()}


def stamps(path: Path) -> Stamps:
    """The files of an export, each with what tells that it was written to."""
    found = []
    with suppress(OSError):  # whoever reads them says so
        for file in _files(path):
            status = file.stat()
            found.append((str(file), status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    return tuple(found)


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    for name in FILES:
        if (path / name).is_file():
            yield path / name
    for name in FOLDERS:
        yield from sorted(file for file in (path / name).rglob("*") if file.is_file())
