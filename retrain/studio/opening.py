"""Whether a folder can be that of a studio: it is read as nothing else than class folders, or does not exist yet."""

import os
from pathlib import Path

from label_image.files import reason_of
from label_image.terminal import shown
from retrain.core.errors import DatasetError, OptionError, StudioError
from retrain.core.outputs import is_export
from retrain.photos.dataset import check_class_names
from retrain.photos.layouts.reading import Place
from retrain.photos.layouts.recognise import recognise
from retrain.photos.layouts.tree import list_tree
from retrain.photos.sources.folders import FOLDERS, read_folder
from retrain.photos.sources.registry import SOURCES
from retrain.studio.listing import list_folder, photo_names
from retrain.studio.names import check_meaning

ADVICE = "The studio works on a folder that has a folder of photos for each class"


def open_folder(path: Path) -> None:
    """Make a folder that is missing, and accept one that is empty, has class folders or loose photos.

    Raises StudioError for what `retrain --image_dir` would read as anything else, for an export, which the studio's own
    files would spoil, and for what cannot be changed.
    """
    itself = path.resolve()
    if any(map(is_export, (itself, *itself.parents))):
        raise StudioError(f"{path} is an export of a model, or lies in one: choose a folder of photos outside of it.")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = "it is a file" if path.is_file() else reason_of(error)
        raise StudioError(f"The folder {path} cannot be made: {what}. Choose another.") from None
    if path.resolve() in (Path.home().resolve(), Path("/")):
        raise StudioError(f"{path} holds all your files: make a folder for the photos in it, and open that.")
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise StudioError(f"The folder {path} cannot be written to: allow it, or choose another.")
    source = next((one for one in SOURCES if one.recognises(os.fspath(path))), FOLDERS)
    if source is not FOLDERS:
        raise StudioError(f"{path} holds tables that say the classes of its photos. {ADVICE}: choose another.")
    _check_reading(path)
    try:
        check_class_names(list_folder(path).classes)
    except DatasetError as error:
        raise StudioError(str(error)) from None


def _check_reading(path: Path) -> None:
    """Raise StudioError where the folder is read otherwise than the studio lists it."""
    try:
        reading = recognise(list_tree(str(path)), str(path), lambda inner: photo_names(path / inner))
    except OSError as error:
        raise StudioError(f"The folder {path} cannot be listed: {reason_of(error)}.") from None
    except (DatasetError, OptionError) as error:
        names = {photo.label for photo in list_folder(path).photos if photo.label is not None}
        if len(names) < 2 and isinstance(error, DatasetError):
            for name in names:
                check_meaning(name)
            return  # loose photos, or nothing
        raise StudioError(f"{error} {ADVICE}: rename what is none.") from None
    listing = list_folder(path)
    if reading.layout == "names" and not listing.classes:
        return  # loose photos, whatever they are called
    if reading.layout != "folders" or reading.places != (Place(""),):
        inside = reading.places[0].path
        advice = f" {shown(str(path / inside))} is such a folder." if inside else ""
        raise StudioError(f"{path} is read as {reading.summary()}. {ADVICE}.{advice}")
    listed = {(photo.file.path, photo.label) for photo in listing.photos if photo.label is not None}
    read = {(file.path, file.label) for file in read_folder(path).files}
    if listed != read:
        other = min(name for name, _ in listed ^ read)
        raise StudioError(
            f"{shown(other)} lies behind a link to another folder: the studio changes nothing there. Copy the photos "
            f"into {path}, or open that folder."
        )
