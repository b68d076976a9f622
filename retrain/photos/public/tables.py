"""What is written beside the photos of a public data set, out of the lists that come with it."""

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from label_image.files import write_in_one_step
from retrain.core.errors import DatasetError
from retrain.photos.public.catalogue import PublicSet
from retrain.photos.public.class_names import FLOWER_NAMES, IMAGENETTE_NAMES

Row = tuple[str, str, str]  # path, label, split
SPECIES = {"1": "cat", "2": "dog"}


@dataclass(frozen=True)
class Way:
    """What to train on, by paths in the folder of a data set: the photos, and the file of names if there is one."""

    photos: str
    names: str = ""


def ways_to_train(one: PublicSet) -> tuple[Way, ...]:
    """What to train on in the folder of a data set."""
    if one.becomes == "pets":
        return (Way("breeds.csv"), Way("species.csv"))
    if one.becomes == "flowers":
        return (Way("flowers.csv"),)
    return (Way(one.folder, "names.json" if one.becomes == "named" else ""),)


def make_ready(one: PublicSet, folder: Path) -> None:
    """Write what a data set lacks into the folder that it was unpacked to. Raises DatasetError if it is another one."""
    try:
        if one.becomes == "pets":
            _pets(folder)
        elif one.becomes == "flowers":
            _flowers(folder)
        elif one.becomes == "named":
            write_in_one_step(folder / "names.json", json.dumps(IMAGENETTE_NAMES, indent=1).encode())
        for way in ways_to_train(one):
            _require(folder / way.photos)
    except (OSError, KeyError, ValueError, IndexError) as error:
        raise DatasetError(f"What came for {one.name} is not what it was before: {_words(error)}.") from None


def _pets(folder: Path) -> None:
    """Two tables, of breeds and of species, with the sides of the authors' lists."""
    lists = folder / "annotations/annotations"
    sides = (("trainval", "train"), ("test", "test"))
    rows = [(*entry, side) for name, side in sides for entry in _pet_list(lists, name)]
    if len(rows) < 2:
        raise ValueError("its lists name no photos")
    photos = "images/images"
    breeds = [(f"{photos}/{name}.jpg", re.sub(r"_\d+$", "", name), side) for name, _, side in rows]
    species = [(f"{photos}/{name}.jpg", SPECIES[kind], side) for name, kind, side in rows]
    _require(folder / breeds[0][0])
    _write_table(folder / "breeds.csv", breeds)
    _write_table(folder / "species.csv", species)


def _pet_list(lists: Path, name: str) -> Iterable[tuple[str, str]]:
    """Each photo of a list with its species: lines of name, class, species and number within the species."""
    for line in (lists / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            photo, _, species, _ = line.split()
            yield photo, species


def _flowers(folder: Path) -> None:
    """A table with the names of the classes and the authors' sides."""
    labels = _numbers(folder / "imagelabels.mat", "labels")
    sides: dict[int, str] = {}
    for key, side in (("trnid", "train"), ("valid", "validation"), ("tstid", "test")):
        sides |= dict.fromkeys(_numbers(folder / "setid.mat", key), side)
    photos = "102flowers/jpg"
    rows = [
        (f"{photos}/image_{number:05d}.jpg", FLOWER_NAMES[label - 1], sides.get(number, ""))
        for number, label in enumerate(labels, 1)
    ]
    _require(folder / rows[0][0])
    _write_table(folder / "flowers.csv", rows)


def _numbers(path: Path, key: str) -> list[int]:
    """A row of whole numbers out of a file of MATLAB, its checksum is known."""
    from scipy.io import loadmat

    found: dict[str, Any] = loadmat(str(path))
    return [int(number) for number in found[key].ravel()]


def _write_table(path: Path, rows: Sequence[Row]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", "label", "split"))
    writer.writerows(rows)
    write_in_one_step(path, text.getvalue().encode())


def _require(path: Path) -> None:
    if not path.exists():
        raise ValueError(f"{path.name} is missing")


def _words(error: Exception) -> str:
    return f"there is no {error.args[0]}" if isinstance(error, KeyError) else str(error)
