"""What lies in a folder and below it, by name and within bounds: large folders are not read to their ends."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from label_image.folders import SYSTEM, is_litter, leads_to_folder
from retrain.photos.layouts.words import LITTER_FOLDERS, kind_of

LOOKED_AT = 64  # files of a folder, of which one is a photo, before it counts as one without folders in it
MOST_FOLDERS = 10_000  # that are listed at all: the upper ones first
DEEPEST = 100


@dataclass(frozen=True, eq=False)  # one is itself: comparing whole trees would take long
class Folder:
    """A folder by the names of what lies in it.

    `path` is relative to the folder that was listed first, whose own is empty. Counts of files are lower bounds:
    `photos` by their extension, `bare` without one, `strange` with an unknown one, `others` that are surely none,
    by extension. One that was not `listed` may hold anything. `litter` are folders left by systems and tools.
    """

    path: str
    folders: tuple["Folder", ...] = ()
    litter: tuple[str, ...] = ()
    photos: int = 0
    bare: int = 0
    strange: int = 0
    others: Mapping[str, int] = field(default_factory=dict)
    listed: bool = True

    @property
    def name(self) -> str:
        """Its own name, without what it lies in."""
        return os.path.basename(self.path)


@dataclass
class _Found:
    """A folder while its tree is being listed."""

    path: str
    depth: int
    via_link: bool
    inside: list[int] = field(default_factory=list)
    litter: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    listed: bool = True


def list_tree(root: str) -> Folder:
    """The tree below a folder. Raises OSError if the folder itself cannot be listed."""
    found = [_Found("", 0, False)]
    position = 0
    while position < len(found):  # level by level
        place = found[position]
        if position >= MOST_FOLDERS or place.depth > DEEPEST:
            place.listed = False
        else:
            try:
                folders = _look(os.path.join(root, place.path), place)
            except OSError:
                if position == 0:
                    raise
                place.listed, folders = False, []
            for name, is_link in folders:
                place.inside.append(len(found))
                found.append(_Found(os.path.join(place.path, name), place.depth + 1, place.via_link or is_link))
        position += 1
    return _frozen(found)


def tree_of(files: Iterable[str]) -> Folder:
    """The tree in which files of these relative paths lie, as if it had been listed."""
    found = [_Found("", 0, False)]
    at = {"": 0}
    for file in sorted(files):
        folder = ""
        parts = file.split("/")
        for part in parts[:-1]:
            if is_litter(part):
                break
            if part.lower() in LITTER_FOLDERS:
                if part not in found[at[folder]].litter:
                    found[at[folder]].litter.append(part)
                break
            below = os.path.join(folder, part)
            if below not in at:
                at[below] = len(found)
                found[at[folder]].inside.append(len(found))
                found.append(_Found(below, 0, False))
            folder = below
        else:
            if not is_litter(parts[-1]):
                _count(found[at[folder]], parts[-1])
    return _frozen(found)


def _look(path: str, place: _Found) -> list[tuple[str, bool]]:
    """Count the files of a folder; the names of the folders in it, sorted, each with whether it is a link."""
    folders: list[tuple[str, bool]] = []
    files = 0
    with os.scandir(path) as entries:
        for entry in entries:
            name = entry.name
            if is_litter(name):
                continue
            if not leads_to_folder(entry):
                _count(place, name)
                files += 1  # in a class folder of photos nothing is learned from the others
                if files >= LOOKED_AT and place.depth and place.kinds["photo"] and not folders:
                    break
            elif name.lower() in LITTER_FOLDERS:
                place.litter.append(name)
            elif not entry.is_symlink():
                folders.append((name, False))
            elif not place.via_link and _leads_elsewhere(entry.path):
                folders.append((name, True))
    place.litter.sort()
    return sorted(folders)


def _count(place: _Found, name: str) -> None:
    kind = kind_of(name)
    place.kinds[kind] += 1
    if kind == "other":
        place.others[os.path.splitext(name)[1].lower()] += 1


def _leads_elsewhere(link: str) -> bool:
    """Whether a link leads neither to a folder that it lies in, nor into the system's."""
    target = os.path.realpath(link)
    home = os.path.realpath(os.path.dirname(link))
    above = os.path.join(target, "")
    return not (os.path.join(home, "").startswith(above) or any(above.startswith(f"{root}/") for root in SYSTEM))


def _frozen(found: list[_Found]) -> Folder:
    made: dict[int, Folder] = {}
    for number in range(len(found) - 1, -1, -1):  # what lies inside comes later in the list
        one = found[number]
        made[number] = Folder(
            one.path,
            tuple(made.pop(inside) for inside in one.inside),
            tuple(one.litter),
            one.kinds["photo"],
            one.kinds["bare"],
            one.kinds["strange"],
            dict(one.others),
            one.listed,
        )
    return made[0]
