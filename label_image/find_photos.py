"""Which photos the arguments of `label_image` name: files, folders and patterns."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from label_image.folders import BY_NAME, Found, PassedOver, by_its_name, is_litter, walk
from label_image.not_paths import STANDARD_INPUT, is_no_path, is_object_address

ANY_FOLDERS = "**"


def find_photos(images: Iterable[str]) -> Iterator[Found]:
    """The files that the arguments name; folders are walked, patterns expanded, hidden files passed over.

    Standard input and addresses are yielded as they are, but for a folder in object storage, which is listed.

    An argument that matches nothing is yielded as it is, so that reading it says what is wrong. So is what a folder
    holds that is no file; folders that are empty or cannot be listed, and what is a video or no photo by its name in
    folders, are yielded as PassedOver. Raises StorageError where an object storage cannot be asked.
    """
    for image in images:
        if is_object_address(image):
            yield from _in_storage(image)
        elif is_no_path(image):
            yield image
        elif os.path.isdir(image):
            yield from _unless_empty(image, _walk(image))
        elif not os.path.lexists(image) and glob.has_magic(image):
            yield from _matches(image)
        else:
            yield image


def each_file_once(found: Iterable[Found]) -> Iterator[Found]:
    """What was found, and of a file that has several paths, by links or in other spellings of its folder, the first."""
    real: dict[str, str] = {}
    seen: set[int] = set()  # hashes, which take less than paths
    for one in found:
        if isinstance(one, str):
            folder, name = os.path.split(one)
            if folder not in real:
                real[folder] = os.path.realpath(folder or os.curdir)
            place = hash((real[folder], name))
            if place in seen:
                continue
            seen.add(place)
        yield one


def _in_storage(address: str) -> Iterator[Found]:
    """An object, or all below a folder, as they are listed: of any number, few are held."""
    from label_image.object_storage import object_at

    if not address.endswith("/") and object_at(address) is not None:
        yield address
        return
    try:
        yield from _unless_empty(address, _listed(address))
    except FileNotFoundError:
        yield address


def _listed(address: str) -> Iterator[Found]:
    """Raises FileNotFoundError where there is no such folder."""
    from label_image.object_storage import list_objects

    start = f"{address.rstrip('/')}/"
    for item in list_objects(address):
        names = item.address.removeprefix(start).split("/")
        if not any(map(is_litter, names)):
            yield by_its_name(names[-1], item.address)


def _unless_empty(folder: str, items: Iterable[Found]) -> Iterator[Found]:
    """What is below a folder and, where no photo is, a word about it."""
    found, videos = False, 0
    for item in items:
        kind = item.kind if isinstance(item, PassedOver) else ""
        found, videos = found or kind not in BY_NAME, videos + (kind == "video")
        yield item
    if videos and not found:
        yield PassedOver(folder, "unlisted", f"holds no photo, only videos ({videos})")
    elif not found:
        yield PassedOver(folder, "empty", "holds no photo")


def _walk(folder: str) -> Iterator[Found]:
    # With a slash, a link that was named is followed as if it were the folder.
    start = os.path.join(str(Path(folder)), "")
    dot = os.path.join(os.curdir, "") if start == os.path.join(os.curdir, "") else ""
    for _, files, passed_over in walk([start]):
        for entry in files:
            path = entry.path.removeprefix(dot) if entry.name != STANDARD_INPUT else entry.path
            yield by_its_name(entry.name, path)
        yield from (item.path for item in passed_over if item.kind == "no file")
        yield from (item for item in passed_over if item.kind == "unlisted")


def _matches(pattern: str) -> Iterator[Found]:
    """What a pattern matches. Below `**` each folder is walked once; Python's own glob follows links without end."""
    start, parts = _at_any_folders(pattern)
    matches = _matches_below(start, parts) if parts else _plain_matches(pattern)
    found = False
    for item in matches:
        found = found or isinstance(item, str)
        yield item
    if not found:
        yield pattern


def _plain_matches(pattern: str) -> Iterator[str]:
    named = not glob.has_magic(os.path.basename(pattern))
    yield from (path for path in sorted(glob.glob(pattern)) if named or not is_litter(os.path.basename(path)))


def _matches_below(start: str, parts: Sequence[str]) -> Iterator[Found]:
    for folder in sorted(filter(os.path.isdir, glob.glob(start or os.curdir))):
        for item in _walk(folder):
            is_file = isinstance(item, str) or item.kind in BY_NAME
            path = item if isinstance(item, str) else item.path
            if not is_file or _fits(os.path.relpath(path, folder).split(os.sep), parts):
                yield item


def _at_any_folders(pattern: str) -> tuple[str, Sequence[str]]:
    """A pattern before its first `**`, and its parts from there on; none if it has no `**`."""
    pattern = pattern.replace(os.altsep, os.sep) if os.altsep else pattern
    parts = pattern.split(os.sep)
    at = parts.index(ANY_FOLDERS) if ANY_FOLDERS in parts else len(parts)
    return os.path.join(os.sep.join(parts[:at]), "") if at else "", parts[at:]


def _fits(names: Sequence[str], parts: Sequence[str]) -> bool:
    """Whether a path fits a pattern in which `**` stands for any number of folders, at its end for all that is left."""
    used = {0}  # how many parts may have been used up
    for name in names:
        used = {after for at in used for after in _after(name, parts, at)}
    return any(set(parts[at:]) <= {ANY_FOLDERS} for at in used)


def _after(name: str, parts: Sequence[str], at: int) -> Iterator[int]:
    """How many parts may have been used up after one more name."""
    while at < len(parts) and parts[at] == ANY_FOLDERS:
        yield at
        at += 1
    if at < len(parts) and fnmatch(name, parts[at]):
        yield at + 1
