"""Where the photos lie that a table names: beside it, or in a folder near it, under names written in people's ways."""

import os
import re
import stat
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path

from label_image.folders import entries_of, is_litter, leads_to_folder
from label_image.not_paths import is_object_address
from retrain.core.errors import DatasetError
from retrain.photos.composed import ways_to_compose
from retrain.photos.dataset import SPLIT_FOLDERS

EXTENSIONS = tuple(
    form for name in (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif", ".heic")
    for form in (name, name.upper())
)  # fmt: skip
MOST_FOLDERS = 300  # that are looked into, on each level
PROBES = 20  # paths that are looked for in each of them
FEW = 10  # one of so many
SHOWN = 5


@dataclass(frozen=True)
class Place:
    """How the path in a table becomes that of a file.

    `root` is the table's folder, `folder` the way from there; one of `extensions` is added, the first with which there
    is a file. `tidy`: blanks at the ends are dropped, and a backslash separates folders.
    """

    root: str
    folder: str = ""
    extensions: tuple[str, ...] = ("",)
    tidy: bool = False

    def paths(self, name: str) -> Sequence[str]:
        """Where the file may be, the likeliest first; an address is what it says."""
        if is_object_address(name):
            return (name,)
        if len(self.extensions) == 1 and not self.tidy:  # as a rule, and there may be a million of them
            return (os.path.join(self._start, name + self.extensions[0]),)
        names = (name, tidied(name)) if self.tidy and tidied(name) != name else (name,)
        return [os.path.join(self._start, written + extension) for written in names for extension in self.extensions]

    def find(self, name: str) -> tuple[str, os.stat_result] | None:
        """The file that a path names, and what the system says of it, or else a folder; None where there is neither.

        One whose accents are composed otherwise on the disk is found, too, where there is none as it is written.
        Addresses are not looked for: see `retrain.photos.object_states`.
        """
        found = None
        if is_object_address(name):
            return None
        for written in ways_to_compose(name):
            for path in self.paths(written):
                try:
                    status = os.stat(path)
                except (OSError, ValueError):
                    continue
                if stat.S_ISREG(status.st_mode):
                    return path, status
                found = found or (path, status)
        return found

    @cached_property
    def _start(self) -> str:
        return os.path.join(self.root, self.folder) if self.folder else self.root

    @property
    def last(self) -> str:
        """The name of the folder itself, in small letters."""
        return os.path.basename(self.folder).lower()

    @property
    def is_plain(self) -> bool:
        """Whether a path is what it says: from the table's folder, as it is written."""
        return self == Place(self.root)

    def describe(self) -> str:
        """What is done to a path, in brackets; empty where nothing is."""
        parts = [f"in {Path(self.folder).as_posix()}/"] if self.folder else []
        added = [extension for extension in self.extensions if extension]
        parts += [f"with {' or '.join(added)} added"] if added else []
        parts += ["backslashes as slashes"] if self.tidy else []
        return f" ({', '.join(parts)})" if parts else ""


def tidied(name: str) -> str:
    """A path as Windows' and people's habits mean it."""
    return name.strip().replace("\\", "/")


@dataclass(frozen=True)
class Surroundings:
    """The folders in which a table's photos may be, seen once for all of its columns."""

    table: Path

    @property
    def root(self) -> str:
        """The table's own folder."""
        return str(self.table.parent)

    @cached_property
    def levels(self) -> tuple[tuple[str, ...], ...]:
        """Folders by their distance, as paths from the root: itself, below it, below those, above it."""
        below = _folders(self.root)
        second = [os.path.join(name, child) for name in below for child in _folders(os.path.join(self.root, name))]
        return ("",), tuple(below), tuple(second[:MOST_FOLDERS]), ("..",)


def found_in(place: Place, names: Sequence[str]) -> dict[str, str]:
    """The file of each path that names one; whether there is anything at an address is not asked here."""
    found = {name: name for name in names if is_object_address(name)}
    for name in names:
        file = place.find(name) if name else None
        if file is not None and stat.S_ISREG(file[1].st_mode):
            found[name] = file[0]
    return found


def find_place(around: Surroundings, names: Sequence[str]) -> tuple[Place, int] | None:
    """Where the files of a column lie, and how many of the paths name one; None if none does.

    Paths that are right as they stand are taken so, if half of them are. Raises DatasetError where two folders would do
    as well.
    """
    names = tuple(dict.fromkeys(name for name in names if name))
    plain = Place(around.root)
    as_they_stand = len(found_in(plain, names))
    if 2 * as_they_stand >= len(names) > 0:
        return plain, as_they_stand
    probes = names[:: max(1, len(names) // PROBES)][:PROBES]
    filled: list[tuple[Place, int]] = []
    # Where more than a few are right as they stand, the folder is.
    for folders in around.levels[:1] if FEW * as_they_stand > len(names) else around.levels:
        places = (Place(around.root, folder, ("", *EXTENSIONS), tidy=True) for folder in folders)
        here = [(place, hits) for place in places if (hits := len(found_in(place, probes)))]
        if any(hits == len(probes) or (2 * hits >= len(probes) and not place.folder) for place, hits in here):
            filled = here
            break
        filled += here
    if not filled:
        return (plain, as_they_stand) if as_they_stand else None
    place = _narrowed(around, _best(around, filled, len(probes)), names)
    return max((place, len(found_in(place, names))), (plain, as_they_stand), key=lambda one: one[1])


def _best(around: Surroundings, filled: Sequence[tuple[Place, int]], wanted: int) -> Place:
    """The one place that has the photos. Several are told apart by the table's name: train_labels.csv is of train/.

    Photos of other sets often have the same numbers for names: so a few that are found elsewhere prove nothing.
    """
    complete = [place for place, hits in filled if hits == wanted]
    words = set(re.split(r"[\W_]+", around.table.stem.lower()))
    for candidates in (complete, [place for place in complete if place.last in words]):
        if len(candidates) == 1:
            return _of_same_side(around, candidates[0], words)
    likely = max(filled, key=lambda one: one[1])
    if len(filled) == 1 and (2 * likely[1] >= wanted or not likely[0].folder):
        return _of_same_side(around, likely[0], words)
    shown = ", ".join(f"{Path(place.folder or '.').as_posix()}/" for place, _ in filled[:SHOWN])
    which = "photos of these names" if len(complete) > 1 else "some photos of these names, not all of them,"
    each = "in each of the folders" if len(filled) > 1 else "in the folder"
    raise DatasetError(
        f"{around.table}: there are {which} {each} {shown}; if they are meant, write the folder before each name."
    )


def _of_same_side(around: Surroundings, place: Place, words: Collection[str]) -> Place:
    """The place, unless the table is of train and it is test/, as where only one of two archives was unpacked."""
    sides = {SPLIT_FOLDERS[word] for word in words if word in SPLIT_FOLDERS}
    if sides and place.last in SPLIT_FOLDERS and SPLIT_FOLDERS[place.last] not in sides:
        raise DatasetError(
            f"{around.table}: photos of these names are only in {Path(place.folder).as_posix()}/, which by its name is "
            "of another side of the split; if they are meant, write the folder before each name."
        )
    return place


def _narrowed(around: Surroundings, place: Place, names: Sequence[str]) -> Place:
    """A place without the extensions and habits that this table does not need; the most frequent extension first.

    Raises DatasetError where a name is that of two files: one of them may be a mask, or a preview, of the other.
    """
    counts = dict.fromkeys(place.extensions, 0)
    complete = found_in(replace(place, extensions=("",)), names)
    files: dict[str, str] = {}
    is_tidy = False
    for extension in place.extensions:
        one = replace(place, extensions=(extension,))
        hits = found_in(one, names)
        counts[extension] = len(hits)
        is_tidy |= len(found_in(replace(one, tidy=False), list(hits))) < len(hits)
        for name, file in hits.items():
            other = files.setdefault(name, file)
            if name not in complete and other.lower() != file.lower():
                raise DatasetError(
                    f"{around.table}: {name} may be {os.path.basename(other)} or {os.path.basename(file)}, which both "
                    f"lie in {Path(place.folder or '.').as_posix()}/: write the extension behind each name."
                )
    used = sorted((extension for extension in counts if counts[extension]), key=lambda one: -counts[one])
    return replace(place, extensions=tuple(used) or ("",), tidy=is_tidy)


def _folders(path: str) -> list[str]:
    """The folders in a folder, sorted, without litter; none where it cannot be listed."""
    try:
        entries = entries_of(path)
    except OSError:
        return []
    names = (entry.name for entry in entries if not is_litter(entry.name) and leads_to_folder(entry))
    return list(islice(names, MOST_FOLDERS))
