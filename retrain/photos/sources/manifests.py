"""Tables of photos: a .csv or .tsv with a row `path,label` or `path,label,split` for each; paths from where it lies."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from retrain.core.errors import DatasetError
from retrain.photos.dataset import SPLIT_FOLDERS, Dataset, PhotoFile, Skipped, Split
from retrain.photos.sources.base import Source, is_file
from retrain.photos.text_tables import table_rows


def is_manifest(source: str) -> bool:
    """Whether a source is a table of photos, by its name."""
    return Path(source).suffix.lower() in (".csv", ".tsv") and is_file(source)


def read_manifest(path: Path) -> Dataset:
    """The photos that a table names, in its order. Raises DatasetError that names the line."""
    files: list[PhotoFile] = []
    skipped: list[Skipped] = []
    for line, row in _manifest_rows(path):
        if len(row) not in (2, 3) or not row[0] or not row[1]:
            raise DatasetError(f"{path}, line {line}: expected path,label or path,label,split, got {row}.")
        split = _manifest_split(path, line, row[2]) if len(row) == 3 else None
        photo = os.path.join(path.parent, row[0])
        try:
            status = os.stat(photo)
        except (OSError, ValueError):
            skipped.append(Skipped(photo, f"does not exist ({path.name}, line {line})"))
            continue
        if not stat.S_ISREG(status.st_mode):
            skipped.append(Skipped(photo, "is not a regular file"))
            continue
        files.append(PhotoFile.of(photo, row[1], status, split))
    _refuse_contradictions(path, files)
    return Dataset(tuple(dict.fromkeys(files)), tuple(skipped))


def _manifest_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Rows with their line numbers, without the header."""
    for number, (line, row) in enumerate(table_rows(path)):
        is_header = number == 0 and [cell.strip().lower() for cell in row[:2]] == ["path", "label"]
        if not is_header:
            yield line, row


def _manifest_split(path: Path, line: int, name: str) -> Split | None:
    if not name.strip():
        return None
    try:
        return SPLIT_FOLDERS[name.strip().lower()]
    except KeyError:
        raise DatasetError(f"{path}, line {line}: the split {name!r} is not train, validation or test.") from None


def _refuse_contradictions(path: Path, files: Sequence[PhotoFile]) -> None:
    first: dict[str, PhotoFile] = {}
    for file in files:
        other = first.setdefault(file.path, file)
        if other != file:
            raise DatasetError(
                f"{path} lists {file.path} twice, as {_describe(other)} and as {_describe(file)}; "
                "keep one of the lines."
            )


def _describe(file: PhotoFile) -> str:
    return f"{file.label!r} ({file.split})" if file.split else repr(file.label)


MANIFESTS = Source("manifests", is_manifest, lambda source, unpacking: read_manifest(Path(source)))
