import io
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from PIL import Image
from pyarrow.parquet import read_metadata

from label_image.preprocessing import Pixels, Preprocessing
from retrain.backbones.backbone import Backbone, find_backbone
from retrain.backbones.engines.base import BATCH, Bottlenecks, Engine
from retrain.backbones.engines.registry import start_engine
from retrain.bottlenecks import contents, probe
from retrain.bottlenecks import extraction as bottlenecks
from retrain.bottlenecks.executors import local
from retrain.bottlenecks.extraction import Extraction, extract
from retrain.bottlenecks.store import Store
from retrain.core import matrix_file
from retrain.core.errors import StoreError
from retrain.core.sealed import list_shards
from retrain.photos import hashes, opening
from retrain.photos import reading as identify
from retrain.photos.dataset import Dataset
from retrain.photos.hashes import PhotoHashes, hash_bytes

FAKE = find_backbone("fake", Path("no-models"))
LONG_AGO = 1_500_000_000 * 10**9
clock = itertools.count(LONG_AGO, 10**9)  # files that are a moment old are never trusted unread


def list_photos(source: Path) -> Dataset:
    """Photos as a file system lists them that keeps no change times: what is written a moment ago may look old."""
    listing = opening.list_photos(source)
    return replace(listing, files=tuple(replace(file, ctime_ns=file.mtime_ns) for file in listing.files))


class Counter:
    """Starts engines, and counts the starts and the photos (not the probe's) that ran through them."""

    def __init__(self, change: Callable[[Bottlenecks], Bottlenecks] = lambda vectors: vectors) -> None:
        self.starts = 0
        self.photos = 0
        self.change = change

    def start(self, backbone: Backbone) -> Engine:
        self.starts += 1
        run = start_engine(backbone)
        probes = {backbone.preprocessing.pixels(data).tobytes() for data in probe.probe_photos()}

        def engine(pixels: Pixels) -> Bottlenecks:
            self.photos += sum(photo.tobytes() not in probes for photo in pixels)
            return self.change(run(pixels))

        return engine


def photo_bytes(number: int) -> bytes:
    """A photo of its own for each number: a JPEG where it is even, a PNG of constant length where it is odd."""
    pixels = np.random.default_rng(number).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    if number % 2:
        image.save(file, "PNG", compress_level=0)
    else:
        image.save(file, "JPEG")
    return file.getvalue()


def write(path: Path, data: bytes) -> Path:
    """Write as most programs replace a file: under another name, renamed into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(".new")
    temporary.write_bytes(data)
    now = next(clock)
    os.utime(temporary, ns=(now, now))
    os.replace(temporary, path)
    return path


def class_folders(root: Path, photos: int = 6) -> Path:
    for number in range(photos):
        write(root / "ab"[number % 2] / f"{number}.jpg", photo_bytes(number))
    return root


def average_colour(data: bytes, backbone: Backbone = FAKE) -> np.ndarray:
    """What the fake backbone gives, written once more: pixels 0..255 to -1..1, averaged."""
    return backbone.preprocessing.pixels(data).astype(np.float64).mean(axis=(0, 1)) / 127.5 - 1


def assert_true(extraction: Extraction) -> None:
    """Every row is what its photo's bytes give, and every photo has one."""
    assert extraction.matrix.shape == (len(extraction.photos), 3)
    assert extraction.matrix.dtype == np.float32
    for photo, row in zip(extraction.photos, extraction.matrix, strict=True):
        data = Path(photo.path).read_bytes()
        assert photo.sha256 == hash_bytes(data)
        np.testing.assert_allclose(row, average_colour(data), atol=2e-6)


def run(source: Path, store: Path, backbone: Backbone = FAKE, **options: object) -> tuple[Extraction, Counter]:
    counter = Counter()
    extraction = extract(list_photos(source), backbone, store, start=counter.start, **options)  # type: ignore[arg-type]
    assert extraction.computed == counter.photos
    return extraction, counter


@pytest.fixture
def cats(tmp_path: Path) -> Path:
    return class_folders(tmp_path / "cats")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "bottlenecks"


def test_every_photo_is_computed_once(cats: Path, store: Path) -> None:
    first, counter = run(cats, store)
    assert (first.hits, first.computed, first.set_aside, counter.starts) == (0, 6, 0, 1)
    assert_true(first)
    second, counter = run(cats, store)
    assert (second.hits, second.computed, counter.starts) == (6, 0, 0)
    assert_true(second)
    assert np.array_equal(first.matrix, second.matrix)
    assert first.fingerprint == second.fingerprint


def read_by(monkeypatch: pytest.MonkeyPatch, read: Callable[[str], bytes]) -> None:
    """Photos are read by this function."""

    @contextmanager
    def opened(path: str) -> Iterator[bytes]:
        yield read(path)

    monkeypatch.setattr(identify, "photo_bytes", opened)


def test_an_unchanged_photo_is_not_even_read_again(cats: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(cats, store)
    read_by(monkeypatch, lambda path: pytest.fail(f"{path} was read"))
    assert run(cats, store)[0].hits == 6


def rename(cats: Path) -> Path:
    (cats / "a" / "0.jpg").rename(cats / "a" / "新しい 名.PNG")
    return cats


def swap_names(cats: Path) -> Path:
    one, other, spare = cats / "a" / "0.jpg", cats / "a" / "2.jpg", cats / "spare"
    one.rename(spare)
    other.rename(one)
    spare.rename(other)
    return cats


def relabel_a_photo(cats: Path) -> Path:
    (cats / "a" / "0.jpg").rename(cats / "b" / "0.jpg")
    return cats


def relabel_a_class(cats: Path) -> Path:
    (cats / "a").rename(cats / "Сфинкс")
    return cats


def duplicate(cats: Path) -> Path:
    shutil.copy(cats / "a" / "0.jpg", cats / "b" / "copy.jpg")
    return cats


def touch(cats: Path) -> Path:
    for path in cats.rglob("*.jpg"):
        path.touch()
    return cats


def mount_elsewhere(cats: Path) -> Path:
    return cats.rename(cats.parent / "mnt")


def copy_without_times(cats: Path) -> Path:
    return shutil.copytree(cats, cats.parent / "copy", copy_function=shutil.copyfile)


def remove(cats: Path) -> Path:
    (cats / "a" / "0.jpg").unlink()
    return cats


@pytest.mark.parametrize(
    "change",
    [
        rename,
        swap_names,
        relabel_a_photo,
        relabel_a_class,
        duplicate,
        touch,
        mount_elsewhere,
        copy_without_times,
        remove,
    ],
)
def test_nothing_is_computed_again_for_the_same_contents(
    change: Callable[[Path], Path], cats: Path, store: Path
) -> None:
    run(cats, store)
    again, counter = run(change(cats), store)
    assert (again.computed, counter.starts) == (0, 0)
    assert again.hits == len(again.photos)
    assert_true(again)


def test_a_replaced_photo_is_computed_again_and_no_other(cats: Path, store: Path) -> None:
    run(cats, store)
    write(cats / "a" / "0.jpg", photo_bytes(100))
    again, _ = run(cats, store)
    assert (again.hits, again.computed) == (5, 1)
    assert_true(again)


def test_a_photo_of_the_same_name_in_another_data_set_is_another_photo(tmp_path: Path, store: Path) -> None:
    run(class_folders(tmp_path / "cats"), store)
    for number in range(6):
        write(tmp_path / "dogs" / "ab"[number % 2] / f"{number}.jpg", photo_bytes(number + 100))
    dogs, _ = run(tmp_path / "dogs", store)
    assert (dogs.hits, dogs.computed) == (0, 6)
    assert_true(dogs)


def replace_unseen(path: Path, data: bytes) -> None:
    """Other bytes of the same size in the same file, with the modification time put back."""
    before = path.stat()
    assert before.st_size == len(data)
    with open(path, "r+b") as file:
        file.write(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_the_same_size_with_a_newer_time_is_seen(cats: Path, store: Path) -> None:
    run(cats, store)
    path = cats / "b" / "1.jpg"
    replace_unseen(path, photo_bytes(101))
    os.utime(path)
    again, _ = run(cats, store)
    assert again.computed == 1
    assert_true(again)


def test_a_photo_replaced_in_place_with_its_old_time_is_seen_by_its_change_time(
    cats: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashes, "RACY_NS", -(10**12))  # nobody writes within the same tick here
    reads = []
    read_by(monkeypatch, lambda path: reads.append(path) or Path(path).read_bytes())

    def real_run() -> Extraction:
        reads.clear()
        return extract(opening.list_photos(cats), FAKE, store)

    real_run()
    assert (real_run().computed, reads) == (0, [])
    time.sleep(0.05)  # a tick of the clock of the file system
    replaced = cats / "b" / "1.jpg"
    replace_unseen(replaced, photo_bytes(101))
    again = real_run()
    assert (again.computed, reads) == (1, [str(replaced)])
    assert_true(again)


def test_paranoid_sees_a_photo_replaced_without_a_trace(cats: Path, store: Path) -> None:
    run(cats, store)
    replace_unseen(cats / "b" / "1.jpg", photo_bytes(101))
    again, _ = run(cats, store, paranoid=True)
    assert (again.hits, again.computed) == (5, 1)
    assert_true(again)
    after, _ = run(cats, store)
    assert after.computed == 0
    assert_true(after)


def test_a_photo_replaced_without_a_trace_never_gets_another_photos_name(cats: Path, store: Path) -> None:
    run(cats, store)
    path = cats / "b" / "1.jpg"
    replace_unseen(path, photo_bytes(101))
    other = replace(FAKE, weights_sha256="other")
    again, _ = run(cats, store, other)
    assert [item.path for item in again.skipped] == [str(path)]
    assert "--paranoid" in again.skipped[0].reason
    assert_true(again)
    cured, _ = run(cats, store, other, paranoid=True)
    assert (cured.computed, cured.skipped) == (1, ())
    assert_true(cured)


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


def test_batches_threads_and_the_weights_path_change_no_fingerprint(
    cats: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = run(cats, store)
    monkeypatch.setattr(local, "BATCH", 4)
    monkeypatch.setattr(identify, "cores", lambda: 1)
    write(cats / "a" / "more.jpg", photo_bytes(50))
    again, _ = run(cats, store, replace(FAKE, weights_file=Path("elsewhere.h5")))
    assert (again.computed, again.fingerprint) == (1, first.fingerprint)


@pytest.mark.parametrize("photos", [2, BATCH - 1, BATCH, BATCH + 1, 5 * BATCH])
def test_every_row_belongs_to_its_photo_at_any_number_of_photos(photos: int, tmp_path: Path) -> None:
    extraction, counter = run(class_folders(tmp_path / "cats", photos), tmp_path / "bottlenecks")
    assert (extraction.computed, counter.starts) == (photos, 1)
    assert_true(extraction)


@pytest.mark.parametrize(("allowed", "ahead"), [(10**9, 100), (192 * 50, 50), (192, BATCH)])
def test_photos_that_wait_for_the_network_take_bounded_memory(
    allowed: int, ahead: int, cats: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    read_photos = local.read_photos
    monkeypatch.setattr(local, "read_photos", lambda *a: asked.append(a[-1]) or read_photos(*a))
    monkeypatch.setattr(local, "AHEAD", 100)
    monkeypatch.setattr(local, "AHEAD_BYTES", allowed)  # a photo of the fake backbone takes 8 x 8 x 3
    run(cats, store)
    assert asked == [ahead]


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


# Broken photos


def broken_photos(cats: Path) -> dict[str, str]:
    """Paths of files that are no photos, and a part of the reason that each must get."""
    whole = photo_bytes(102)
    return {
        str(write(cats / "a" / "cut.jpg", whole[: len(whole) // 2])): "is cut off",
        str(write(cats / "a" / "empty.jpg", b"")): "empty",
        str(write(cats / "b" / "text.png", b"just some text")): "not a photo",
    }


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


def test_hashes_are_saved_while_photos_are_read(cats: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "SAVE_SECONDS", 0.0)
    saves: list[int] = []
    save = PhotoHashes.save
    monkeypatch.setattr(PhotoHashes, "save", lambda self: saves.append(len(self._new)) or save(self))
    run(cats, store)
    assert saves == [1] * 6 + [0]


def test_a_photo_that_vanishes_after_the_listing_is_skipped(cats: Path, store: Path) -> None:
    listing = list_photos(cats)
    (cats / "a" / "0.jpg").unlink()
    extraction = extract(listing, FAKE, store)
    assert [os.path.basename(item.path) for item in extraction.skipped] == ["0.jpg"]
    assert "cannot be read" in extraction.skipped[0].reason
    assert_true(extraction)


def test_each_photo_is_read_once(cats: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken_photos(cats)
    write(cats / "a" / "copy.jpg", photo_bytes(0))
    reads: list[str] = []
    read_by(monkeypatch, lambda path: reads.append(path) or Path(path).read_bytes())
    assert run(cats, store)[0].computed == 6
    assert sorted(reads) == sorted(file.path for file in list_photos(cats).files)


def test_a_photo_that_changes_while_it_is_read_gets_the_bottleneck_of_what_was_read(
    cats: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(cats / "a" / "0.jpg")

    def read(name: str) -> bytes:
        data = Path(name).read_bytes()
        if name == path:
            write(Path(name), photo_bytes(100))
        return data

    read_by(monkeypatch, read)
    first, _ = run(cats, store)
    assert (first.computed, first.photos[0].sha256) == (6, hash_bytes(photo_bytes(0)))
    np.testing.assert_allclose(first.matrix[0], average_colour(photo_bytes(0)), atol=2e-6)
    monkeypatch.undo()
    again, _ = run(cats, store)
    assert again.computed == 1
    assert_true(again)


def test_a_copy_stands_in_for_a_photo_that_was_replaced_without_a_trace(cats: Path, store: Path) -> None:
    path = cats / "b" / "1.jpg"
    write(cats / "b" / "copy.jpg", photo_bytes(1))
    run(cats, store)
    replace_unseen(path, photo_bytes(101))
    again, _ = run(cats, store, replace(FAKE, weights_sha256="other"))
    assert [item.path for item in again.skipped] == [str(path)]
    assert again.computed == 6
    assert_true(again)


# Interruptions and damage


def interrupted_after(batches: int) -> Callable[[Backbone], Engine]:
    def start(backbone: Backbone) -> Engine:
        calls = itertools.count(-1)  # the probe comes first
        engine = start_engine(backbone)

        def run(pixels: Pixels) -> Bottlenecks:
            if next(calls) >= batches:
                raise KeyboardInterrupt
            return engine(pixels)

        return run

    return start


@pytest.mark.parametrize("batches", [0, 1, 2])
def test_an_interrupted_run_keeps_its_work(batches: int, tmp_path: Path, store: Path) -> None:
    cats = class_folders(tmp_path / "cats", 3 * BATCH)
    with pytest.raises(KeyboardInterrupt):
        extract(list_photos(cats), FAKE, store, start=interrupted_after(batches))
    again, _ = run(cats, store)
    assert (again.hits, again.computed) == (batches * BATCH, (3 - batches) * BATCH)
    assert_true(again)


def test_hashes_survive_an_interruption(cats: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyboardInterrupt):
        extract(list_photos(cats), FAKE, store, start=interrupted_after(0))
    reads: list[str] = []
    read_by(monkeypatch, lambda path: reads.append(path) or Path(path).read_bytes())
    run(cats, store)
    assert sorted(reads) == sorted(file.path for file in list_photos(cats).files)  # to decode, not to hash


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_damaged_shard_is_set_aside_and_computed_again(cats: Path, store: Path) -> None:
    first, _ = run(cats, store)
    for shard in list_shards(store / first.fingerprint):
        damage(shard)
    again, _ = run(cats, store)
    assert (again.computed, again.set_aside) == (6, 2)  # the probe has a shard of its own
    assert_true(again)
    after, counter = run(cats, store)
    assert (after.computed, after.set_aside, counter.starts) == (0, 0, 0)


def test_a_damaged_table_of_hashes_costs_nothing_but_reading(cats: Path, store: Path) -> None:
    run(cats, store)
    for table in list_shards(store, "photo-hashes"):
        damage(table)
    again, _ = run(cats, store)
    assert again.computed == 0
    assert_true(again)


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
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    extraction, _ = run(cats, store)
    assert extraction.computed == 0
    assert_true(extraction)
    for out in outs:
        assert np.array_equal(np.load(out), extraction.matrix)


# Environments whose numbers differ


def drifted(cats: Path, store: Path, change: Callable[[Bottlenecks], Bottlenecks]) -> tuple[Extraction, Counter]:
    counter = Counter(change)
    return extract(list_photos(cats), FAKE, store, start=counter.start), counter


def test_an_environment_with_other_numbers_is_kept_apart_aloud(
    cats: Path, store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, _ = run(cats, store)
    write(cats / "a" / "new.jpg", photo_bytes(100))
    second, counter = drifted(cats, store, lambda vectors: vectors * np.float32(1.5))
    assert (second.hits, second.computed, counter.photos) == (0, 7, 7)  # not one old row among them
    assert "differ from this one's by 0.5" in caplog.text
    assert second.fingerprint != first.fingerprint
    for photo, row in zip(second.photos, second.matrix, strict=True):
        np.testing.assert_allclose(row, 1.5 * average_colour(Path(photo.path).read_bytes()), atol=3e-6)
    third, counter = drifted(cats, store, lambda vectors: vectors * np.float32(1.5))
    assert (third.computed, third.fingerprint) == (0, second.fingerprint)
    assert np.array_equal(third.matrix, second.matrix)
    again, _ = run(cats, store)
    assert (again.hits, again.computed, again.fingerprint) == (6, 1, first.fingerprint)
    assert_true(again)


def test_a_third_environment_gets_a_fingerprint_of_its_own(cats: Path, store: Path) -> None:
    prints = set()
    for number, factor in enumerate((1, 1.5, 2)):
        write(cats / "a" / f"new{number}.jpg", photo_bytes(100 + number))
        extraction, _ = drifted(cats, store, lambda vectors, factor=factor: vectors * np.float32(factor))
        prints.add(extraction.fingerprint)
    assert len(prints) == 3


def test_shards_set_aside_are_counted_in_every_store_that_was_asked(cats: Path, store: Path) -> None:
    first, _ = run(cats, store)
    damage(max(list_shards(store / first.fingerprint), key=lambda path: read_metadata(path).num_rows))
    drift, _ = drifted(cats, store, lambda vectors: vectors * np.float32(1.5))
    assert (drift.computed, drift.set_aside) == (6, 1)


def test_another_environment_is_seen_whichever_shard_is_damaged(cats: Path, store: Path) -> None:
    first, _ = run(cats, store)
    probe_shard = min(list_shards(store / first.fingerprint), key=lambda path: read_metadata(path).num_rows)
    damage(probe_shard)
    write(cats / "a" / "new.jpg", photo_bytes(100))
    drift, _ = drifted(cats, store, lambda vectors: vectors * np.float32(1.5))
    assert drift.fingerprint != first.fingerprint
    assert (drift.hits, drift.computed, drift.set_aside) == (0, 7, 1)  # none of the first environment's among them


def test_numbers_that_differ_as_another_cpu_s_do_are_the_same_environment(
    cats: Path, store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, _ = run(cats, store)
    write(cats / "a" / "new.jpg", photo_bytes(100))
    second, _ = drifted(cats, store, lambda vectors: vectors * np.float32(1 + 1e-4))
    assert (second.hits, second.computed, second.fingerprint) == (6, 1, first.fingerprint)
    assert not caplog.records


def test_numbers_that_are_not_finite_are_refused(cats: Path, store: Path) -> None:
    with pytest.raises(StoreError, match="not finite"):
        drifted(cats, store, lambda vectors: vectors * np.float32(np.nan))


# Any sequence of file operations


class FileOperations(RuleBasedStateMachine):
    """Whatever is done to the files: computed are exactly the contents that were never seen before."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="retrain-test-"))
        self.root, self.store = self.folder / "photos", self.folder / "bottlenecks"
        self.seen: set[bytes] = set()
        class_folders(self.root, 2)  # two photos that stay, one in each class
        self.paths: list[Path] = []
        self.names = itertools.count()

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def pick(self, choice: int) -> Path | None:
        return self.paths[choice % len(self.paths)] if self.paths else None

    def fresh_path(self, label: str) -> Path:
        path = self.root / label / f"photo {next(self.names)}.png"
        path.parent.mkdir(exist_ok=True)
        self.paths.append(path)
        return path

    @rule(label=st.sampled_from("abc"), number=st.integers(0, 9))
    def add(self, label: str, number: int) -> None:
        write(self.fresh_path(label), photo_bytes(number))

    @rule(choice=st.integers(0, 99), number=st.integers(0, 9))
    def replace(self, choice: int, number: int) -> None:
        if path := self.pick(choice):
            write(path, photo_bytes(number))

    @rule(choice=st.integers(0, 99), label=st.sampled_from("abc"))
    def move(self, choice: int, label: str) -> None:
        if path := self.pick(choice):
            self.paths.remove(path)
            path.rename(self.fresh_path(label))

    @rule(choice=st.integers(0, 99), label=st.sampled_from("abc"), keep_times=st.booleans())
    def copy(self, choice: int, label: str, keep_times: bool) -> None:
        if path := self.pick(choice):
            (shutil.copy2 if keep_times else shutil.copyfile)(path, self.fresh_path(label))

    @rule(one=st.integers(0, 99), other=st.integers(0, 99))
    def swap(self, one: int, other: int) -> None:
        first, second = self.pick(one), self.pick(other)
        if first and second and first != second:
            first.rename(self.folder / "spare")
            second.rename(first)
            (self.folder / "spare").rename(second)

    @rule(choice=st.integers(0, 99))
    def delete(self, choice: int) -> None:
        if path := self.pick(choice):
            self.paths.remove(path)
            path.unlink()

    @rule(choice=st.integers(0, 99))
    def touch(self, choice: int) -> None:
        if path := self.pick(choice):
            path.touch()

    @rule()
    def mount_elsewhere(self) -> None:
        elsewhere = self.folder / f"mount{next(self.names)}"
        self.root.rename(elsewhere)
        self.paths = [elsewhere / path.relative_to(self.root) for path in self.paths]
        self.root = elsewhere

    @invariant()
    def only_new_contents_are_computed(self) -> None:
        contents = {path.read_bytes() for path in self.root.rglob("*.*g")}
        extraction, counter = run(self.root, self.store)
        assert extraction.computed == len(contents - self.seen)
        assert counter.starts == bool(contents - self.seen)
        self.seen |= contents
        assert_true(extraction)
        assert len(extraction.photos) == 2 + len(self.paths)


FileOperations.TestCase.settings = settings(
    max_examples=12, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)
TestFileOperations = FileOperations.TestCase
