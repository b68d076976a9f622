"""Folders of photos: one for each class, also inside of those of a split; or photos whose names say their classes.

    cats/Bengal/1.jpg
    flowers/train/daisy/1.jpg, flowers/valid/daisy/2.jpg, flowers/test/daisy/3.jpg
    pets/images/great_pyrenees_12.jpg

How a folder is read is decided by `retrain.photos.layouts`. No photo is opened; what is passed over is listed with the
reason.
"""

import errno
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath

from label_image.files import reason_of
from label_image.folders import is_litter, is_video
from retrain.core.collecting import no_collecting
from retrain.core.errors import DatasetError
from retrain.photos.dataset import Dataset, PhotoFile, Skipped
from retrain.photos.layouts.file_names import label_in
from retrain.photos.layouts.reading import Layout, Place, Reading
from retrain.photos.layouts.recognise import recognise
from retrain.photos.layouts.words import kind_of
from retrain.photos.sources.base import Source, Unpacking, is_folder
from retrain.photos.sources.listing import Entry, Listing, OnDisk

VIDEO = "is a video"


def read_folder(root: Path, layout: Layout = "auto", class_name: str | None = None) -> Dataset:
    """The photos of a folder, in the order in which they are found. Raises DatasetError, and OptionError.

    A folder that holds photos alone is a class of the name `class_name`, where there is one.
    """
    return read_listing(OnDisk(root), layout, class_name)


def read_listing(listing: Listing, layout: Layout = "auto", class_name: str | None = None) -> Dataset:
    """The same of what has been listed anywhere."""
    try:
        tree = listing.tree()
    except OSError as error:
        raise _not_listed(listing.path(""), error) from None
    reading = recognise(tree, listing.path(""), lambda path: _photo_names(listing, path), layout, class_name)
    left_out = {PurePath(one.path): one.reason for one in reading.left_out}
    skipped = list(_beside(listing, reading, left_out))
    if reading.layout == "names":
        dataset = _list_named_files(listing, reading)
    elif reading.layout == "class":
        dataset = _list_one_class(listing, reading.places[0], reading.classes[0])
    else:
        dataset = _list_class_folders(listing, reading.places, left_out)
    summary = replace(reading, classes=dataset.labels).summary()
    return replace(dataset, skipped=(*skipped, *dataset.skipped), reading=summary, ordinary=reading.ordinary)


def _beside(listing: Listing, reading: Reading, left_out: Mapping[PurePath, str]) -> Iterator[Skipped]:
    """What lies beside the folders in which classes are, up to the root."""
    places = {PurePath(place.path) for place in reading.places}
    above = {folder for place in reading.places for folder in PurePath(place.path).parents}
    plain = "is not in one of the split folders" if reading.layout == "splits" else "is not in a class folder"
    for folder in sorted(above):
        for entry in _entries(listing, str(folder)):
            path = folder / entry.name
            if path not in above and path not in places:
                hidden = reading.layout != "splits" and is_litter(entry.name)
                reason = "is hidden" if hidden else left_out.get(path) or _leads_nowhere(entry) or plain
                yield Skipped(entry.path, reason)


def _photo_names(listing: Listing, folder: str) -> list[str]:
    """The names of the photos directly in a folder, as far as names tell."""
    return [
        entry.name
        for entry in _entries(listing, folder)
        if not is_litter(entry.name) and kind_of(entry.name) == "photo"
    ]


def _list_named_files(listing: Listing, reading: Reading) -> Dataset:
    """The photos of folders in which each file's name says its class. Raises DatasetError where one does not."""
    files: list[PhotoFile] = []
    skipped: list[Skipped] = []
    places: list[Place] = list(reading.places)
    for start, entries, passed_over in listing.below(listing.path(place.path) + os.sep for place in places):
        for entry in entries:
            label = label_in(entry.name, reading.pattern)
            if is_video(entry.name):
                skipped.append(Skipped(entry.path, VIDEO))
            elif kind_of(entry.name) != "photo":
                skipped.append(Skipped(entry.path, "is not a photo, by its name"))
            elif label is None:
                raise DatasetError(f"{entry.path} has no class in its name, unlike the others: rename or move it.")
            else:
                try:
                    files.append(PhotoFile.of(entry.path, label, entry.stat(), places[start].side))
                except OSError as error:
                    skipped.append(Skipped(entry.path, f"cannot be read: {reason_of(error)}"))
        skipped += (Skipped(item.path, item.reason) for item in passed_over)
    return Dataset(tuple(files), tuple(skipped))


def _list_one_class(listing: Listing, place: Place, label: str) -> Dataset:
    """The photos of a folder that is a class itself."""
    files: list[PhotoFile] = []
    skipped: list[Skipped] = []
    for _, entries, passed_over in listing.below([listing.path(place.path) + os.sep]):
        for entry in entries:
            try:
                files.append(PhotoFile.of(entry.path, label, entry.stat()))
            except OSError as error:
                skipped.append(Skipped(entry.path, f"cannot be read: {reason_of(error)}"))
        skipped += (Skipped(item.path, item.reason) for item in passed_over)
    return Dataset(tuple(files), tuple(skipped))


def _list_class_folders(listing: Listing, places: Sequence[Place], left_out: Mapping[PurePath, str]) -> Dataset:
    """The photos of class folders, which lie in one folder for each side, or in one for all."""
    files: list[PhotoFile] = []
    skipped: list[Skipped] = []
    unlisted: list[str] = []
    folders: list[tuple[Place, Entry]] = []
    for place in places:
        for entry in _entries(listing, place.path):
            reason = (left_out and left_out.get(PurePath(place.path, entry.name))) or _no_class_folder(entry)
            if reason:
                skipped.append(Skipped(entry.path, reason))
                unlisted += [f"{entry.path} {reason}"] if reason.startswith("cannot") else []
            else:
                folders.append((place, entry))
    inside = _in_class_folders(places, left_out)
    skipped += (Skipped(listing.path(str(path)), left_out[path]) for path in inside)
    beginnings = tuple(listing.path(str(path)) + os.sep for path in inside)
    filled = set()
    for start, entries, passed_over in listing.below(entry.path for _, entry in folders):
        if entries and entries[0].path.startswith(beginnings):
            continue
        place, class_folder = folders[start]
        before = len(files)
        for entry in entries:
            if is_video(entry.name):
                skipped.append(Skipped(entry.path, VIDEO))
                continue
            try:
                files.append(PhotoFile.of(entry.path, class_folder.name, entry.stat(), place.side))
            except OSError as error:
                skipped.append(Skipped(entry.path, f"cannot be read: {reason_of(error)}"))
        if len(files) > before:
            filled.add(start)
        skipped += (Skipped(item.path, item.reason) for item in passed_over)
        unlisted += (f"{item.path} {item.reason}" for item in passed_over if item.kind == "unlisted")
    remarks = []
    for place in places:
        of_place = ((start, entry.name) for start, (around, entry) in enumerate(folders) if around == place)
        if empty := [name for start, name in of_place if start not in filled]:
            remarks.append(
                f"{listing.path(place.path)} has class folders without photos, left out: {', '.join(empty)}."
            )
    if unlisted:
        more = f" ({len(unlisted) - 1} more so)" if len(unlisted) > 1 else ""
        remarks.append(f"Photos may be missing: {unlisted[0]}{more}.")
    return Dataset(tuple(files), tuple(skipped), tuple(remarks))


def _in_class_folders(places: Sequence[Place], left_out: Iterable[PurePath]) -> list[PurePath]:
    """Those of the folders that are left out which lie within class folders, and not beside them."""
    around = {PurePath(place.path) for place in places}
    return [path for path in left_out if path.parent not in around and around.intersection(path.parents)]


def _no_class_folder(entry: Entry) -> str:
    """Why an entry is no class folder, as a phrase that continues its path; empty if it is one."""
    if is_litter(entry.name):
        return "is hidden"
    try:
        return "" if entry.is_dir() else _leads_nowhere(entry) or "is not in a class folder"
    except OSError:  # a link to itself, or into a folder that may not be entered
        return _leads_nowhere(entry) or "is not in a class folder"


def _leads_nowhere(entry: Entry) -> str:
    """What hinders following a link, as a phrase that continues its path; empty where nothing does.

    It may be a class folder, as on a disk that is not mounted.
    """
    try:
        entry.stat()
    except OSError as error:
        is_nothing = error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
        return "is a link to nothing" if is_nothing else f"cannot be read: {reason_of(error)}"
    return ""


def _entries(listing: Listing, folder: str) -> Sequence[Entry]:
    try:
        return listing.entries(folder)
    except OSError as error:
        raise _not_listed(listing.path(folder), error) from None


def _not_listed(folder: str, error: OSError) -> DatasetError:
    return DatasetError(f"The folder {folder} cannot be listed: {reason_of(error)}.")


def _read(source: str, unpacking: Unpacking) -> Dataset:
    with no_collecting():
        return read_folder(Path(source), unpacking.layout, unpacking.class_name)


FOLDERS = Source("folders", is_folder, _read)
