"""What a tree of folders looks like: which of them hold photos, and at which depth their classes lie."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

from label_image.folders import VIDEOS
from retrain.photos.dataset import Split
from retrain.photos.layouts.reading import LeftOut
from retrain.photos.layouts.tree import Folder
from retrain.photos.layouts.words import (
    ends_as_annotations,
    is_annotations,
    is_images,
    is_unlabelled,
    is_wrapper,
    side_of,
)

ORDER = get_args(Split)
ANNOTATIONS = "holds annotations"


@dataclass(frozen=True)
class Shape:
    """One view of a tree. Where `sure`, some file in it has the extension of a photo, and only such make a heap."""

    sure: bool

    @classmethod
    def of(cls, root: Folder) -> "Shape":
        """That of the tree below a folder."""
        return cls(has_photos(root))

    def loose(self, folder: Folder) -> int:
        """How many photos lie directly in a folder."""
        return folder.photos if self.sure else folder.photos + folder.bare + folder.strange

    def holds(self, folder: Folder) -> bool:
        """Whether there may be photos in a folder or below it."""
        own = self.loose(folder) + folder.bare
        return bool(own) or not folder.listed or any(map(self.holds, folder.folders))

    def kids(self, folder: Folder) -> list[Folder]:
        """The folders in a folder that hold what may be classes: photos, and no mere annotations of them."""
        found = sorted((kid for kid in folder.folders if self.holds(kid)), key=_by_side)
        if any(is_images(kid.name) for kid in found):
            found = [kid for kid in found if not is_annotations(kid.name)]
        with_photos = [kid for kid in found if has_photos(kid)]
        # Files without extensions may be photos; but not those that lie as the photos' own folders do, or around them.
        if len(with_photos) == 1 or any(side_of(kid.name) for kid in with_photos) or _nested(with_photos):
            return with_photos
        return found

    def left_out(self, folder: Folder) -> list[LeftOut]:
        """The folders in a folder that have files, none of which is a photo to learn from, and what tools left."""
        kept = {kid.path for kid in self.kids(folder)}
        found = [
            LeftOut(kid.path, ANNOTATIONS if has_photos(kid) else _without_photos(kid))
            for kid in folder.folders
            if kid.path not in kept and has_files(kid)
        ]
        # In this order whatever their names: what a person made, then what tools did.
        prefix = f"{folder.path}/" if folder.path else ""
        return found + [LeftOut(f"{prefix}{name}", "is left by a system or a tool") for name in folder.litter]

    def class_level(self, folder: Folder) -> Folder:
        """Where class folders or photos lie, in this folder or below it: in `train/images`, `seg_train/seg_train`."""
        while not self.loose(folder):
            kids = self.kids(folder)
            if len(kids) != 1 or not self._is_around(folder, kids[0]):
                break
            folder = kids[0]
        return folder

    def is_heap(self, folder: Folder) -> bool:
        """Whether photos lie in a folder without class folders."""
        return not self.kids(self.class_level(folder))

    def classes(self, folder: Folder) -> list[str]:
        """The names of the class folders in a folder, or where they lie below it."""
        return sorted(kid.name for kid in self.kids(self.class_level(folder)))

    def _is_around(self, folder: Folder, kid: Folder) -> bool:
        same = folder.name == kid.name or (side_of(kid.name) or "other") == side_of(folder.name)
        if same or is_wrapper(kid.name) or (is_unlabelled(kid.name) and is_unlabelled(folder.name)):
            return True
        return not self.loose(kid) and len(self.kids(kid)) >= 2


def annotations_in(folder: Folder) -> Iterator[LeftOut]:
    """The folders of annotations in a class folder: COVID/lung masks, beside COVID/images."""
    beside_photos = any(is_images(kid.name) for kid in folder.folders)
    for kid in folder.folders:
        if beside_photos and ends_as_annotations(kid.name):
            yield LeftOut(kid.path, ANNOTATIONS)
        else:
            yield from annotations_in(kid)


def has_photos(folder: Folder) -> bool:
    """Whether some file in a folder or below it has the extension of a photo."""
    return folder.photos > 0 or any(map(has_photos, folder.folders))


def has_files(folder: Folder) -> bool:
    """Whether there is a file in a folder or below it."""
    return bool(folder.photos or folder.bare or folder.strange or folder.others) or any(map(has_files, folder.folders))


def others_below(folder: Folder) -> set[str]:
    """The extensions of files in a folder and below it that are surely no photos."""
    return set(folder.others).union(*map(others_below, folder.folders))


def _without_photos(folder: Folder) -> str:
    others = others_below(folder)
    return "holds only videos" if others and others <= VIDEOS else "holds no photos"


def _by_side(folder: Folder) -> int:
    """The order of the sides of a split; other folders stay in that of their names."""
    side = side_of(folder.name)
    return ORDER.index(side) if side else len(ORDER)


def _nested(folders: list[Folder]) -> bool:
    """Whether these hold folders with photos, and no photos themselves."""
    return bool(folders) and all(not one.photos and any(map(has_photos, one.folders)) for one in folders)
