"""`dataset.parquet` of an earlier run: its photos, with or without their files (`retrain.photos.record`).

A photo that is still at its path, with the same content, is read like any other. One that is gone keeps its class, its
side and its content's SHA-256, for which the store has its bottlenecks.
"""

import os
import re
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

from label_image.errors import ForeignFileError, PhotoError, StorageError
from label_image.foreign_text import parse_json
from label_image.terminal import shown
from retrain.core.collecting import no_collecting
from retrain.core.errors import DatasetError
from retrain.photos.dataset import Dataset, PhotoFile, Split
from retrain.photos.layouts.reading import some
from retrain.photos.object_states import states_of
from retrain.photos.record import COLUMNS, METADATA, VERSION
from retrain.photos.sources.base import Source, Unpacking, is_file

SIDES = (*get_args(Split), None)
SHA256 = re.compile(r"[0-9a-f]{64}")
ROWS = 4096  # in memory at a time
LEAST_ROW_BYTES = 4  # of a file that is honest: a row has a hash and a path of its own
FEW_ROWS = 100_000  # about which nothing can be wrong
AHEAD = 64  # photos read in advance

Row = tuple[PhotoFile, str]  # without a file where size is -1, and the SHA-256


def is_record(source: str) -> bool:
    """Whether a source is such a file, by its name and by what its footer says of it."""
    if not source.lower().endswith(".parquet") or not is_file(source):
        return False
    # Here, and not above: who has photos as files needs no Arrow to list them.
    from retrain.photos.sources.parquet_file import opened_parquet

    try:
        with opened_parquet(Path(source)) as file:
            return METADATA in (file.schema_arrow.metadata or {})
    except DatasetError:
        return False  # no Parquet: the source for such files says so


def read_record(source: str, unpacking: Unpacking) -> Dataset:
    """The photos of an earlier run. Raises DatasetError that names the row."""
    path = Path(source)
    _check_version(path)
    with no_collecting():
        rows = _with_states(list(_rows(path)))
    there = [row for row in rows if row[0].size >= 0]
    same = _still_the_same(there, unpacking)
    files, others, first_gone = [], 0, ""
    for file, sha256 in rows:
        if file.path in same and same[file.path] == sha256:
            files.append(file)
        else:
            others += file.size >= 0
            first_gone = first_gone or file.path
            files.append(PhotoFile(file.path, file.label, 0, 0, 0, file.split, gone_sha256=sha256))
    labels = tuple(sorted({file.label for file in files}))
    gone = sum(file.gone for file in files)
    reading = f"{len(files):,} photos of an earlier run with the classes {some(labels)}"
    remarks = (_remark(len(files), gone, others, first_gone),) if gone else ()
    return Dataset(tuple(files), remarks=remarks, reading=reading, ordinary=False)


def _remark(photos: int, gone: int, others: int, first: str) -> str:
    which = f"All {photos:,} photos" if gone == photos else f"{gone:,} of the {photos:,} photos"
    replaced = f"; at {others:,} of the paths there is another photo now, which is not used" if others else ""
    return (
        f"{which} of it are gone (the first: {shown(first)}): the bottlenecks that are kept of them are used{replaced}."
    )


def _check_version(path: Path) -> None:
    from retrain.photos.sources.parquet_file import opened_parquet

    with opened_parquet(path) as file:
        schema, rows = file.schema_arrow, file.metadata.num_rows
    try:
        about = parse_json(schema.metadata[METADATA], dict[str, Any])
    except ForeignFileError as error:
        raise DatasetError(f"{path}: what it says of itself ({METADATA.decode()}) {error}.") from None
    version = about.get("version")
    if not isinstance(version, int) or version < 1:
        raise DatasetError(f"{path} does not say in which version of its format it is: train again to get a new one.")
    if version > VERSION:
        raise DatasetError(
            f"{path} is in version {version} of its format, and this program reads {VERSION}: install a newer one."
        )
    missing = [name for name in COLUMNS if schema.names.count(name) != 1]
    if missing:
        raise DatasetError(f"{path} has no column {missing[0]}, or several: train again to get a new one.")
    if rows > FEW_ROWS + os.path.getsize(path) // LEAST_ROW_BYTES:
        raise DatasetError(f"{path} is not read: it has {rows:,} rows in {os.path.getsize(path):,} bytes.")


def _rows(path: Path) -> Iterator[Row]:
    from retrain.photos.sources.parquet_file import batches, opened_parquet

    number = 0
    with opened_parquet(path) as file:
        for batch in batches(file, path, list(COLUMNS), ROWS):
            columns = [batch.column(name).to_pylist() for name in COLUMNS]
            for cells in zip(*columns, strict=True):
                number += 1
                yield _row(cells, path, number)


def _row(cells: Sequence[Any], path: Path, number: int) -> Row:
    sha256, label, side, photo = cells
    if not isinstance(sha256, str) or not SHA256.fullmatch(sha256):
        raise DatasetError(f"{path}, row {number}: photo_sha256 is not 64 hex digits.")
    if not isinstance(label, str) or not label or not isinstance(photo, str) or not photo:
        raise DatasetError(f"{path}, row {number}: a photo needs the text of a label and a path.")
    if side not in SIDES:
        raise DatasetError(f"{path}, row {number}: the side {side!r} is not {', '.join(get_args(Split))} or empty.")
    try:
        status = os.stat(photo)
        if stat.S_ISREG(status.st_mode):
            return PhotoFile.of(photo, label, status, side), sha256
    except (OSError, ValueError):
        pass
    return PhotoFile(photo, label, -1, 0, 0, side), sha256


def _with_states(rows: list[Row]) -> list[Row]:
    """The rows with what their storages say of those that are addresses. Raises DatasetError."""
    try:
        states = states_of(file.path for file, _ in rows)
    except StorageError as error:
        raise DatasetError(str(error)) from None
    if not states:
        return rows
    return [
        (PhotoFile.of(file.path, file.label, states[file.path], file.split) if file.path in states else file, sha256)
        for file, sha256 in rows
    ]


def _still_the_same(rows: Sequence[Row], unpacking: Unpacking) -> dict[str, str]:
    """The SHA-256 of each file by its path, empty where it cannot be read. What is known and unchanged is not read."""
    # Here, and not above: they need NumPy and Arrow.
    from retrain.photos.hashes import PhotoHashes
    from retrain.photos.reading import identify, known_contents, map_in_order, photo_threads, remember_content

    if not rows:
        return {}
    files = [file for file, _ in rows]
    hashes = PhotoHashes(unpacking.bottleneck_dir)
    known = [None] * len(files) if unpacking.paranoid else known_contents(files, hashes)
    found = {file.path: sha256 for file, sha256 in zip(files, known, strict=True) if sha256 is not None}
    unknown = [file for file, sha256 in zip(files, known, strict=True) if sha256 is None]

    def read(file: PhotoFile) -> tuple[str, int]:
        began = time.time_ns()
        try:
            return identify(file).sha256, began
        except PhotoError:
            return "", began  # then it is as good as gone

    with photo_threads() as threads:
        for file, (sha256, began) in zip(unknown, map_in_order(read, unknown, threads, AHEAD), strict=True):
            found[file.path] = sha256
            if sha256:
                remember_content(file, sha256, began, hashes)
    hashes.save_if_possible()
    return found


RECORDED = Source("photos of an earlier run", is_record, read_record)
