"""Several sources as one data set: the photos of `--image_dir`, and those that `--add_images` adds to them.

Classes of the same name are one. A file that is in two sources counts once, and so does the same content in the same
class (`once_each`, when contents are known); of that with another class `retrain doctor` knows.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from label_image.terminal import shown
from retrain.core.errors import DatasetError
from retrain.photos.dataset import Dataset, Photo, Root, Skipped
from retrain.photos.layouts.reading import some
from retrain.photos.reading import absolute_paths


def joined(parts: Sequence[tuple[str, Dataset]]) -> Dataset:
    """The data sets of several sources (by their names) as one, the first source's photos first.

    Raises DatasetError where a file is in two of them with different classes, or nothing is added.
    """
    (_, first), *others = parts
    if not others:
        return first
    files, reading = list(first.files), first.reading or f"photos {_classes(first.labels)}"
    at = dict(zip(absolute_paths(file.path for file in files), files, strict=True))
    skipped, remarks = list(first.skipped), list(first.remarks)
    for part, (name, dataset) in enumerate(others, 1):
        if not dataset.files:
            raise DatasetError(f"{name} holds no photos; check `add_images`.")
        added = 0
        for path, file in zip(absolute_paths(file.path for file in dataset.files), dataset.files, strict=True):
            other = at.get(path)
            if other is None or (other.gone and not file.gone):
                at[path] = replace(file, part=part)
                files.append(at[path])
                added += 1
            elif other.label != file.label:
                raise DatasetError(
                    f"{file.path} is in two sources, as {other.label!r} and, in {name}, as {file.label!r}; keep one."
                )
        skipped += dataset.skipped
        remarks += _remarks(name, dataset, added)
        reading += f"; added: photos {_classes(dataset.labels)}"
    roots = (*first.roots, *(_named(root, name) for name, dataset in others for root in dataset.roots))
    return Dataset(tuple(files), tuple(skipped), tuple(remarks), reading=reading, ordinary=False, roots=roots)


def _named(root: Root, source: str) -> Root:
    """A root with what stands for it: the source, as if it were a folder; photos beside a table have paths already."""
    return replace(root, name=root.folder if Path(root.folder) == Path(source).parent else source)


def _remarks(name: str, dataset: Dataset, added: int) -> Iterable[str]:
    twice = len(dataset.files) - added
    more = "1 more is a photo" if twice == 1 else f"{twice:,} more are photos"
    already = f"; {more} of the other sources" if twice else ""
    photos = "1 photo" if added == 1 else f"{added:,} photos"
    yield f"Added from {shown(name)}: {photos} {_classes(dataset.labels)}{already}."
    if dataset.reading and not dataset.ordinary:
        yield f"{shown(name)} is read as: {dataset.reading}."
    yield from dataset.remarks


def _classes(labels: Sequence[str]) -> str:
    """Of which classes photos are, as a phrase after them."""
    named = [label for label in labels if label]
    if not named:
        return "without a class"
    phrase = f"of the class {some(named)}" if len(named) == 1 else f"of the classes {some(named)}"
    return phrase if len(named) == len(labels) else f"{phrase}, or without one"


def once_each(photos: Sequence[Photo]) -> tuple[list[Photo | None], list[Skipped]]:
    """The photos with None in place of those that an earlier source has in the same class; and these, with the reason.

    Where the earlier one is gone, it is there again: by the path of the later one, with what was kept of it.
    """
    kept: list[Photo | None] = list(photos)
    skipped: list[Skipped] = []
    first: dict[tuple[str, str], Photo] = {}
    gone: dict[tuple[str, str], deque[int]] = {}  # rows that wait for a file
    for row, photo in sorted(enumerate(photos), key=lambda item: item[1].part):
        key = photo.sha256, photo.label
        known = first.setdefault(key, photo)
        if known.part == photo.part:  # it is the first, or a copy in its own source, which counts as it always did
            if photo.gone:
                gone.setdefault(key, deque()).append(row)
            continue
        kept[row] = None
        if gone.get(key) and not photo.gone:
            place = gone[key].popleft()
            kept[place] = first[key] = replace(photos[place], path=photo.path, gone=False)
        else:
            skipped.append(Skipped(photo.path, f"is the same photo as {shown(known.path)}, which counts once"))
    for key, rows in gone.items():  # of copies, one file is enough
        if not first[key].gone:
            for row in rows:
                kept[row] = replace(photos[row], path=first[key].path, gone=False)
    return kept, skipped


def in_two_classes(photos: Sequence[Photo]) -> str:
    """A sentence about contents that several sources have in different classes; empty where there are none."""
    if not any(photo.part for photo in photos):
        return ""
    first: dict[str, Photo] = {}
    found: list[tuple[Photo, Photo]] = []
    for photo in sorted(photos, key=lambda photo: photo.part):
        other = first.setdefault(photo.sha256, photo)
        if other.label != photo.label and other.part != photo.part:
            found.append((other, photo))
    if not found:
        return ""
    one, other = found[0]
    are = "is" if len(found) == 1 else "are"
    return (
        f"{len(found):,} of the added photos {are} in another class, too (the first: {shown(other.path)} is "
        f"{other.label!r} and, as {shown(one.path)}, {one.label!r}): both count. `retrain doctor` lists them."
    )
