"""What a process of a cluster does with a block of photos; no cluster is needed for that."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from label_image.errors import ModelError
from label_image.folders import PassedOver
from label_image.many.on_node import Export, OnNode, block_of, found_in, rows_of, table_of
from label_image.model import load_model
from label_image.rows import Row, labels_photos

ODD = "caf\udce9/\ud800.jpg"  # bytes that are not UTF-8, and what Windows allows


def test_what_was_found_survives_the_way() -> None:
    found = ["a.jpg", ODD, PassedOver("x", "unlisted", "cannot be listed"), "https://example.com/a.jpg"]
    assert found_in(block_of(found)) == found


def test_rows_survive_the_way_to_the_bit() -> None:
    numbers = np.array([0.1, np.nextafter(np.float32(0.2), np.float32(1)), 0.7], np.float32)
    rows = [
        Row("a.jpg", (3, 2**62), numbers, 0.1 + 0.2),
        Row(ODD, None, error="is gone"),
        Row("b.jpg", (0, 0), numbers[::-1], None),
    ]
    for table in (table_of(rows, "one"), table_of(rows * 2, "one").slice(3)):
        back = rows_of(table)
        assert [node for _, node in back] == ["one"] * 3
        for (row, _), was in zip(back, rows, strict=True):
            assert (row.path, row.state, row.similarity, row.error) == (was.path, was.state, was.similarity, was.error)
            assert (row.probabilities is None) == (was.probabilities is None)
            if was.probabilities is not None:
                assert np.array_equal(row.probabilities, was.probabilities)
                assert row.probabilities.dtype == np.float32


def test_a_node_answers_as_this_process_does(model: Path, photos: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(model, tmp_path / "copy")
    loaded = load_model(copy)
    export = Export.of(loaded)
    shutil.rmtree(copy)  # a node has another disk
    found = [str(path.relative_to(tmp_path)) for path in sorted(photos.rglob("*.*"))]
    found += ["photos/gone.jpg", PassedOver("photos/closed", "unlisted", "cannot be listed")]
    here = [labels_photos(load_model(model))(one) for one in found]
    os.chdir("/")  # and another working folder
    there = [row for row, _ in rows_of(OnNode(export, str(tmp_path))(block_of(found)))]
    assert len(here) == 7 and sum(bool(row.error) for row in here) == 3
    for one, other in zip(here, there, strict=True):
        assert (one.path, one.state, one.similarity, one.error) == (
            other.path,
            other.state,
            other.similarity,
            other.error,
        )
        assert np.array_equal(one.probabilities, other.probabilities)


def test_a_single_file_travels_too(model: Path, tmp_path: Path, photos: Path) -> None:
    file = Path(shutil.copy(model / "model.tflite", tmp_path / "alone.tflite"))
    export = Export.of(load_model(file))
    assert list(export.files) == [""]
    ((row, _),) = rows_of(OnNode(export, str(tmp_path))(block_of(["photos/a.jpg"])))
    assert np.array_equal(row.probabilities, labels_photos(load_model(model))("photos/a.jpg").probabilities)


def test_a_model_that_was_changed_meanwhile_does_not_travel(model: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(model, tmp_path / "copy")
    loaded = load_model(copy)
    (copy / "model.json").write_text((copy / "model.json").read_text() + " ")
    with pytest.raises(ModelError, match="was changed"):
        Export.of(loaded)
