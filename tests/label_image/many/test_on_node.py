"""What a process of a cluster does with a block of photos; no cluster is needed for that."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from label_image.errors import ModelError
from label_image.folders import PassedOver
from label_image.many.by_ray import _check_node
from label_image.many.errors import ManyError
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


def test_a_model_that_a_node_cannot_load_is_told_of_and_not_raised(model: Path, photos: Path) -> None:
    export = Export.of(load_model(model))
    broken = replace(export, files={**export.files, "model.tflite": b"x"})
    ((row, node),) = rows_of(OnNode(broken, str(photos))(block_of(["a.jpg", "b.jpg"])))
    assert not row.path and "model.tflite cannot be loaded" in row.error
    with pytest.raises(ManyError, match=f"The node {node} cannot run the model: "):
        _check_node(row, node)


def test_other_versions_may_give_other_numbers(model: Path) -> None:
    export = Export.of(load_model(model))
    other = replace(export, versions={**export.versions, "pillow": "1.0"})
    ((row, _),) = rows_of(OnNode(other, "/")(block_of(["a.jpg"])))
    assert row.error.startswith("pillow is ") and "and 1.0 here" in row.error


def test_a_photo_that_is_here_and_not_there_ends_the_run(photos: Path) -> None:
    with pytest.raises(ManyError, match=r"photos/a\.jpg is here, but not on the node far-away"):
        _check_node(Row("photos/a.jpg", error="cannot be read: No such file or directory"), "far-away")
    _check_node(Row("photos/nowhere.jpg", error="cannot be read: No such file or directory"), "far-away")
    _check_node(Row("photos/none.jpg", (8, 1), error="is not a photo"), "far-away")
