"""The same photos in every layout that the sources know, for the suite that holds them to one behaviour."""

import csv
import hashlib
import io
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from retrain.photos.dataset import Photo, Split
from retrain.photos.record import write_record
from retrain.photos.split import Division

_served: dict[Path, ThreadingHTTPServer] = {}  # until the end of the tests

SIDES = {"training": "train", "validation": "validation", "testing": "test"}


class Given(NamedTuple):
    """A photo of a test: its content by a shade of grey, its class, and its side of the split."""

    shade: int
    label: str
    split: str | None = None

    @property
    def data(self) -> bytes:
        file = io.BytesIO()
        Image.new("RGB", (9, 9), (self.shade,) * 3).save(file, "PNG")
        return file.getvalue()


@dataclass(frozen=True)
class Layout:
    """One way to keep photos: `write` makes a folder of them and returns the name of the source."""

    source: str  # the name in the registry
    write: Callable[[Path, Sequence[Given]], str]
    own_file: str | None = None  # a pattern for a file that describes the photos, if there are such
    remark: str = ""  # what is said of it


def class_folders(folder: Path, photos: Sequence[Given]) -> str:
    for photo in photos:
        side = SIDES[photo.split] if photo.split else ""
        _write(folder / side / photo.label / f"{photo.shade}.png", photo)
    return str(folder)


def archive(name: str) -> Callable[[Path, Sequence[Given]], str]:
    """A packed folder of class folders, with one folder around it."""

    def write(folder: Path, photos: Sequence[Given]) -> str:
        class_folders(folder / "cats", photos)
        kind = {"zip": "zip", "tar": "tar", "gz": "gztar", "xz": "xztar", "bz2": "bztar"}[name.rpartition(".")[2]]
        made = shutil.make_archive(str(folder / "made"), kind, root_dir=folder, base_dir="cats")
        shutil.rmtree(folder / "cats")
        return str(Path(made).rename(folder / name))

    return write


def served_archive(folder: Path, photos: Sequence[Given]) -> str:
    """The address of such an archive, on a web server of this machine."""
    archive("cats.zip")(folder, photos)
    if folder not in _served:
        handler = partial(QuietHandler, directory=str(folder))
        _served[folder] = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        Thread(target=_served[folder].serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{_served[folder].server_port}/cats.zip"


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def manifest(name: str) -> Callable[[Path, Sequence[Given]], str]:
    def write(folder: Path, photos: Sequence[Given]) -> str:
        rows = [("path", "label", "split")]
        rows += [(_loose(folder, photo), photo.label, SIDES.get(photo.split or "", "")) for photo in photos]
        _write_table(folder / name, rows)
        return str(folder / name)

    return write


def other_table(name: str, encoding: str = "utf-8") -> Callable[[Path, Sequence[Given]], str]:
    """A table in other words: the class first, the photo below `photos/` and without its extension."""

    def write(folder: Path, photos: Sequence[Given]) -> str:
        rows = [
            {"Breed": photo.label, "set": SIDES.get(photo.split or "", ""), "id": _loose(folder / "photos", photo)[:-4]}
            for photo in photos
        ]
        if name.endswith(".jsonl"):
            (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        elif name.endswith(".parquet"):
            pq.write_table(pa.Table.from_pylist(rows), folder / name)
        else:
            _write_table(folder / name, [tuple(rows[0]), *(tuple(row.values()) for row in rows)], encoding)
        return str(folder / name)

    return write


def metadata_folder(name: str) -> Callable[[Path, Sequence[Given]], str]:
    def write(folder: Path, photos: Sequence[Given]) -> str:
        rows = [{"file_name": _loose(folder, photo), "label": photo.label} for photo in photos]
        if name.endswith(".jsonl"):
            (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        elif name.endswith(".parquet"):
            pq.write_table(pa.Table.from_pylist(rows), folder / name)
        else:
            _write_table(folder / name, [("file_name", "label"), *(tuple(row.values()) for row in rows)])
        return str(folder)

    return write


def parquet_shards(folder: Path, photos: Sequence[Given]) -> str:
    folder.mkdir(parents=True)
    for split in sorted({photo.split for photo in photos}, key=str):
        of_side = [photo for photo in photos if photo.split == split]
        table = pa.table({"image": [photo.data for photo in of_side], "label": [photo.label for photo in of_side]})
        pq.write_table(table, folder / f"{SIDES.get(split or '', 'photos')}-00000-of-00001.parquet")
    return str(folder)


def one_parquet_file(folder: Path, photos: Sequence[Given]) -> str:
    return f"{parquet_shards(folder, [photo._replace(split=None) for photo in photos])}/photos-00000-of-00001.parquet"


def earlier_run(folder: Path, photos: Sequence[Given]) -> str:
    """What a run leaves of them: with sides where they have some, else as if folds had taken turns."""
    rows = [Photo(_loose_path(folder, photo), photo.label, hashlib.sha256(photo.data).hexdigest()) for photo in photos]
    sides = tuple(cast("Split", photo.split or "training") for photo in photos)
    folds = None if all(photo.split for photo in photos) else tuple(range(len(photos)))
    write_record(folder, rows, Division(sides, folds), "")
    return str(folder / "dataset.parquet")


def tfds_set(folder: Path, photos: Sequence[Given]) -> str:
    names = sorted({photo.label for photo in photos})
    splits: dict[str, list[tuple[Any, Any]]] = {}
    for photo in photos:
        side = SIDES[photo.split] if photo.split else "train"
        splits.setdefault(side, []).append((photo.data, names.index(photo.label)))
    build_tfds_set(folder, "layout", splits, names)
    return "tfds:layout"


def build_tfds_set(
    folder: Path, name: str, splits: dict[str, list[tuple[Any, Any]]], names: Sequence[str], **features: Any
) -> Path:
    """Prepare a set of (image, label) in `folder`, as tfds would after a download."""
    tfds = pytest.importorskip("tensorflow_datasets", reason="the extra tfds is not installed")
    features = {"image": tfds.features.Image(), "label": tfds.features.ClassLabel(names=list(names)), **features}

    class Rows(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self) -> Any:
            keys = tuple(features)[:2] if "image" in features else None
            return tfds.core.DatasetInfo(
                builder=self, features=tfds.features.FeaturesDict(features), supervised_keys=keys
            )

        def _split_generators(self, manager: Any) -> Any:
            return {split: self._generate_examples(rows) for split, rows in splits.items()}

        def _generate_examples(self, rows: list[tuple[Any, Any]]) -> Iterator[Any]:
            for number, (image, label) in enumerate(rows):
                yield number, {"image": io.BytesIO(image) if isinstance(image, bytes) else image, "label": label}

    Rows.name = name
    Rows(data_dir=folder).download_and_prepare()
    return folder


READ_AS = "Read as: column id for the photos (in photos/, with .png added), column Breed for the classes"

LAYOUTS = {
    "class folders": Layout("folders", class_folders),
    "zip": Layout("archives", archive("cats.zip")),
    "tar": Layout("archives", archive("cats.tar")),
    "tar.gz": Layout("archives", archive("cats.tar.gz")),
    "tar.bz2": Layout("archives", archive("cats.tar.bz2")),
    "tar.xz": Layout("archives", archive("cats.tar.xz")),
    "address": Layout("addresses", served_archive),
    "csv": Layout("manifests", manifest("photos.csv"), "photos.csv"),
    "tsv": Layout("manifests", manifest("photos.TSV"), "photos.TSV"),
    "other csv": Layout("manifests", other_table("ids.csv"), "ids.csv", READ_AS),
    "other tsv in UTF-16": Layout("manifests", other_table("ids.tsv", "utf-16"), "ids.tsv", READ_AS),
    "jsonl": Layout("manifests", other_table("ids.jsonl"), "ids.jsonl", READ_AS),
    "parquet of paths": Layout("Parquet", other_table("ids.parquet"), "ids.parquet", READ_AS),
    "metadata.csv": Layout("Hugging Face image folder", metadata_folder("metadata.csv"), "metadata.csv"),
    "metadata.jsonl": Layout("Hugging Face image folder", metadata_folder("metadata.jsonl"), "metadata.jsonl"),
    "metadata.parquet": Layout("Hugging Face image folder", metadata_folder("metadata.parquet"), "metadata.parquet"),
    "parquet shards": Layout("Parquet", parquet_shards, "*.parquet"),
    "parquet file": Layout("Parquet", one_parquet_file, "*.parquet"),
    "dataset.parquet": Layout("photos of an earlier run", earlier_run, "dataset.parquet"),
    "tfds": Layout("tfds", tfds_set, "layout/1.0.0/*tfrecord*"),
}


def _loose(folder: Path, photo: Given) -> str:
    """Write a photo where its name says nothing about its class, and return the path from the folder."""
    name = f"{SIDES[photo.split]}/{photo.shade}.png" if photo.split else f"{photo.shade}.png"
    _write(folder / name, photo)
    return name


def _loose_path(folder: Path, photo: Given) -> str:
    return str(folder / _loose(folder, photo))


def _write(path: Path, photo: Given) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(photo.data)


def _write_table(path: Path, rows: Sequence[tuple[str, ...]], encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",").writerows(rows)
