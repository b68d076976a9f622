"""What Python users do with a data set: make one of lists or a table, look into it, choose and rename."""

import os
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from label_image.any_photo import AnyPhoto, as_photos, encoded, name_of
from label_image.errors import PhotoError
from label_image.files import reason_of, sha256_of_bytes, write_in_one_step
from label_image.photo_files.kinds import extension_of
from retrain.core.errors import DatasetError, OptionError
from retrain.core.rows import Rows, chosen_rows
from retrain.core.typed import check_kind, require, require_whole
from retrain.photos import dataset
from retrain.photos.adding import in_two_classes
from retrain.photos.dataset import PhotoFile, Split, side_called
from retrain.photos.object_states import status_of
from retrain.photos.reading import absolute_paths

if TYPE_CHECKING:
    from typing_extensions import Self

IN_MEMORY = Path("tf_files/sources/in_memory")  # where photos in memory are written, once, by their SHA-256
UNLABELLED = ""


class Dataset(dataset.Dataset):
    """The value with what is done to it; every result is a data set of its own."""

    @classmethod
    def from_lists(
        cls,
        photos: AnyPhoto | Iterable[AnyPhoto],
        labels: Iterable[str],
        splits: Iterable[str | None] | None = None,
        *,
        source_dir: str | os.PathLike[str] = IN_MEMORY,
    ) -> "Self":
        """Photos with the class of each, and its side where one is given ("train", "val", "test" or None).

        They are sorted by class and path, as those of every data set: their bottlenecks are not in the lists' order.

        Photos are paths, bytes of files, images of Pillow, or arrays of uint8; what is in memory is written once to
        `source_dir`. Raises DatasetError for a photo that is not there and for a `source_dir` that cannot be written
        to, OptionError.
        """
        if isinstance(labels, str):
            raise OptionError(f"`labels` are the class of each photo; got the text {labels!r}: write [{labels!r}].")
        check_kind(labels, Iterable, "labels", "a list with the class of each photo")
        listed, names = as_photos(photos), list(labels)
        sides = [None] * len(listed) if splits is None else list(splits)
        if not len(listed) == len(names) == len(sides):
            raise OptionError(
                f"`photos`, `labels` and `splits` are of {len(listed)}, {len(names)} and {len(sides)} photos."
            )
        paths = absolute_paths(_path_of(photo, place, Path(source_dir)) for place, photo in enumerate(listed))
        files = [
            PhotoFile.of(path, _class_called(name), _status(path), _side(side))
            for path, name, side in zip(paths, names, sides, strict=True)
        ]
        found = cls(tuple(files), source=f"{len(files)} photos of lists", remarks=_in_two_classes(files))
        return found if found.is_unlabelled else dataset.in_order(found, found.source, any_classes=True)

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        path: str = "path",
        label: str = "label",
        split: str | None = None,
        *,
        folder: str | os.PathLike[str] = "",
        source_dir: str | os.PathLike[str] = IN_MEMORY,
    ) -> "Self":
        """The rows of a table with named columns: of pandas, Polars or Arrow, or a dictionary of lists.

        `folder` is that of relative paths. Raises OptionError for a column that is not there, and as `from_lists` does.
        """
        wanted = [path, label, *([] if split is None else [split])]
        there = list(frame) if isinstance(frame, Mapping) else list(_names_of(frame))
        for name in wanted:
            if name not in there:
                raise OptionError(f"The frame has no column {name}; it has {', '.join(map(str, there))}.")
        columns = [_values(frame[name]) for name in wanted]
        photos = [
            os.path.join(folder, one) if folder and isinstance(one, str | os.PathLike) else one for one in columns[0]
        ]
        sides = None if split is None else [None if _is_missing(one) else one for one in columns[2]]
        return cls.from_lists(photos, columns[1], sides, source_dir=source_dir)

    @classmethod
    def unlabelled(
        cls, photos: AnyPhoto | Iterable[AnyPhoto], *, source_dir: str | os.PathLike[str] = IN_MEMORY
    ) -> "Self":
        """Photos without classes: for `extract` and what is done with bottlenecks, but for no training."""
        listed = as_photos(photos)
        return cls.from_lists(listed, [UNLABELLED] * len(listed), source_dir=source_dir)

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[PhotoFile]:
        return iter(self.files)

    @overload
    def __getitem__(self, rows: int) -> PhotoFile: ...
    @overload
    def __getitem__(self, rows: Rows) -> "Self": ...
    def __getitem__(self, rows: int | Rows) -> "PhotoFile | Self":
        """One photo by its index; or the data set of those that a mask, indices or a slice choose."""
        if isinstance(rows, int | np.integer) and not isinstance(rows, bool):
            return self.files[rows]
        return replace(self, files=tuple(self.files[row] for row in chosen_rows(rows, len(self))))

    def __add__(self, other: dataset.Dataset) -> "Self":
        """The photos of both; one that is in both with the same class is there once.

        One that is in both with different classes counts in both, and is in the `remarks`. Raises DatasetError.
        """
        require(other, dataset.Dataset, "other", "+", "Dataset.open(…)")
        there = {(file.path, file.label) for file in self.files}
        more = tuple(file for file in other.files if (file.path, file.label) not in there)
        twice = in_two_classes([*_by_path(self.files, 0), *_by_path(more, 1)])
        files = sorted((*self.files, *more), key=lambda file: (file.label, file.path))
        if any(file.label for file in files):
            dataset.check_class_names(sorted({file.label for file in files}))
        return replace(
            self,
            files=tuple(files),
            skipped=(*self.skipped, *other.skipped),
            remarks=(*self.remarks, *other.remarks, *([twice] if twice else [])),
            source=f"{self.source} + {other.source}",
            ordinary=False,
        )

    def relabel(self, names: Mapping[str, str] | Callable[[PhotoFile], str]) -> "Self":
        """Other classes: by a dictionary of names, in which those that stay may miss, or a function of a photo.

        Raises OptionError for a class that is not there, DatasetError for a name that no class can have.
        """
        if isinstance(names, Mapping):
            unknown = sorted(set(names) - set(self.labels))
            if unknown:
                raise OptionError(f"There is no class {unknown[0]} to relabel; there are {', '.join(self.labels)}.")
            files = [replace(file, label=_class_called(names.get(file.label, file.label))) for file in self.files]
        else:
            files = [replace(file, label=_class_called(names(file))) for file in self.files]
        dataset.check_class_names(sorted({file.label for file in files}))
        return replace(self, files=tuple(sorted(files, key=lambda file: (file.label, file.path))))

    def where(self, condition: Callable[[PhotoFile], object] | str | Iterable[str]) -> "Self":
        """The photos of one class, of some classes, or those for which a function says so. Raises OptionError."""
        if callable(condition):
            return replace(self, files=tuple(file for file in self.files if condition(file)))
        names = {condition} if isinstance(condition, str) else set(condition)
        unknown = sorted(names - set(self.labels))
        if unknown:
            raise OptionError(f"There is no class {unknown[0]}; there are {', '.join(self.labels)}.")
        return replace(self, files=tuple(file for file in self.files if file.label in names))

    def sample(self, count: int, seed: int = 0, *, per_class: bool = False) -> "Self":
        """So many photos by chance, of all or of each class; the same seed gives the same ones. Raises OptionError."""
        if require_whole(count, "count") < 1:
            raise OptionError(f"`count` {count} must be at least 1.")
        groups: dict[str, list[int]] = defaultdict(list)
        for row, file in enumerate(self.files):
            groups[file.label if per_class else ""].append(row)
        chance = random.Random(seed)
        rows = [row for members in groups.values() for row in chance.sample(members, min(count, len(members)))]
        return replace(self, files=tuple(self.files[row] for row in sorted(rows)))

    def counts(self) -> dict[str, int]:
        """How many photos each class has."""
        found = dict.fromkeys(self.labels, 0)
        for file in self.files:
            found[file.label] += 1
        return found

    def _repr_html_(self) -> str:
        import html

        rows = "".join(f"<tr><td>{html.escape(name)}</td><td>{n}</td></tr>" for name, n in self.counts().items())
        return f"<p>{html.escape(repr(self))}</p><table><tr><th>class</th><th>photos</th></tr>{rows}</table>"


def _in_two_classes(files: Iterable[PhotoFile]) -> tuple[str, ...]:
    """A remark on photos that are listed in several classes."""
    labels: dict[str, set[str]] = defaultdict(set)
    for file in files:
        labels[file.path].add(file.label)
    twice = [(path, sorted(of)) for path, of in labels.items() if len(of) > 1]
    if not twice:
        return ()
    path, of = twice[0]
    return (f"{len(twice):,} photos are in several classes (the first: {path} is {' and '.join(of)}): each counts.",)


def _by_path(files: Iterable[PhotoFile], part: int) -> list[dataset.Photo]:
    """Files whose content nobody has read, each called by its path."""
    return [dataset.Photo(file.path, file.label, file.path, part=part) for file in files]


def _path_of(photo: AnyPhoto, place: int, folder: Path) -> str:
    """Where a photo is; one in memory is written under its SHA-256."""
    if isinstance(photo, str | os.PathLike):
        return os.fspath(photo)
    try:
        data = encoded(photo)
    except PhotoError as error:
        raise DatasetError(f"{name_of(photo, place)} {error}.") from None
    path = folder / f"{sha256_of_bytes(data)}{extension_of(data)}"
    try:
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            write_in_one_step(path, data)
    except OSError as error:
        raise DatasetError(f"{folder} cannot be written to: {reason_of(error)}: choose another `source_dir`.") from None
    return str(path)


def _status(path: str) -> dataset.Status:
    try:
        return status_of(path)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {reason_of(error)}.") from None


def _class_called(name: object) -> str:
    if not isinstance(name, str):
        raise OptionError(f"`labels` are texts; got {type(name).__name__} {name!r}: write str(…) of it.")
    return str(name)


def _is_missing(value: Any) -> bool:
    """Whether a cell of a table is empty: None, NaN, which is not equal to itself, or pandas' NA."""
    return value is None or type(value).__name__ == "NAType" or value != value


def _side(name: str | None) -> Split | None:
    return None if name is None else side_called(name, "training, validation, testing or None")


def _names_of(frame: Any) -> Iterable[str]:
    names: Iterable[str] = frame.column_names if hasattr(frame, "column_names") else frame.columns
    return names


def _values(column: Any) -> Sequence[Any]:
    for method in ("to_pylist", "tolist", "to_list"):
        if hasattr(column, method):
            return list(getattr(column, method)())
    return list(column)
