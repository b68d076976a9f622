"""`label_image --embed`: the bottlenecks of photos as a table, as `retrain features` has them."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from labelling import label

from retrain.cli.main import main as retrain

pq = pytest.importorskip("pyarrow.parquet")
COLUMNS = ["path", "sha256", "embedding", "error"]
WITHOUT_TENSORFLOW = """
import sys
from label_image.cli import main
main(["--model", sys.argv[1], "photos", "--embed", "e.parquet"])
"""


def test_a_row_for_each_photo(model: Path, photos: Path) -> None:
    said = label(model, "photos", "--embed", "e.parquet", code=1)
    table = pq.read_table("e.parquet")
    assert table.column_names == COLUMNS
    assert table.schema.field("embedding").type.list_size == 3
    found = {row["path"]: row for row in table.to_pylist()}
    assert list(found) == ["photos/a.jpg", "photos/b.jpg", "photos/gray.png", "photos/none.jpg", "photos/deep/a.jpg"]
    none = found.pop("photos/none.jpg")
    assert none["embedding"] is none["sha256"] is None and none["error"].startswith("is not a photo")
    for path, row in found.items():
        assert row["sha256"] == hashlib.sha256(Path(path).read_bytes()).hexdigest() and row["error"] is None
    red, green, gray = (found[f"photos/{name}"]["embedding"] for name in ("a.jpg", "b.jpg", "gray.png"))
    assert red[0] > max(red[1:]) and green[1] > max(green[0], green[2]) and np.ptp(gray) < 0.01
    assert said.out.splitlines() == [
        said.out.splitlines()[0], "written: e.parquet",
    ]  # fmt: skip
    assert said.out.startswith("5 photos: 4 embedded, 1 could not be read (5 in ")
    assert not Path("e.parquet.partial").exists()


def test_they_are_those_of_retrain_features(model: Path, three_colours: Path, here: Path) -> None:
    photos = three_colours / "photos"
    retrain(f"features {photos} --architecture fake --bottleneck_dir b --output f.parquet".split())
    label(model, photos, "--embed", "e.parquet")
    features, embedded = pq.read_table("f.parquet"), pq.read_table("e.parquet")
    expected = dict(zip(features["sha256"].to_pylist(), features["bottleneck"].to_pylist(), strict=True))
    assert len(embedded) == 60
    for row in embedded.to_pylist():
        np.testing.assert_allclose(row["embedding"], expected[row["sha256"]], rtol=1e-4, atol=1e-6)


def test_a_model_that_has_none_is_a_sentence(model: Path, photos: Path) -> None:
    Path("other").mkdir()
    data = (model / "model.tflite").read_bytes()
    start = data.index(b"PK\x03\x04")  # of the manifest, which stays
    old = data[:start].replace(b"similarity", b"similarit_")
    Path("other/model.tflite").write_bytes(old + data[start:])
    said = label(Path("other/model.tflite"), "photos", "--embed", "e.parquet", code=1)
    assert "has nothing to embed photos with" in said.err and "other --to tflite_embed --image_dir" in said.err
    assert not Path("e.parquet").exists() and not Path("e.parquet.partial").exists()


def test_no_photo_at_all_is_a_table_too(model: Path, here: Path) -> None:
    Path("none.jpg").write_bytes(b"no photo")
    label(model, "none.jpg", "--embed", "e.parquet", code=1)
    table = pq.read_table("e.parquet")
    assert table["embedding"].null_count == len(table) == 1


def test_tensorflow_is_not_needed(model: Path, photos: Path, tmp_path: Path) -> None:
    shutil.copy(model / "model.tflite", "m.tflite")
    (tmp_path / "tensorflow.py").write_text("raise ImportError('none here')")
    command = [sys.executable, "-c", WITHOUT_TENSORFLOW, "m.tflite"]
    done = subprocess.run(command, capture_output=True, text=True)  # -c: this folder is looked in first
    assert done.returncode == 1 and "4 embedded" in done.stdout, done.stderr
