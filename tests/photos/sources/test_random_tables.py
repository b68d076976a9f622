"""Random tables in every dialect: a class is never wrong. What is not plain is refused in a sentence."""

import csv
import io
import json
import os
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from listings import make

from retrain.core.errors import DatasetError
from retrain.photos.dataset import SPLIT_FOLDERS
from retrain.photos.opening import list_photos


class Dialect:
    """One way to write one random data set as a table: what is meant is in `meant`."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.random = chance = random.Random(seed)
        self.folder = folder
        labels = chance.sample(["red", "green", "São Bernardo", "a, b", "x.y", "train", "1", "2", "class", "id"], 3)
        self.place = chance.choice(["", "img", "train", "images/images", ".."])
        self.written = chance.choice(["", "sub/"])
        self.extension = chance.choice([".jpg", ".JPG", ".png"])
        numbers = chance.sample(range(1, 60), chance.randint(6, 14))
        stem = chance.choice(["{}", "photo {}", "{:04}", "a.{}"])
        self.meant = {self.written + stem.format(number): labels[row % 3] for row, number in enumerate(numbers)}
        self.sides = [chance.choice(["train", "test", "val"]) for _ in numbers] if chance.random() < 0.4 else None
        make(folder, *(self.file(name) for name in self.meant))
        if chance.random() < 0.5:  # what is none of it
            make(folder, *(f"{other}/{number}.jpg" for other in ("decoys", "test") for number in range(1, 9, 3)))
            make(folder, "red.jpg", "README.md", "1")

    def file(self, name: str) -> str:
        return f"{self.place}/{name}{self.extension}".lstrip("/")

    def columns(self) -> list[tuple[str, list[str]]]:
        chance = self.random
        names = [name + self.extension for name in self.meant] if chance.random() < 0.6 else list(self.meant)
        names = [name.replace("/", "\\") for name in names] if chance.random() < 0.3 else names
        columns = [
            (chance.choice(["path", "File", "filename", "IMAGE", "image_path", "id", "Foto"]), names),
            (
                chance.choice(["label", "Class", "breed", "species", "category", "target", "Art"]),
                list(self.meant.values()),
            ),
        ]
        if self.sides:
            columns.append((chance.choice(["split", "set", "Subset", "fold", "what"]), self.sides))
        if chance.random() < 0.3:
            columns.append((chance.choice(["width", "notes", "Roi.X1"]), [str(n % 4) for n in range(len(names))]))
        chance.shuffle(columns)
        if chance.random() < 0.3:
            columns.insert(0, (chance.choice(["", "index", "Unnamed: 0"]), [str(n) for n in range(len(names))]))
        return columns

    def write(self) -> Path:
        chance, columns = self.random, self.columns()
        kind = chance.choice(["csv", "csv", "csv", "tsv", "jsonl", "parquet"])
        path = self.folder / f"{chance.choice(['labels', 'train'])}.{kind}"
        rows = list(zip(*(cells for _, cells in columns), strict=True))
        names = [name for name, _ in columns]
        if kind == "jsonl":
            path.write_text("\n".join(json.dumps(dict(zip(names, row, strict=True))) for row in rows))
        elif kind == "parquet":
            pq.write_table(pa.table({name: list(cells) for name, cells in columns}), path)
        else:
            buffer = io.StringIO()
            delimiter = "\t" if kind == "tsv" else chance.choice(",;")
            writer = csv.writer(buffer, delimiter=delimiter, lineterminator=chance.choice(["\n", "\r\n"]))
            writer.writerows([names, *rows] if chance.random() < 0.7 else rows)
            text = buffer.getvalue()
            if chance.random() < 0.2 and '"' not in text:
                text = text.replace(delimiter, f"{delimiter} ")
            path.write_bytes(text.encode(chance.choice(["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])))
        return path


@settings(max_examples=400, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_no_table_gives_a_wrong_class(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("random") / "set"
    folder.mkdir()
    dialect = Dialect(seed, folder)
    path = dialect.write()
    try:
        listing = list_photos(path, folder / "store")
    except DatasetError as refused:
        assert "holds no class" not in str(refused) and "\n" not in str(refused)
        return
    meant = {os.path.normpath(folder / dialect.file(name)): label for name, label in dialect.meant.items()}
    got = {os.path.normpath(file.path): file.label for file in listing.files}
    assert got == meant
    sides = {file.split for file in listing.files}
    assert sides == ({None} if dialect.sides is None else {SPLIT_FOLDERS[side] for side in dialect.sides})


def read_as_ever(folder: Path, lines: list[list[str]]) -> tuple[list[tuple[str, str, str | None]], list[str]]:
    """What a table of path,label,split always meant: its photos, and the paths that do not exist."""
    if [cell.lower() for cell in lines[0][:2]] == ["path", "label"]:
        lines = lines[1:]
    photos: dict[tuple[str, str, str | None], None] = {}
    missing = []
    for name, label, *side in lines:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            photos[path, label, SPLIT_FOLDERS[side[0]] if side and side[0] else None] = None
        else:
            missing.append(path)
    return sorted(photos, key=lambda photo: (photo[1], photo[0])), missing


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_usual_table_is_read_as_ever(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    chance = random.Random(seed)
    folder = tmp_path_factory.mktemp("usual")
    names = [
        f"{chance.choice(['', 'img/', 'a b/'])}{number}{chance.choice(['.jpg', '', '.PNG'])}" for number in range(8)
    ]
    make(folder, *names, *(f"{other}/{number}.jpg" for other in ("img", "train") for number in range(8, 12)))
    labels = chance.sample(["cat", "train", "1", "img", "x.jpg", "a, b", "class", "0"], 3)
    sides = chance.choice([[""], ["train", "test", ""]])
    lines = []
    for number, name in enumerate([*names, "8.jpg", "9", "img\\8.jpg", names[0]]):
        label = labels[0] if name == names[0] else labels[number % 3]
        side = "test" if name == names[0] else chance.choice(sides)
        lines.append(
            [name, label, *chance.choice([[side], [side], []] if sides != [""] and name != names[0] else [[side]])]
        )
    if len(sides) == 1 and chance.random() < 0.5:
        lines = [line[:2] for line in lines]
    chance.shuffle(lines)
    if chance.random() < 0.6:
        lines.insert(0, chance.choice([["path", "label"], ["Path", "LABEL", "split"], ["path", "label", "x"]]))
    with open(folder / "t.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="," if "a, b" in labels else chance.choice(",;\t")).writerows(lines)
    listing = list_photos(folder / "t.csv")
    photos, missing = read_as_ever(folder, lines)
    assert [(file.path, file.label, file.split) for file in listing.files] == photos
    assert [item.path for item in listing.skipped] == missing
    assert listing.remarks == ()
