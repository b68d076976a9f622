"""The table that `retrain features` writes."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from stored import key, vector

from retrain.bottlenecks import feature_table
from retrain.bottlenecks.feature_table import write_feature_table
from retrain.photos.dataset import Photo

PHOTOS = (
    Photo("/p/a/1.jpg", "a", key(1).photo_sha256, "training"),
    Photo("/p/b/2.jpg", "b", key(2).photo_sha256, "testing"),
    Photo("/p/caf\udce9.jpg", "", key(3).photo_sha256),
)
VIEWS = np.stack([vector(number) for number in (1, 2, 3, 11, 12, 13)])
VIEW_IDS = ("original", "flip#1")


def test_a_row_for_each_photo_and_view(tmp_path: Path) -> None:
    path, told = tmp_path / "f.parquet", []
    write_feature_table(path, PHOTOS, VIEWS, VIEW_IDS, {"architecture": "fake"}, told.append)
    table = pq.read_table(path)
    assert table.schema.names == ["path", "sha256", "label", "split", "view", "bottleneck"]
    assert table["path"].to_pylist() == 2 * ["/p/a/1.jpg", "/p/b/2.jpg", "/p/caf\\xe9.jpg"]
    assert table["sha256"].to_pylist() == 2 * [photo.sha256 for photo in PHOTOS]
    assert table["label"].to_pylist() == 2 * ["a", "b", None]
    assert table["split"].to_pylist() == 2 * ["training", "testing", None]
    assert table["view"].to_pylist() == 3 * ["original"] + 3 * ["flip#1"]
    assert table["bottleneck"].to_pylist() == VIEWS.tolist() and str(table["bottleneck"].type).endswith("[4]")
    assert json.loads(table.schema.metadata[feature_table.METADATA]) == {"version": 1, "architecture": "fake"}
    assert told[-1] == 6


def test_it_is_written_in_batches_and_the_same_bytes_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_table, "BATCH_BYTES", 2 * 4 * 4)
    told: list[int] = []
    for name in ("one", "other"):
        write_feature_table(tmp_path / name, PHOTOS, VIEWS.astype(np.float16), VIEW_IDS, {}, told.append)
    assert told == 2 * [2, 3, 5, 6]
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    assert [pq.ParquetFile(tmp_path / "one").metadata.row_group(group).num_rows for group in range(4)] == [2, 1, 2, 1]
    assert pq.read_table(tmp_path / "one")["bottleneck"].to_pylist() == VIEWS.tolist()


def test_no_view_of_no_photo_is_an_empty_table(tmp_path: Path) -> None:
    write_feature_table(tmp_path / "f.parquet", (), VIEWS[:0], VIEW_IDS, {})
    assert pq.read_table(tmp_path / "f.parquet").num_rows == 0
