"""From a tree of names to a reading: which folders are classes, and which are sides of a split.

Where the names allow two readings, none is chosen: OptionError shows both. A wrong list of classes costs hours; a
question costs a minute.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from retrain.core.errors import DatasetError, OptionError
from retrain.photos.dataset import Split
from retrain.photos.layouts.boxes import boxes_in
from retrain.photos.layouts.file_names import first_that_does_not_fit, label_in, pattern_of
from retrain.photos.layouts.reading import Layout, LeftOut, Place, Reading, some
from retrain.photos.layouts.shape import Shape, annotations_in
from retrain.photos.layouts.tree import Folder
from retrain.photos.layouts.words import AROUND, is_images, is_unlabelled, is_wrapper, side_of

NamesOf = Callable[[str], Sequence[str]]  # of the photos directly in a folder, by its relative path
NO_CLASSES = "holds photos without classes"
NO_SIDE = "is on no side of the split"


def recognise(
    root: Folder, source: str, names_of: NamesOf, layout: Layout = "auto", class_name: str | None = None
) -> Reading:
    """How the tree below a folder is to be read; `layout` overrules what its names say.

    `source` is what sentences call the folder. With a `class_name`, photos in no folders are a class. Raises
    DatasetError where no reading gives classes, OptionError where two do.
    """
    look = _Look(source, Shape.of(root), root, names_of)
    node, left_out = look.unwrapped()
    if class_name is not None and layout in ("auto", "folders") and look.is_bare_heap(node):
        reading = look.one_class(node, class_name, layout)
    elif layout == "folders":
        reading = look.folders(node)
    elif layout == "splits":
        reading = look.as_splits(node)
    elif layout == "names":
        reading = look.as_names(node)
    else:
        reading = look.plausible(node)
    return replace(reading, left_out=(*reading.left_out, *left_out))


@dataclass(frozen=True)
class _Look:
    """One tree that is being read."""

    source: str
    shape: Shape
    root: Folder
    names_of: NamesOf

    def unwrapped(self) -> tuple[Folder, list[LeftOut]]:
        """The uppermost folder in which there is a choice, and what lies beside the folders around it."""
        node, left_out = self.root, list[LeftOut]()
        while not self.shape.loose(node) or node is self.root:
            kids = self.shape.kids(node)
            if len(kids) != 1 or (self.shape.loose(kids[0]) and self.shape.kids(kids[0])):
                break
            heap = not self.shape.kids(kids[0])
            if heap and not is_wrapper(kids[0].name) and not side_of(kids[0].name) and not self._pattern([kids[0]]):
                break  # one class alone
            left_out += self.shape.left_out(node)
            node = kids[0]
        return node, left_out

    def plausible(self, node: Folder) -> Reading:
        """The one reading of what lies in a folder."""
        kids = self.shape.kids(node)
        if not kids and (self.shape.loose(node) or node is not self.root):
            return self._names_or_refused([node])
        if len(kids) < 2:
            return self.folders(node)
        heaps = [kid for kid in kids if self.shape.is_heap(kid)]
        named = [kid for kid in kids if side_of(kid.name) and kid not in heaps]
        found = self._named_sides(node, kids, heaps, named) if named else self._sides_without_classes(node, kids, heaps)
        return found or self._class_folders(node, kids, heaps)

    def _sides_without_classes(self, node: Folder, kids: list[Folder], heaps: list[Folder]) -> Reading | None:
        """What is left to file names, where folders are called as sides are; None where they may be classes."""
        if len(heaps) == len(kids) and any(map(_no_class, kids)):
            others = [kid for kid in kids if not _no_class(kid)]
            if all(is_images(kid.name) for kid in others):
                return self._names_or_refused(kids)
            if any(self._pattern([kid]) for kid in others):
                self._two_readings(self.folders(node), self.as_names(node))
        if "training" in (sides := _sides(heaps)) and len(sides) > 1:
            self._folders_or_splits(node, self.folders(node))
        return None

    def _class_folders(self, node: Folder, kids: list[Folder], heaps: list[Folder]) -> Reading:
        """The folders in a folder as classes, if nothing says that their classes lie further in, or one is none."""
        if self._alike(kids):
            self._two_readings(self.folders(node), self.as_splits(node))
        if around := self._around_classes(kids):
            inside = self.shape.class_level(around)
            option = f"`image_dir` {os.path.join(self.source, inside.path)}"
            self._two_readings(self.folders(node), self.folders(inside), option)
        kept = [kid for kid in kids if not (is_unlabelled(kid.name) and kid in heaps)]
        if len(kept) >= 3 and any(side_of(kid.name) == "testing" and kid in heaps for kid in kept):
            self._folders_or_splits(node, self.folders(node, kept))
        return self.folders(node, kept if len(kept) >= 2 else kids)

    def _around_classes(self, kids: list[Folder]) -> Folder | None:
        """The first of several folders that may lie around the classes, and be none itself."""
        names = {kid.name for kid in kids}
        for kid in kids:
            inside = self.shape.classes(kid)
            # Archives often hold all their folders once more in another one: yes, no, brain_tumor_dataset/yes, …/no.
            again = len(names.intersection(inside)) >= 2
            if again or (len(inside) >= 2 and (is_images(kid.name) or kid.name.lower() in AROUND)):
                return kid
        return None

    def folders(self, node: Folder, kids: Sequence[Folder] | None = None) -> Reading:
        """Each folder in a folder is a class; without those that are not among `kids`."""
        everything = self.shape.kids(node)
        kept = set(everything if kids is None else kids)
        left_out = [LeftOut(kid.path, NO_CLASSES) for kid in everything if kid not in kept]
        left_out += self.shape.left_out(node)
        left_out += (one for kid in everything if kid in kept for one in annotations_in(kid))
        return Reading("folders", (Place(node.path),), tuple(sorted(kid.name for kid in kept)), tuple(left_out))

    def is_bare_heap(self, node: Folder) -> bool:
        """Whether a folder holds photos alone."""
        return bool(self.shape.loose(node)) and not self.shape.kids(node)

    def one_class(self, heap: Folder, label: str, layout: Layout) -> Reading:
        """All photos in a folder are of one class. Raises OptionError for a name that says none, if nobody insists."""
        reading = Reading("class", (Place(heap.path),), (label,), tuple(self.shape.left_out(heap)))
        if layout == "folders":
            return reading
        if is_wrapper(label) or side_of(label) or is_unlabelled(label):
            raise OptionError(
                f"{self.source} holds photos alone, and the name {label!r} says no class: rename it to what they show, "
                "or put them into a folder with that name."
            )
        if self._names([heap]) is not None:
            self._two_readings(reading, self.as_names(heap))
        return reading

    def as_splits(self, node: Folder) -> Reading:
        """The folders in a folder are sides of a split, those whose names say one; else they are parts of no side."""
        kids = self.shape.kids(node)
        inner = [kid for kid in kids if not self.shape.is_heap(kid)]
        named = [kid for kid in inner if side_of(kid.name)]
        if named or len(inner) >= 2:
            return self._splits(node, kids, named or inner)
        classes = [kid for kid in kids if not side_of(kid.name) and not is_unlabelled(kid.name)]
        if len(classes) < 2:
            raise DatasetError(f"{self.source} has no folders of sides with class folders in them: `layout` splits.")
        return self.folders(node, classes)

    def as_names(self, node: Folder) -> Reading:
        """The class is in each file's name. Raises DatasetError that names a file where it is not."""
        heaps = [kid for kid in self.shape.kids(node) if self.shape.is_heap(kid)] or [node]
        found = self._names(heaps)
        if found is None:
            names = [name for heap in heaps for name in self._names_in(heap)]
            misfit = first_that_does_not_fit(names)
            raise DatasetError(
                f"`layout` names: in {self.source} the file names do not say at least two classes"
                f"{f'; {misfit} does not fit' if misfit else ''}. They should all be like cat.0.jpg, cat_0.jpg, "
                "cat-0.jpg or cat (0).jpg."
            )
        return found

    def _named_sides(
        self, node: Folder, kids: list[Folder], heaps: list[Folder], named: list[Folder]
    ) -> Reading | None:
        """The split, where it is one beyond doubt; None where the folders that are called so are classes."""
        counts: dict[str, int] = {}
        for kid in named:
            for label in self.shape.classes(kid):
                counts[label] = counts.get(label, 0) + 1
        shared = any(count > 1 for count in counts.values())
        rest = [kid for kid in kids if kid not in named]
        known = set(heaps)
        open_questions = [kid for kid in rest if kid not in known or not _no_class(kid)]
        if len(_sides(named)) > 1 and (shared or not open_questions):
            return self._splits(node, kids, named)
        if len(counts) < 2:
            return None
        if not open_questions and (len(named) == 1 or shared):
            return self._splits(node, kids, named)
        self._two_readings(self.folders(node), self._splits(node, kids, named))

    def _splits(self, node: Folder, kids: list[Folder], parts: list[Folder]) -> Reading:
        sides = {part.path: side_of(part.name) for part in parts}
        given = len(set(sides.values())) > 1 or set(sides.values()) == {"training"}
        levels = [(part, self.shape.class_level(part)) for part in parts]
        left_out = [
            LeftOut(kid.path, NO_CLASSES if self.shape.is_heap(kid) else NO_SIDE) for kid in kids if kid not in parts
        ]
        left_out += self.shape.left_out(node)
        for part, level in levels:
            left_out += self._beside(part, level)
            left_out += (one for kid in self.shape.kids(level) for one in annotations_in(kid))
        places = tuple(Place(level.path, sides[part.path] if given else None) for part, level in levels)
        classes = {label for part in parts for label in self.shape.classes(part)}
        return Reading("splits", places, tuple(sorted(classes)), tuple(left_out))

    def _beside(self, part: Folder, level: Folder) -> list[LeftOut]:
        """What is left out on the way from a folder down to the one in which the classes lie, and there."""
        found = self.shape.left_out(part)
        while part is not level:
            (part,) = self.shape.kids(part)
            found += self.shape.left_out(part)
        return found

    def _names_or_refused(self, heaps: list[Folder]) -> Reading:
        boxes = boxes_in(self.root)
        found = None if boxes and boxes.beside_each else self._names(heaps)
        if found is not None:
            return found
        where = some([heap.path for heap in heaps if heap.path]) or "it"
        likeness = f"; the boxes beside them, as {boxes.form} has them, are no classes" if boxes else ""
        raise DatasetError(
            f"{self.source} holds no class that a name tells: the photos in {where} lie in no class folders{likeness}. "
            "Put the photos of each class into a folder of its own (photos/cat/1.jpg), give a table photos.csv of "
            "path,label, or name the files cat.0.jpg, cat.1.jpg, dog.0.jpg (`layout` names)."
        )

    def _names(self, heaps: list[Folder]) -> Reading | None:
        """The reading by file names of those folders whose names all fit one pattern."""
        levels = {heap.path: self.shape.class_level(heap) for heap in heaps}
        fitting = [heap for heap in heaps if self._pattern([heap])]
        first = [heap for heap in fitting if side_of(heap.name) == "training"] or fitting
        pattern = self._pattern(first)
        if pattern is None:
            return None
        classes = self._labels(first, pattern)
        if classes is None:
            return None
        # A test folder may be too small to show a pattern of its own, but has to fit this one.
        fitting = [heap for heap in heaps if (self._labels([heap], pattern) or {""}) <= classes]
        given = len(_sides(fitting)) > 1 and all(side_of(heap.name) for heap in fitting)
        places = tuple(Place(levels[heap.path].path, side_of(heap.name) if given else None) for heap in fitting)
        left_out = tuple(LeftOut(heap.path, NO_CLASSES) for heap in heaps if heap not in fitting)
        return Reading("names", places, tuple(sorted(classes)), left_out, pattern)

    def _pattern(self, heaps: Sequence[Folder]) -> str | None:
        return pattern_of([name for heap in heaps for name in self._names_in(heap)])

    def _labels(self, heaps: Sequence[Folder], pattern: str) -> set[str] | None:
        labels = [label_in(name, pattern) for heap in heaps for name in self._names_in(heap)]
        found = {label for label in labels if label is not None}
        return found if len(found) and None not in labels else None

    def _names_in(self, heap: Folder) -> Sequence[str]:
        return self.names_of(self.shape.class_level(heap).path)

    def _alike(self, kids: list[Folder]) -> bool:
        """Whether the folders in several folders are called the same, as classes on the sides of a split are."""
        if len(kids) < 2 or any(self.shape.is_heap(kid) or self.shape.loose(kid) for kid in kids):
            return False
        inner = [set(self.shape.classes(kid)) for kid in kids]
        everything = set().union(*inner)
        if all(side_of(name) for name in everything):
            return False  # cats/train, dogs/train: sides within classes
        often = [name for name in everything if sum(name in one for one in inner) > 1]
        return 2 * len(often) >= len(everything) >= 2

    def _folders_or_splits(self, node: Folder, folders: Reading) -> NoReturn:
        """Ask which of the two is meant, where some folders are called as sides are, and hold no class folders."""
        try:
            splits = self.as_splits(node)
        except DatasetError:
            raise OptionError(
                f"Folders in {self.source} are called as the sides of a split are, and hold no class folders. If they "
                f"are classes all the same, say so: `layout` folders: {folders.summary()}."
            ) from None
        self._two_readings(folders, splits, "`layout` splits")

    def _two_readings(self, folders: Reading, other: Reading, option: str = "") -> NoReturn:
        raise OptionError(
            f"{self.source} can be read in two ways. `layout` folders: {folders.summary()}. "
            f"{option or f'`layout` {other.layout}'}: {other.summary()}. Say which."
        )


def _sides(folders: Sequence[Folder]) -> set[Split]:
    return {side for folder in folders if (side := side_of(folder.name))}


def _no_class(folder: Folder) -> bool:
    """Whether a folder's name is that of a side, or of photos without classes."""
    return side_of(folder.name) is not None or is_unlabelled(folder.name)
