"""Sources of very many photos in portions, so that no more than one of them is held; their classes do not matter.

Of folders, on a disk or in a storage, all photos below them are listed while they are worked on. Other sources are
read as ever: what a table or an archive lists is held.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from label_image.errors import CredentialsError, StorageError
from label_image.files import reason_of
from label_image.folders import PassedOver, is_litter, is_video, walk
from label_image.object_storage import list_objects
from retrain.core.errors import DatasetError
from retrain.photos.dataset import PhotoFile, Skipped, Status
from retrain.photos.layouts.words import kind_of
from retrain.photos.object_states import ObjectStatus
from retrain.photos.opening import read_source
from retrain.photos.sources.base import Unpacking
from retrain.photos.sources.folders import FOLDERS, VIDEO
from retrain.photos.sources.objects import OBJECTS, root_of
from retrain.photos.sources.registry import SOURCES

NO_PHOTO = "is not a photo, by its name"
HIDDEN = "is hidden"


@dataclass
class Portion:
    """Some of the files of a source, and what was passed over on the way to them."""

    files: list[PhotoFile] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.files) + len(self.skipped)


def in_portions(sources: Sequence[str | os.PathLike[str]], unpacking: Unpacking, size: int) -> Iterator[Portion]:
    """The files of several sources, `size` at a time. Raises DatasetError, and what reading a source raises."""
    portion = Portion()
    for source in sources:
        for item in _files_of(os.fspath(source), unpacking):
            if isinstance(item, Skipped):
                portion.skipped.append(item)
            else:
                portion.files.append(item)
            if len(portion) == size:
                yield portion
                portion = Portion()
    if len(portion):
        yield portion


def _files_of(source: str, unpacking: Unpacking) -> Iterator[PhotoFile | Skipped]:
    kind = next((one for one in SOURCES if one.recognises(source)), None)
    if kind is OBJECTS:
        yield from _below_address(source)
    elif kind is FOLDERS:
        yield from _below_folder(source)
    else:
        dataset = read_source(source, unpacking)
        yield from dataset.files
        yield from dataset.skipped


def _below_address(source: str) -> Iterator[PhotoFile | Skipped]:
    root = root_of(source)
    start = len(root) + 1
    try:
        for address, size, mtime_ns in list_objects(root):
            parts = address[start:].split("/")
            if any(map(is_litter, parts)):
                yield Skipped(address, HIDDEN)
            elif "" in parts:
                yield Skipped(address, "cannot be read: its name has two slashes side by side")
            else:
                yield _file(address, parts[-1], ObjectStatus(size, mtime_ns))
    except FileNotFoundError:
        raise DatasetError(f"There is nothing at {source}: check its address.") from None
    except CredentialsError as error:
        raise DatasetError(str(error)) from None
    except StorageError as error:
        raise DatasetError(f"{error} Run the same command again, it goes on.") from None


def _below_folder(source: str) -> Iterator[PhotoFile | Skipped]:
    for _, entries, passed_over in walk([os.path.join(str(PurePath(source)), "")]):
        for entry in entries:
            try:
                yield _file(entry.path, entry.name, entry.stat())
            except OSError as error:
                yield Skipped(entry.path, f"cannot be read: {reason_of(error)}")
        yield from _reasons(passed_over)


def _file(path: str, name: str, status: Status) -> PhotoFile | Skipped:
    if is_video(name):
        return Skipped(path, VIDEO)
    if kind_of(name) == "other":
        return Skipped(path, NO_PHOTO)
    return PhotoFile.of(path, "", status)


def _reasons(passed_over: Iterable[PassedOver]) -> Iterator[Skipped]:
    return (Skipped(item.path, item.reason) for item in passed_over)
