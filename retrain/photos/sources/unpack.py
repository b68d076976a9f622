"""Photos that are no files are written once, as files beside a manifest; all that follows works on paths.

    tf_files/sources/<name>-<digest>/
        photos.csv                  path,label,split: what the source holds, in its order
        photos.csv.sha256           its seal, as `sha256sum` writes and checks it
        skipped.csv                 path,reason: entries without a photo or without a class
        train/daisy/<hash>.jpg

The digest is of what determines the content, so another content goes into another folder and an
unchanged source is not written again. A folder that is being filled has a name of its own
(`.<name>-<digest>.part`) and is renamed when it is complete; an interrupted run goes on in it. One whose table
is no longer what was written is set aside (`<name>-<digest>.damaged`): classes never come from a damaged table.
Names of photos come from their content and names of folders from those of the classes, made
harmless; the manifest alone says what class a photo belongs to.
"""

import csv
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from label_image.files import reason_of, remove_leftovers, sha256_of, sha256_of_bytes, temporary_folder
from label_image.photo_files.kinds import extension_of
from retrain.core.errors import DatasetError
from retrain.core.placing import set_aside
from retrain.photos.dataset import Dataset, Skipped, Split, check_class_names, require_two_classes
from retrain.photos.sources.base import Encoded, Unpacking
from retrain.photos.sources.manifests import read_manifest
from retrain.photos.text_tables import table_rows

MANIFEST = "photos.csv"
SEAL = "photos.csv.sha256"
SKIPPED = "skipped.csv"
FOLDERS: dict[Split | None, str] = {
    "training": "train",
    "validation": "validation",
    "testing": "test",
    None: "photos",
}
UNKNOWN = ".bin"  # what the name of a photo ends in that is none: that is said when it is read
REPORT_PHOTOS = 100  # photos written between two reports of progress

Observer = Callable[[int, int], None]  # photos written so far, of how many


def unpack(
    entries: Iterable[Encoded | Skipped],
    identity: Mapping[str, object],
    source: str,
    unpacking: Unpacking,
    total: int = 0,
) -> Dataset:
    """The photos of a source, from files that are written now if they were not before.

    `entries` is read only if something has to be written, and never held as a whole; there are `total` of
    them. `identity` is what determines the content, as JSON; `source` names the source for people. Raises
    DatasetError if the source holds no classification problem, or the disk is full.
    """
    digest = sha256_of_bytes(json.dumps(identity, sort_keys=True).encode())[:16]
    folder = unpacking.sources
    remove_leftovers(folder)
    # The name is for people; the same content under another name is the same source.
    target = next(folder.glob(f"*-{digest}"), folder / f"{readable(Path(source).stem)}-{digest}")
    _put_aside_if_damaged(target, unpacking.progress.say)
    if not (target / MANIFEST).exists():
        part = target.with_name(f".{target.name}.part")
        unpacking.progress.say(f"The photos of {source} are written to {target}, once.")
        try:
            with temporary_folder(part.parent) as temporary:
                _write(_observed(entries, total, unpacking.progress.unpacking), part, temporary, source)
            sync()
            os.rename(part, target)
        except OSError as error:
            # Another process that unpacks the same source may have finished first.
            if not (target / MANIFEST).exists():
                raise DatasetError(
                    f"The photos of {source} cannot be written to {part} ({reason_of(error)}): fix that and "
                    "run the same command again: it continues where it stopped."
                ) from None
            shutil.rmtree(part, ignore_errors=True)
    dataset = read_manifest(target / MANIFEST)
    return replace(dataset, skipped=(*_read_skipped(target / SKIPPED), *dataset.skipped))


def _put_aside_if_damaged(target: Path, say: Callable[[str], None]) -> None:
    """Rename an unpacked source whose table does not match its seal; one of before there were seals is believed."""
    try:
        if not (target / SEAL).exists():
            return
        if (target / MANIFEST).exists() and (target / SEAL).read_bytes() == _seal(target / MANIFEST):
            return
    except OSError as error:
        raise DatasetError(f"{error.filename} cannot be read ({reason_of(error)}): move {target} away.") from None
    try:
        aside = set_aside(target)
    except OSError as error:
        raise DatasetError(
            f"{target / MANIFEST} is damaged, and cannot be set aside ({reason_of(error)}): move {target} away, and it "
            "is written anew."
        ) from None
    say(f"{target} was damaged: it is now {aside.name}, and written anew.")


def _seal(manifest: Path) -> bytes:
    return f"{sha256_of(manifest)}  {MANIFEST}\n".encode()


def _observed(entries: Iterable[Encoded | Skipped], total: int, observe: Observer) -> Iterator[Encoded | Skipped]:
    """The entries; reports how many were written, at the last one that it is all of them."""
    done = 0
    for entry in entries:
        if done % REPORT_PHOTOS == 0:
            observe(done, total)
        yield entry
        done += 1
    observe(done, done)


def _write(entries: Iterable[Encoded | Skipped], folder: Path, temporary: Path, source: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folders: dict[tuple[str, Split | None], Path] = {}  # of classes
    copies: Counter[Path] = Counter()
    # Another process may be filling the same folder: photos are the same, half-written tables are not.
    tables = {name: temporary / name for name in (SKIPPED, MANIFEST)}
    with (
        open(tables[MANIFEST], "w", encoding="utf-8", newline="") as manifest_file,
        open(tables[SKIPPED], "w", encoding="utf-8", newline="") as skipped_file,
    ):
        manifest, skipped = csv.writer(manifest_file), csv.writer(skipped_file)
        manifest.writerow(("path", "label", "split"))
        for entry in entries:
            if isinstance(entry, Skipped):
                skipped.writerow((entry.path, entry.reason))
                continue
            if (entry.label, entry.split) not in folders:
                check_class_names([entry.label])
                class_folder = Path(FOLDERS[entry.split], _harmless(entry.label))
                (folder / class_folder).mkdir(parents=True, exist_ok=True)
                folders[entry.label, entry.split] = class_folder
            name = folders[entry.label, entry.split] / sha256_of_bytes(entry.data)[:32]
            copies[name] += 1
            number = f"_{copies[name]}" if copies[name] > 1 else ""
            path = Path(f"{name}{number}{extension_of(entry.data) or UNKNOWN}")
            _write_photo(folder / path, entry.data, temporary)
            manifest.writerow((path.as_posix(), entry.label, FOLDERS[entry.split] if entry.split else ""))
    labels = sorted({label for label, _ in folders})
    try:
        check_class_names(labels)
        require_two_classes(labels, source)
    except DatasetError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    (temporary / SEAL).write_bytes(_seal(tables[MANIFEST]))
    os.replace(temporary / SEAL, folder / SEAL)
    for table_name, table in tables.items():
        os.replace(table, folder / table_name)


def _write_photo(path: Path, data: bytes, temporary: Path) -> None:
    """Write a photo unless an interrupted run has done it; after a power cut it may have done it in name only."""
    try:
        if os.stat(path).st_size == len(data) and path.read_bytes() == data:
            return
    except FileNotFoundError:
        pass
    new = temporary / path.name
    new.write_bytes(data)
    os.replace(new, path)


def sync() -> None:
    """Photos are on the disk before the name that promises them. One by one it would take far longer."""
    if hasattr(os, "sync"):
        os.sync()


def _read_skipped(path: Path) -> list[Skipped]:
    try:
        return [Skipped(row[0], row[1]) for _, row in table_rows(path) if len(row) == 2]
    except DatasetError:
        return []  # only a report


def _harmless(name: str) -> str:
    """A folder's name for a class's: readable, and no other class's, whatever the name holds."""
    shown = readable(name)
    # Case too: some file systems take Cat and cat for the same folder.
    return shown if shown == name == name.lower() else f"{shown}-{sha256_of_bytes(name.encode())[:8]}"


def readable(name: str) -> str:
    """A name for people, harmless whatever it holds."""
    return re.sub(r"[^\w &',()+-]", "_", name)[:50].strip() or "_"
