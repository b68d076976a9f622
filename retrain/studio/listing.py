"""What lies in the folder of the studio at this moment: its classes, and its photos with their classes.

The folder is the only truth, and anybody may change it at any time. Which folders are classes and which files are
photos goes by the rules of `retrain --image_dir` (`photos.layouts`, `photos.sources.folders`); photos in the folder
itself, by their names, are unlabelled. Nothing is opened.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from label_image.files import reason_of
from label_image.folders import is_litter, is_video
from retrain.core.collecting import no_collecting
from retrain.core.errors import DatasetError, OptionError, StudioError
from retrain.photos.dataset import PhotoFile
from retrain.photos.layouts.reading import Place, Reading
from retrain.photos.layouts.recognise import recognise
from retrain.photos.layouts.shape import Shape
from retrain.photos.layouts.tree import Folder, list_tree
from retrain.photos.layouts.words import is_litter_folder, kind_of

DEEPEST = 100  # folders in folders


@dataclass(frozen=True, slots=True)
class StudioPhoto:
    """One file that may be a photo. `name` is its path from the folder, with slashes; `id` stands for it on the page.

    An `id` is 16 hex digits, looked up in the listing and never joined to a path. `label` is None where it is
    unlabelled; that of `file` is empty then.
    """

    id: str
    name: str
    label: str | None
    file: PhotoFile


@dataclass(frozen=True)
class Listing:
    """All classes, also those without photos, and all photos, both sorted.

    `version` is another one whenever a class or a photo is: by name, size, time of writing or inode.
    """

    folder: Path
    classes: tuple[str, ...]
    photos: tuple[StudioPhoto, ...]
    version: str
    by_id: Mapping[str, StudioPhoto]


def list_folder(folder: Path) -> Listing:
    """List it now. Links to folders are not followed. Raises StudioError if the folder itself cannot be listed."""
    with no_collecting():
        try:
            loose, folders = _top(folder)
            left_out = left_out_of(folder)
        except OSError as error:
            raise StudioError(f"The folder {folder} cannot be listed: {reason_of(error)}.") from None
        classes = [entry for entry in folders if entry.name not in left_out]
        photos = [_photo(entry, entry.name, None, status) for entry, status in loose]
        for entry in classes:
            photos += _photos_below(entry)
        photos.sort(key=attrgetter("name"))
        names = tuple(sorted(entry.name for entry in classes))
        return Listing(folder, names, tuple(photos), _version(names, photos), {photo.id: photo for photo in photos})


def id_of(name: str) -> str:
    """What the page calls the photo of that name."""
    return hashlib.blake2b(os.fsencode(name), digest_size=8).hexdigest()


def left_out_of(folder: Path) -> set[str]:
    """The names of folders in a folder that are no classes, as `retrain --image_dir` reads it. Raises OSError."""
    tree = list_tree(str(folder))
    try:
        reading = recognise(tree, str(folder), lambda path: photo_names(folder / path))
    except (DatasetError, OptionError):
        return _left_out_by_shape(tree)
    if reading.layout != "folders" or reading.places != (Place(""),):
        return _left_out_by_shape(tree)
    return _names(reading)


def photo_names(folder: Path) -> list[str]:
    """The names of the photos directly in a folder, as far as names tell; none where it cannot be listed."""
    try:
        return [name for name in sorted(os.listdir(folder)) if not is_litter(name) and kind_of(name) == "photo"]
    except OSError:
        return []


def _left_out_by_shape(tree: Folder) -> set[str]:
    return {one.path for one in Shape.of(tree).left_out(tree)}


def _names(reading: Reading) -> set[str]:
    return {one.path for one in reading.left_out}


def _top(folder: Path) -> tuple[list[tuple["os.DirEntry[str]", os.stat_result]], list["os.DirEntry[str]"]]:
    """The unlabelled photos and the folders in a folder."""
    loose: list[tuple[os.DirEntry[str], os.stat_result]] = []
    folders: list[os.DirEntry[str]] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_litter_folder(entry.name):
                continue
            if _is_real_folder(entry):
                folders.append(entry)
            elif kind_of(entry.name) == "photo" and (status := _status(entry)):
                loose.append((entry, status))
    return loose, folders


def _photos_below(class_folder: "os.DirEntry[str]") -> Iterator[StudioPhoto]:
    """The photos of a class, at any depth. What cannot be listed has none."""
    label = class_folder.name
    waiting: list[tuple[str, str, int]] = [(class_folder.path, label, 1)]
    while waiting:
        path, prefix, depth = waiting.pop()
        for entry in _entries(path):
            if is_litter(entry.name):
                continue
            if _is_real_folder(entry):
                if depth < DEEPEST:
                    waiting.append((entry.path, f"{prefix}/{entry.name}", depth + 1))
            elif not is_video(entry.name) and (status := _status(entry)):
                yield _photo(entry, f"{prefix}/{entry.name}", label, status)


def _entries(path: str) -> Sequence["os.DirEntry[str]"]:
    try:
        with os.scandir(path) as entries:
            return list(entries)
    except OSError:  # it is gone, or may not be read
        return ()


def _is_real_folder(entry: "os.DirEntry[str]") -> bool:
    return entry.is_dir(follow_symlinks=False)


def _status(entry: "os.DirEntry[str]") -> os.stat_result | None:
    """Of a regular file, or a link to one; None of anything else, and of what is gone meanwhile."""
    try:
        return entry.stat() if entry.is_file() else None
    except OSError:
        return None


def _photo(entry: "os.DirEntry[str]", name: str, label: str | None, status: os.stat_result) -> StudioPhoto:
    return StudioPhoto(id_of(name), name, label, PhotoFile.of(entry.path, label or "", status))


def _version(classes: Sequence[str], photos: Sequence[StudioPhoto]) -> str:
    parts = [repr(classes)]
    parts += [f"{one.name}\0{one.file.size} {one.file.mtime_ns} {one.file.inode}" for one in photos]
    text = "\n".join(parts).encode("utf-8", "surrogateescape")
    return hashlib.blake2b(text, digest_size=12).hexdigest()
