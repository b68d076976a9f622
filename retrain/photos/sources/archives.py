"""Archives: cats.zip, .tar, .tar.gz, .tar.bz2, .tar.xz. Unpacked once, and read as the folder that comes out.

    tf_files/sources/<name>-<digest>/
        archive.json        what it came from, and what was left out
        unpacked/           what was in it

The digest is of the archive's content: another name for the same archive is the same source. It is unpacked aside and
renamed when it is complete, so that a run that was killed leaves nothing half.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from label_image.files import reason_of, remove_leftovers, sha256_of_bytes, temporary_folder
from label_image.terminal import shown
from retrain.core.errors import DatasetError
from retrain.photos.archives.kinds import is_meant_as_archive, require_kind, without_suffix
from retrain.photos.archives.unpack import Unpacked, unpack_archive
from retrain.photos.dataset import Dataset, Root, Skipped
from retrain.photos.sources.base import Source, Unpacking, is_file
from retrain.photos.sources.unpack import readable, sync

RECORD = "archive.json"
CONTENT = "unpacked"
MOST_LEFT_OUT = 1000  # entries that are named


def is_archive(source: str) -> bool:
    """Whether a source is an archive: by its name, or by its first bytes."""
    return is_file(source) and is_meant_as_archive(Path(source))


def read_archive(source: str, unpacking: Unpacking) -> Dataset:
    """The photos of an archive, unpacked. Raises DatasetError that names it."""
    # Here, and not above: who has photos as files needs no Arrow to list them.
    from retrain.photos.sources.contents import content_hashes

    path = Path(source)
    require_kind(path)
    (sha256,) = content_hashes([path], unpacking.bottleneck_dir, unpacking.paranoid)
    return read_unpacked(unpacked(path, sha256, unpacking), unpacking)


def unpacked_before(sha256: str, unpacking: Unpacking) -> Path | None:
    """The folder into which an archive of that content was unpacked; None if it was not, or not to its end."""
    found = (folder for folder in unpacking.sources.glob(f"*-{_digest(sha256)}") if (folder / RECORD).is_file())
    return next(found, None)


def unpacked(archive: Path, sha256: str, unpacking: Unpacking) -> Path:
    """The folder of an archive of that content; it is unpacked if it was not before. Raises DatasetError."""
    before = unpacked_before(sha256, unpacking)
    if before:
        return before
    target = unpacking.sources / f"{readable(without_suffix(archive.name))}-{_digest(sha256)}"
    remove_leftovers(target.parent)
    unpacking.progress.say(f"{archive} is unpacked to {target}, once.")
    record = {"archive": archive.name, "sha256": sha256}
    return unpack_to(
        target, record, unpacking, lambda folder: unpack_archive(archive, folder, unpacking.progress.opening)
    )


def unpack_to(target: Path, record: dict[str, Any], unpacking: Unpacking, write: Callable[[Path], Unpacked]) -> Path:
    """Fill a new folder aside, and put it in its place with its record. Raises DatasetError."""
    try:
        with temporary_folder(target.parent) as temporary:
            new = temporary / "new"
            found = write(new / CONTENT)
            counts = {"files": found.files, "bytes": found.size, "left_out": found.left_out[:MOST_LEFT_OUT]}
            unclear = {"unclear": found.unclear} if found.unclear else {}
            (new / RECORD).write_text(json.dumps({**record, **counts, **unclear}, indent=1), encoding="utf-8")
            sync()
            os.rename(new, target)
    except OSError as error:
        # Another process that unpacks the same archive may have finished first.
        if not (target / RECORD).is_file():
            raise DatasetError(
                f"{target} cannot be written ({reason_of(error)}): fix that and run the same command again, or choose "
                "another `source_dir`."
            ) from None
    return target


def read_unpacked(folder: Path, unpacking: Unpacking) -> Dataset:
    """The photos of what was unpacked into a folder, and what was left out of it."""
    dataset = unpacking.read(str(folder / CONTENT), unpacking)
    record = _record(folder / RECORD)
    roots = (Root(str(folder / CONTENT)), *dataset.roots)
    remarks = (*dataset.remarks, *_of_names(record))
    return replace(dataset, skipped=(*dataset.skipped, *_left_out(record)), remarks=remarks, roots=roots)


def _record(path: Path) -> dict[str, Any]:
    """What was written down of an archive; nothing where it cannot be read, as it is only a report."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _left_out(record: dict[str, Any]) -> list[Skipped]:
    try:
        return [Skipped(str(name), str(reason)) for name, reason in record["left_out"]]
    except (ValueError, TypeError, KeyError):
        return []


def _of_names(record: dict[str, Any]) -> Iterator[str]:
    """What is to be said of names that are in no code page that is known."""
    if name := record.get("unclear"):
        yield (
            f"{record.get('archive', 'The archive')} has names in an encoding that it does not say, such as "
            f"{shown(str(name))}: where classes are called wrongly, pack it anew with names in UTF-8, or unpack it and "
            "pass the folder."
        )


def _digest(sha256: str) -> str:
    return sha256_of_bytes(f"archive {sha256}".encode())[:16]


ARCHIVES = Source("archives", is_archive, read_archive, holds_others=True)
