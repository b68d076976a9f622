"""Names of classes for people: `--category_names cat_to_name.json` holds {"21": "fire lily", ...}.

A key is the name of a class (its folder), or else its index in their sorted order. Names change
what is shown and exported, never the split, the cache or the order of the classes.
"""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from label_image.errors import ForeignFileError
from label_image.files import reason_of
from label_image.foreign_text import parse_json, read_limited
from retrain.core.errors import DatasetError
from retrain.photos.dataset import Dataset, check_class_names

SHOWN = 5

AnyDataset = TypeVar("AnyDataset", bound=Dataset)


@dataclass(frozen=True)
class CategoryNames:
    """The content of a file of names. `path` is for messages."""

    path: Path
    names: dict[str, str]


def read_category_names(path: Path) -> CategoryNames:
    """Read a JSON object from class names or indices to display names. Raises DatasetError."""
    try:
        data = read_limited(path)
        parse_json(data)  # it knows what is no JSON; Python's own shows names that stand twice
        pairs = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_Pairs)
    except FileNotFoundError:
        raise DatasetError(f"There is no file {path}; check `category_names`.") from None
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {reason_of(error)}; check `category_names`.") from None
    except (ForeignFileError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path} {error}; check `category_names`.") from None
    if not isinstance(pairs, _Pairs):
        raise DatasetError(f'{path} is not a JSON object such as {{"21": "fire lily"}}; check `category_names`.')
    names: dict[str, str] = {}
    for key, name in pairs:
        if not isinstance(name, str) or not name.strip():
            raise DatasetError(f"{path}: the name of {key!r} must be a text, and not an empty one.")
        if names.setdefault(key, name) != name:
            raise DatasetError(f"{path} names {key!r} twice, {names[key]!r} and {name!r}; keep one.")
    if not names:
        raise DatasetError(f"{path} holds no names; check `category_names`.")
    return CategoryNames(path, names)


def display_names(categories: CategoryNames, labels: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The name to show for each of the sorted classes, and remarks for the screen.

    A class without a name keeps its own. Raises DatasetError if no key fits a class, or two
    classes would have the same name.
    """
    by_key = categories.names
    if not set(by_key) & set(labels):
        by_index = {label: by_key[str(index)] for index, label in enumerate(labels) if str(index) in by_key}
        if not by_index:
            raise DatasetError(
                f"{categories.path} names none of the classes {_shown(labels)}; its keys are {_shown(list(by_key))}."
            )
        unused = set(by_key) - {str(index) for index in range(len(labels))}
        by_key = by_index
    else:
        unused = set(by_key) - set(labels)
    shown = tuple(by_key.get(label, label) for label in labels)
    _refuse_same_names(categories.path, labels, shown)
    check_class_names(shown)
    remarks = []
    if nameless := [label for label in labels if label not in by_key]:
        remarks.append(f"{categories.path} has no name for these classes, which keep their own: {_shown(nameless)}.")
    if unused:
        remarks.append(f"{categories.path} names classes that have no photos: {_shown(sorted(unused))}.")
    return dict(zip(labels, shown, strict=True)), tuple(remarks)


def rename_classes(dataset: AnyDataset, name_of: Mapping[str, str]) -> AnyDataset:
    """The same photos in the same order, with display names for labels."""
    files = tuple(replace(file, label=name_of[file.label]) for file in dataset.files)
    return replace(dataset, files=files)


class _Pairs(list[tuple[str, object]]):
    """A JSON object as its pairs, so that a key that stands twice is seen."""


def _refuse_same_names(path: Path, labels: Sequence[str], shown: Sequence[str]) -> None:
    label_of: dict[str, str] = {}
    for label, name in zip(labels, shown, strict=True):
        other = label_of.setdefault(unicodedata.normalize("NFC", name).strip(), label)
        if other != label:
            raise DatasetError(
                f"{path} gives the classes {other!r} and {label!r} the same name, {name!r}: "
                "give them different names, or merge the folders."
            )


def _shown(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:SHOWN])) + (f" … ({len(names)} in all)" if len(names) > SHOWN else "")
