"""What a run leaves of its photos in `dataset.parquet`."""

import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from retrain.photos.dataset import Photo
from retrain.photos.record import COLUMNS, METADATA, NAME, write_record
from retrain.photos.split import Division

PHOTOS = (
    Photo("pets/gato/2.jpg", "gato", "b" * 64),
    Photo("pets/gato/1.jpg", "gato", "c" * 64),
    Photo("pets/cão/1.jpg", "cão", "a" * 64),
)
DIVISION = Division(("training", "validation", "testing"), testing_percentage=20, seed=7)


def test_it_holds_content_class_side_and_path_sorted(tmp_path: Path) -> None:
    write_record(tmp_path, PHOTOS, DIVISION, "class folders cão, gato")
    table = pq.read_table(tmp_path / NAME)
    assert table.column_names == list(COLUMNS)
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        ("a" * 64, "cão", "testing", "pets/cão/1.jpg"),
        ("c" * 64, "gato", "validation", "pets/gato/1.jpg"),
        ("b" * 64, "gato", "training", "pets/gato/2.jpg"),
    ]
    assert json.loads(table.schema.metadata[METADATA]) == {
        "version": 1,
        "read_as": "class folders cão, gato",
        "split": {"testing_percentage": 20, "validation_percentage": 10, "seed": 7, "folds": None},
    }


def test_the_same_run_writes_the_same_bytes(tmp_path: Path) -> None:
    found = []
    for order in ((0, 1, 2), (2, 0, 1)):
        sides = tuple(DIVISION.splits[row] for row in order)
        write_record(tmp_path, [PHOTOS[row] for row in order], Division(sides), "")
        found.append((tmp_path / NAME).read_bytes())
    assert found[0] == found[1]


def test_where_folds_took_turns_there_are_no_sides(tmp_path: Path) -> None:
    write_record(tmp_path, PHOTOS, Division(("training",) * 3, folds=(0, 1, 2)), "")
    table = pq.read_table(tmp_path / NAME)
    assert table["side"].to_pylist() == [None] * 3
    assert json.loads(table.schema.metadata[METADATA])["split"]["folds"] == 3


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_name_that_is_no_text_is_spelled_out(tmp_path: Path) -> None:
    write_record(tmp_path, [Photo(os.fsdecode(b"pets/\xff.jpg"), "gato", "a" * 64)], Division(("training",)), "")
    assert pq.read_table(tmp_path / NAME)["path"].to_pylist() == ["pets/\\xff.jpg"]
