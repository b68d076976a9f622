"""An export as a zip that is made while it is sent: of one format, or of all that was written."""

import io
import os
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from label_image.files import reason_of
from label_image.manifest import MANIFEST
from retrain.core.errors import StudioError
from retrain.exports.card import CARD
from retrain.exports.clients import CLIENTS
from retrain.exports.registry import FORMATS
from retrain.insight.html.rendering import shown

ALL = "all"
CHUNK = 2**18  # bytes; so much of a zip is in memory, whatever its size
FIRST, LAST = (1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 58)  # dates that a zip can say; clocks go wrong
BESIDE = ("labels.txt", MANIFEST)  # what `label_image` needs of an export, whatever its format


class _Pipe(io.RawIOBase):
    """Keeps what is written into it until it is taken."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        part = bytes(data)  # type: ignore[call-overload]
        self._parts.append(part)
        return len(part)

    def taken(self) -> bytes:
        """What was written since it was last asked."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


def zip_of(output_dir: Path, name: str) -> Iterator[bytes]:
    """The parts of a zip of one format, or of all, with the labels and the manifest. Nothing is compressed: weights
    hardly shrink.

    All files are opened at once, so that the zip is of one export, also where another takes its place meanwhile. Raises
    StudioError if the format is not there.
    """
    if name != ALL and name not in FORMATS:
        raise StudioError(f"The format {name} is not known; choose from {', '.join((*FORMATS, ALL))}.")
    own = [file for format in FORMATS.values() if name in (ALL, format.name) for file in format.files]
    beside = (*BESIDE, *(("metrics.json", CARD, CLIENTS) if name == ALL else ()))
    if not any((output_dir / file).exists() for file in own):
        raise StudioError(f"{name} was not written yet: write it first.")
    with ExitStack() as stack:
        try:
            files = [
                (path.relative_to(output_dir).as_posix(), stack.enter_context(open(path, "rb")))
                for file in (*own, *beside)
                for path in _files_of(output_dir / file)
            ]
        except OSError as error:
            raise StudioError(f"{output_dir} cannot be read ({reason_of(error)}): try again.") from None
        return _zipped(files, stack.pop_all())


def zip_name(output_dir: Path, name: str) -> str:
    """What the zip is called where it is saved."""
    return f"{shown(output_dir.name)}_{name}.zip"


def _files_of(path: Path) -> list[Path]:
    if path.is_dir():
        return [file for file in sorted(path.rglob("*")) if file.is_file()]
    return [path] if path.is_file() else []


def _zipped(files: Sequence[tuple[str, BinaryIO]], stack: ExitStack) -> Iterator[bytes]:
    pipe = _Pipe()
    with stack, zipfile.ZipFile(pipe, "w") as archive:
        for name, file in files:
            status = os.fstat(file.fileno())
            entry = zipfile.ZipInfo(name, min(max(time.localtime(status.st_mtime)[:6], FIRST), LAST))
            entry.file_size = status.st_size
            entry.external_attr = 0o100644 << 16
            with archive.open(entry, "w") as target:
                while data := file.read(CHUNK):
                    target.write(data)
                    yield pipe.taken()
    yield pipe.taken()
