"""Every photo has its bottleneck: computed once, in order, whatever breaks or is interrupted."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from extracting import (
    FAKE,
    assert_true,
    average_colour,
    broken_photos,
    class_folders,
    damage,
    interrupted_after,
    list_photos,
    photo_bytes,
    run,
    touch,
    write,
)
from shard_files import list_shards

from label_image.preprocessing import Preprocessing
from retrain.backbones.backbone import Backbone
from retrain.backbones.engines.base import BATCH
from retrain.bottlenecks import extraction as bottlenecks
from retrain.bottlenecks.executors import local
from retrain.bottlenecks.extraction import extract
from retrain.bottlenecks.store import Store
from retrain.core import matrix_file
from retrain.core.errors import StoreError


def test_every_photo_is_computed_once(cats: Path, store: Path) -> None:
    first, counter = run(cats, store)
    assert (first.hits, first.computed, first.set_aside, counter.starts) == (0, 6, 0, 1)
    assert_true(first)
    second, counter = run(cats, store)
    assert (second.hits, second.computed, counter.starts) == (6, 0, 0)
    assert_true(second)
    assert np.array_equal(first.matrix, second.matrix)
    assert first.fingerprint == second.fingerprint


@pytest.mark.parametrize(
    "other",
    [
        replace(FAKE, weights_sha256="another"),
        replace(FAKE, preprocessing=FAKE.preprocessing.with_size(9)),
        replace(FAKE, preprocessing=Preprocessing.parse("decode|orient|resize(8,box)|value_range(-1,1)")),
        replace(FAKE, preprocessing=Preprocessing.parse("decode|resize(8,bilinear)|value_range(-1,1)")),
        replace(FAKE, compute_dtype="bfloat16"),
        replace(FAKE, stored_dtype="float16"),
        replace(FAKE, feature_layer="block_12"),
    ],
    ids=["weights", "input size", "resize filter", "orientation", "compute dtype", "stored dtype", "feature layer"],
)
def test_another_backbone_computes_all_and_leaves_the_old_bottlenecks_usable(
    other: Backbone, cats: Path, store: Path
) -> None:
    first, _ = run(cats, store)
    second, _ = run(cats, store, other)
    assert (second.hits, second.computed) == (0, 6)
    assert second.fingerprint != first.fingerprint
    for backbone, before in ((FAKE, first), (other, second)):
        again, counter = run(cats, store, backbone)
        assert (again.computed, counter.starts) == (0, 0)
        assert np.array_equal(again.matrix, before.matrix)
    np.testing.assert_allclose(second.matrix[0], average_colour((cats / "a/0.jpg").read_bytes(), other), atol=1e-3)


@pytest.mark.parametrize("photos", [2, BATCH - 1, BATCH, BATCH + 1, 5 * BATCH])
def test_every_row_belongs_to_its_photo_at_any_number_of_photos(photos: int, tmp_path: Path) -> None:
    extraction, counter = run(class_folders(tmp_path / "cats", photos), tmp_path / "bottlenecks")
    assert (extraction.computed, counter.starts) == (photos, 1)
    assert_true(extraction)


def test_photos_come_in_the_order_of_the_listing_with_their_labels(cats: Path, store: Path) -> None:
    (cats / "a" / "0.jpg").rename(cats / "b" / "z.jpg")
    for _ in range(2):
        extraction, _ = run(cats, store)
        assert [(photo.path, photo.label) for photo in extraction.photos] == [
            (file.path, file.label) for file in list_photos(cats).files
        ]


def test_progress_goes_from_the_hits_to_all_photos(cats: Path, store: Path) -> None:
    run(cats, store)
    for number in range(6, 56):
        write(cats / "ab"[number % 2] / f"{number}.jpg", photo_bytes(number))
    seen: list[tuple[int, int]] = []
    run(cats, store, observe=lambda done, computed: seen.append((done, computed)))
    assert seen == [(6, 0), (38, 32), (56, 50), (56, 50)]


def test_progress_counts_files_that_turn_out_to_be_stored(
    cats: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(cats, store)
    touch(cats)
    for module in (bottlenecks, local):
        monkeypatch.setattr(module, "REPORT_FILES", 2)
    seen: list[tuple[int, int]] = []
    run(cats, store, observe=lambda done, computed: seen.append((done, computed)))
    assert seen == [(2, 0), (4, 0), (6, 0)]


def test_broken_photos_are_skipped_with_the_reason_and_the_others_are_computed(cats: Path, store: Path) -> None:
    broken = broken_photos(cats)
    for computed in (6, 0):
        extraction, _ = run(cats, store)
        assert (extraction.computed, len(extraction.photos)) == (computed, 6)
        assert extraction.hits == 6 - computed
        assert {item.path for item in extraction.skipped} == set(broken)
        for item in extraction.skipped:
            assert broken[item.path] in item.reason
        assert_true(extraction)


def test_broken_photos_do_not_start_the_network_again(cats: Path, store: Path) -> None:
    broken_photos(cats)
    run(cats, store)
    assert run(cats, store)[1].starts == 0


def test_every_copy_of_a_broken_photo_is_skipped(cats: Path, store: Path) -> None:
    for name in ("x.jpg", "y.jpg"):
        write(cats / "a" / name, b"no photo")
    extraction, _ = run(cats, store)
    assert [os.path.basename(item.path) for item in extraction.skipped] == ["x.jpg", "y.jpg"]
    assert extraction.computed == 6


def test_only_broken_photos_give_an_empty_matrix(tmp_path: Path, store: Path) -> None:
    for name in "ab":
        write(tmp_path / "cats" / name / "x.jpg", name.encode())
    extraction, counter = run(tmp_path / "cats", store)
    assert extraction.matrix.shape == (0, 3)
    assert (extraction.hits, extraction.computed, counter.starts) == (0, 0, 0)


def test_a_large_matrix_is_a_file_and_has_the_same_rows(
    cats: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matrix_file, "LARGE_BYTES", 1)
    broken = broken_photos(cats)
    for computed in (6, 0):
        extraction, _ = run(cats, store)
        assert isinstance(extraction.matrix, np.memmap)
        assert (extraction.computed, len(extraction.skipped)) == (computed, len(broken))
        assert_true(extraction)
    write(cats / "b" / "late.jpg", photo_bytes(50))
    assert_true(run(cats, store)[0])
    for shard in list_shards(store / extraction.fingerprint):
        damage(shard)
    again, _ = run(cats, store)
    assert again.computed == 7
    assert_true(again)


def test_bottlenecks_that_vanish_meanwhile_are_a_sentence(
    cats: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Store, "put_many", lambda *_: None)
    with pytest.raises(StoreError, match=r"vanished .* run the same command again"):
        run(cats, store)


def test_a_first_run_has_the_numbers_of_every_later_one(cats: Path, store: Path) -> None:
    half = replace(FAKE, stored_dtype="float16")
    assert np.array_equal(run(cats, store, half)[0].matrix, run(cats, store, half)[0].matrix)


def test_a_large_matrix_of_float16_bottlenecks_is_one_of_float16(
    cats: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = replace(FAKE, stored_dtype="float16")
    small, _ = run(cats, store, half)
    monkeypatch.setattr(matrix_file, "LARGE_BYTES", 1)
    large, counter = run(cats, store, half)
    assert (small.matrix.dtype, large.matrix.dtype, counter.starts) == (np.float32, np.float16, 0)
    assert np.array_equal(small.matrix, large.matrix)
    assert run(cats, store)[0].matrix.dtype == np.float32


@pytest.mark.parametrize("batches", [0, 1, 2])
def test_an_interrupted_run_keeps_its_work(batches: int, tmp_path: Path, store: Path) -> None:
    cats = class_folders(tmp_path / "cats", 3 * BATCH)
    with pytest.raises(KeyboardInterrupt):
        extract(list_photos(cats), FAKE, store, start=interrupted_after(batches))
    again, _ = run(cats, store)
    assert (again.hits, again.computed) == (batches * BATCH, (3 - batches) * BATCH)
    assert_true(again)


def test_a_damaged_shard_is_set_aside_and_computed_again(cats: Path, store: Path) -> None:
    first, _ = run(cats, store)
    for shard in list_shards(store / first.fingerprint):
        damage(shard)
    again, _ = run(cats, store)
    assert (again.computed, again.set_aside) == (6, 2)  # the probe has a shard of its own
    assert_true(again)
    after, counter = run(cats, store)
    assert (after.computed, after.set_aside, counter.starts) == (0, 0, 0)


SCRIPT = """
import sys, time
import numpy as np
from pathlib import Path
from retrain.backbones.backbone import find_backbone
from retrain.bottlenecks.extraction import extract
from retrain.photos.opening import list_photos
from retrain.backbones.engines.registry import start_engine

def start(backbone):
    engine = start_engine(backbone)
    def run(pixels):
        time.sleep(0.02)
        return engine(pixels)
    return run

source, store, out = sys.argv[1:]
result = extract(list_photos(source), find_backbone("fake", Path("x")), store, start=start)
np.save(out, result.matrix)
"""


def test_processes_at_once_on_one_store_all_get_the_true_bottlenecks(tmp_path: Path, store: Path) -> None:
    cats = class_folders(tmp_path / "cats", 6 * BATCH)
    outs = [tmp_path / f"{name}.npy" for name in "xyz"]
    processes = [subprocess.Popen([sys.executable, "-c", SCRIPT, str(cats), str(store), str(out)]) for out in outs]
    assert [process.wait(300) for process in processes] == [0, 0, 0]
    extraction, _ = run(cats, store)
    assert extraction.computed == 0
    assert_true(extraction)
    for out in outs:
        assert np.array_equal(np.load(out), extraction.matrix)
