"""Archives that are dropped on the page: a zip or tar of class folders, or of loose photos.

They are unpacked within bounds (`photos.archives`), beside the photos, and read as `retrain --image_dir` reads a
folder: its classes become classes of the studio, one folder around all is ignored, and loose photos go where they were
dropped.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from label_image.errors import PhotoError
from label_image.files import sha256_of_bytes
from label_image.folders import is_litter
from label_image.preprocessing import photo_bytes, read_header
from retrain.core.errors import DatasetError, OptionError, StudioError
from retrain.core.language import translated
from retrain.insight.html.rendering import shown
from retrain.photos.archives.unpack import unpack_archive
from retrain.photos.dataset import Skipped
from retrain.photos.layouts.recognise import recognise
from retrain.photos.layouts.tree import list_tree
from retrain.photos.layouts.words import is_litter_folder, kind_of
from retrain.photos.sources.folders import read_folder
from retrain.photos.sources.unpack import sync
from retrain.studio.changes import Added, Arrived, Changes
from retrain.studio.listing import photo_names
from retrain.studio.names import photo_name
from retrain.studio.sentences import told


@dataclass(frozen=True)
class Incoming:
    """What an archive brought: photos that are new, those that were known already, and what was refused."""

    added: tuple[Added, ...]
    known: int
    refused: tuple[Skipped, ...]


def add_archive(changes: Changes, path: Path, label: str | None) -> Incoming:
    """Add the photos of an archive as one change. Loose ones go to a class; None: they are unlabelled.

    Raises StudioError where the archive is damaged, encrypted, none, or not to be trusted.
    """
    with changes.arriving() as folder:
        try:
            unpacked = unpack_archive(path, folder / "unpacked")
        except DatasetError as error:
            raise StudioError(_in_plain_words(str(error), path, folder)) from None
        refused = [Skipped(name, reason) for name, reason in unpacked.left_out]
        arrived: list[Arrived] = []
        seen: set[tuple[str | None, str]] = set()
        known = 0
        classes: dict[str, str | StudioError] = {}
        for file, given in _photos(folder / "unpacked", label, refused):
            name = file.relative_to(folder / "unpacked").as_posix()
            try:
                place = None if given is None else _class(changes, given, classes)
                with photo_bytes(file) as data:
                    wanted = photo_name(file.name, data)
                    read_header(data)
                    content = (place, sha256_of_bytes(data))
                    if content in seen or changes.known(place, data) is not None:
                        known += 1
                        continue
                    seen.add(content)
            except PhotoError as error:
                refused.append(Skipped(name, str(error)))
            except StudioError as error:
                refused.append(Skipped(name, translated("has no place: {why}", why=str(error))))
            else:
                arrived.append(Arrived(file.relative_to(changes.folder).as_posix(), place, wanted))
        sync()
        return Incoming(tuple(changes.add_arrived(arrived, label)), known, tuple(refused))


def _class(changes: Changes, given: str, classes: dict[str, str | StudioError]) -> str:
    """The class for a folder's name. Raises StudioError, for each photo of one that can be no class."""
    if given not in classes:
        try:
            classes[given] = changes.class_for(given, [one for one in classes.values() if isinstance(one, str)])
        except StudioError as error:
            classes[given] = error
    found = classes[given]
    if isinstance(found, StudioError):
        raise found
    return found


def _photos(root: Path, label: str | None, refused: list[Skipped]) -> Iterator[tuple[Path, str | None]]:
    """The files of what was unpacked, each with its class; loose ones with `label`. Adds to `refused`."""
    inner = _inside(root)
    labelled: dict[Path, str] = {}
    if _has_classes(inner, label):
        found = read_folder(inner)
        labelled = {Path(file.path): file.label for file in found.files}
    for path, folders, files in os.walk(inner):
        folders[:] = sorted(name for name in folders if not is_litter_folder(name))
        for name in sorted(files):
            file = Path(path, name)
            if is_litter(name):
                continue
            if file in labelled:
                yield file, labelled[file]
            elif kind_of(name) != "other":
                yield file, label
            else:
                refused.append(Skipped(file.relative_to(root).as_posix(), translated("is not a photo, by its name")))


def _inside(root: Path) -> Path:
    """The folder in which there is more than one other folder; at most one around it is ignored."""
    names = [name for name in os.listdir(root) if not is_litter_folder(name)]
    alone = root / names[0] if len(names) == 1 else root
    return alone if alone.is_dir() and any(one.is_dir() for one in alone.iterdir()) else root


def _has_classes(folder: Path, label: str | None) -> bool:
    """Whether there are class folders, as folders are read; a single one is none where it was dropped on a class."""
    try:
        reading = recognise(list_tree(str(folder)), str(folder), lambda path: photo_names(folder / path))
    except (DatasetError, OptionError, OSError):
        return False
    return reading.layout in ("folders", "splits") and (label is None or len(reading.classes) > 1)


def _in_plain_words(sentence: str, path: Path, folder: Path) -> str:
    """A sentence of the command line for a page, which knows no paths, in its language."""
    sentence = told(sentence)
    sentence = sentence.replace(shown(path), translated("The archive"))
    sentence = sentence.replace(shown(folder / "unpacked"), translated("the folder of photos"))
    return sentence.replace(", or choose another `source_dir`", "")
