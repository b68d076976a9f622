"""What `retrain store` does: looking into stores, checking, pruning and merging them."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from shard_files import list_shards
from stored import description

from retrain.backbones.calibrated import CalibratedNetwork, NetworkFile
from retrain.bottlenecks import probe
from retrain.bottlenecks.inspection import inspect_store, verify_store
from retrain.bottlenecks.merging import merge_stores
from retrain.bottlenecks.near_copies import thumbnail_store
from retrain.bottlenecks.pruning import plan_pruning, prune_store
from retrain.bottlenecks.shards import Key, bottleneck_table, key_table
from retrain.bottlenecks.store import Store, fingerprint
from retrain.core.errors import OptionError, StoreError
from retrain.core.places import LocalPlace
from retrain.photos.hashes import PhotoHashes

DIM = 4
COVERS: dict[str, object] = {"architecture": "fake", "input_size": 8, "compute_dtype": "float32"}
OTHER = {**COVERS, "input_size": 16}


def sha256(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def vectors(numbers: Iterable[int], factor: float = 1.0) -> np.ndarray:
    return np.array([[number + 1.0] * DIM for number in numbers], np.float32).reshape(-1, DIM) * np.float32(factor)


def fill(
    folder: Path,
    numbers: Iterable[int],
    covers: dict[str, object] = COVERS,
    views: tuple[str, ...] = ("original",),
    factor: float = 1.0,
) -> Store:
    """A store with a shard for these photos, the probe's rows in it."""
    store, numbers = Store(folder, covers, DIM), list(numbers)
    store.put_into_every_shard([Key(sha256(-1), probe.VIEW)], vectors([-7], factor))
    for view in views:
        store.put_many([Key(sha256(number), view) for number in numbers], vectors(numbers, factor))
    store.flush()
    return store


def fill_thumbnails(folder: Path, numbers: Iterable[int]) -> list[str]:
    """Thumbnails of these photos; returns their SHA-256s."""
    sha256s = [sha256(number) for number in numbers]
    with thumbnail_store(folder) as store:
        store.put_many([Key(one) for one in sha256s], np.zeros((len(sha256s), store.dim), np.float32))
    return sha256s


def served(folder: Path, numbers: Iterable[int], covers: dict[str, object] = COVERS) -> list[int]:
    """Which of the photos a store has, each with its own vector."""
    numbers = list(numbers)
    matrix, found = Store(folder, covers, DIM).get_many([Key(sha256(number)) for number in numbers])
    assert np.array_equal(matrix[found], vectors(np.array(numbers)[found]))
    return [number for number, there in zip(numbers, found, strict=True) if there]


def has_probe(folder: Path) -> bool:
    return bool(Store(folder, COVERS, DIM).get_many([Key(sha256(-1), probe.VIEW)])[1].all())


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


# Info


def test_info_counts_photos_and_bottlenecks_of_each_fingerprint(tmp_path: Path) -> None:
    fill(tmp_path, range(5), views=("original", "flip#1"))
    fill(tmp_path, range(3, 9))
    fill(tmp_path, range(2), OTHER)
    before = snapshot(tmp_path)
    found = inspect_store(tmp_path)
    assert snapshot(tmp_path) == before
    by_backbone = {folder.backbone: (folder.photos, folder.vectors, folder.shards) for folder in found.folders}
    assert by_backbone == {"fake, 8 px, float32": (9, 14, 2), "fake, 16 px, float32": (2, 2, 1)}
    sizes = sum(path.stat().st_size for path in tmp_path.rglob("*.parquet"))
    assert sum(folder.bytes for folder in found.folders) == sizes


def test_info_counts_damage_and_files_known_by_their_hashes(tmp_path: Path) -> None:
    store = fill(tmp_path, range(5))
    fill(tmp_path, range(5, 9))
    flip(list_shards(store.folder)[0])
    aside = tmp_path / "damaged" / store.fingerprint / f"{'0' * 64}.parquet.damaged"
    aside.parent.mkdir(parents=True)
    aside.touch()
    hashes = PhotoHashes(tmp_path)
    hashes.record("/a", 1, 0, sha256(1), inode=1, ctime_ns=0)
    hashes.save()
    found = inspect_store(tmp_path)
    (folder,) = found.folders
    assert (folder.damaged, folder.set_aside, folder.shards, found.known_files) == (1, 1, 1, 1)


def test_info_knows_a_folder_without_its_description(tmp_path: Path) -> None:
    description(fill(tmp_path, range(5))).write_bytes(b"{")
    (folder,) = inspect_store(tmp_path).folders
    assert (folder.backbone, folder.photos) == ("unknown", 5)


@pytest.mark.parametrize("look", [inspect_store, verify_store])
def test_a_store_that_is_not_there_is_a_sentence(look: Callable[[Path], object], tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"There is no folder .*nowhere; check `bottleneck_dir`\."):
        look(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot be read .*check `bottleneck_dir`\."):
        look(tmp_path / "file")


# Verify


def test_verify_reads_everything_and_changes_nothing(tmp_path: Path) -> None:
    store = fill(tmp_path, range(5))
    fill(tmp_path, range(2), OTHER)
    table = bottleneck_table(key_table([Key(sha256(9))]), np.full((1, DIM), np.nan, np.float32), store._schema)
    not_finite = store.folder / store._write(table, 0)
    wrong_key = pa.table([pa.array(["ab"]), pa.array(["original"]), table["bottleneck"]], schema=store._schema)
    no_key = store.folder / store._write(wrong_key, 0)
    torn = fill(tmp_path, range(20, 30))
    torn_path = next(path for path in list_shards(torn.folder) if path not in (not_finite, no_key))
    torn_path.write_bytes(torn_path.read_bytes()[:-1])
    hashes = PhotoHashes(tmp_path)
    hashes.record("/a", 1, 0, sha256(1), inode=1, ctime_ns=0)
    hashes.save()
    (table_of_hashes,) = list_shards(tmp_path, "photo-hashes")
    flip(table_of_hashes)
    before = snapshot(tmp_path)
    found = verify_store(tmp_path)
    assert snapshot(tmp_path) == before
    assert {file.path for file in found.damaged} == {not_finite, no_key, torn_path, table_of_hashes}
    reasons = {file.path: file.reason for file in found.damaged}
    assert "not finite" in reasons[not_finite] and "64 digits" in reasons[no_key] and "digest" in reasons[torn_path]
    assert found.shards == 2


def test_repair_sets_aside_and_the_next_look_finds_nothing(tmp_path: Path) -> None:
    store = fill(tmp_path, range(5))
    (path,) = list_shards(store.folder)
    flip(path)
    data = path.read_bytes()
    found = verify_store(tmp_path, repair=True)
    (damaged,) = found.damaged
    assert damaged.path.name == f"{path.name}.damaged" and damaged.path.read_bytes() == data
    assert verify_store(tmp_path).damaged == ()
    assert served(tmp_path, range(5)) == []


def test_what_is_damaged_goes_where_the_page_says(tmp_path: Path) -> None:
    store = fill(tmp_path, range(5))
    fill_thumbnails(tmp_path, range(3))
    hashes = PhotoHashes(tmp_path)
    hashes.record("/a", 1, 0, sha256(1), inode=1, ctime_ns=0)
    hashes.save()
    network = CalibratedNetwork.keep(LocalPlace(tmp_path / "calibrated" / ("0" * 64)), NetworkFile(b"a", b"b"))
    (shard,), (thumbnails,) = list_shards(store.folder), list_shards(thumbnail_store(tmp_path).folder)
    (table,), kept = list_shards(tmp_path, "photo-hashes"), Path(network.place.at(network.name))
    for path in (shard, thumbnails, table, kept):
        flip(path)
    verify_store(tmp_path, repair=True)
    aside = {path for path in tmp_path.rglob("*.damaged")}
    assert aside == {
        tmp_path / "damaged" / shard.parent.name / f"{shard.name}.damaged",
        tmp_path / "thumbnails" / "damaged" / thumbnails.parent.name / f"{thumbnails.name}.damaged",
        table.with_name(f"{table.name}.damaged"),
        kept.with_name(f"{kept.name}.damaged"),
    }


def test_thumbnails_are_verified_too(tmp_path: Path) -> None:
    fill(tmp_path, range(5))
    fill_thumbnails(tmp_path, range(3))
    assert verify_store(tmp_path).damaged == ()
    (path,) = list_shards(thumbnail_store(tmp_path).folder)
    flip(path)
    (damaged,) = verify_store(tmp_path).damaged
    assert damaged.path == path
    verify_store(tmp_path, repair=True)
    assert verify_store(tmp_path).damaged == () and not path.exists()


def test_a_shard_of_another_fingerprint_is_damaged_here(tmp_path: Path) -> None:
    right, wrong = fill(tmp_path, range(5)), fill(tmp_path, range(5), OTHER)
    (path,) = list_shards(wrong.folder)
    shutil.copy(path, right.folder)
    (damaged,) = verify_store(tmp_path).damaged
    assert (damaged.path, damaged.reason) == (right.folder / path.name, "it was written for another fingerprint")


# Prune


def test_photos_that_are_asked_for_stay_in_every_view_and_so_does_the_probe(tmp_path: Path) -> None:
    fill(tmp_path, range(9), views=("original", "flip#1"))
    fill(tmp_path, range(9, 12))
    before = snapshot(tmp_path)
    plan = plan_pruning(tmp_path, {sha256(number) for number in (1, 2, 10)}, ())
    assert snapshot(tmp_path) == before  # a plan changes nothing
    (folder,) = plan.folders
    assert (folder.removed, folder.kept, folder.whole, plan.removed) == (16, 5, False, 16)
    assert prune_store(plan) == ()
    assert served(tmp_path, range(12)) == [1, 2, 10] and has_probe(tmp_path)
    assert Store(tmp_path, COVERS, DIM).get_many([Key(sha256(2), "flip#1")])[1].all()
    assert plan_pruning(tmp_path, {sha256(number) for number in (1, 2, 10)}, ()).folders == ()


def test_fingerprints_that_are_not_asked_for_go_whole(tmp_path: Path) -> None:
    keep, gone = fill(tmp_path, range(5)), fill(tmp_path, range(5), OTHER)
    plan = plan_pruning(tmp_path, None, [keep.fingerprint[:12]])
    (folder,) = plan.folders
    assert (folder.removed, folder.kept, folder.whole) == (5, 0, True)
    assert prune_store(plan) == () and not gone.folder.exists()
    assert served(tmp_path, range(5)) == list(range(5))


def test_files_of_others_and_damaged_ones_are_left_and_named(tmp_path: Path) -> None:
    keep, gone = fill(tmp_path, range(5)), fill(tmp_path, range(5), OTHER)
    mine = gone.folder / "mine.parquet"
    mine.write_bytes(b"mine")
    assert prune_store(plan_pruning(tmp_path, None, [keep.fingerprint])) == (gone.folder,)
    assert [path.name for path in gone.folder.iterdir()] == ["mine.parquet"]


def test_a_fingerprint_that_is_not_there_removes_nothing(tmp_path: Path) -> None:
    fill(tmp_path, range(5))
    with pytest.raises(OptionError, match="no fingerprint that begins with 'zz'"):
        plan_pruning(tmp_path, None, ["zz"])
    assert served(tmp_path, range(5)) == list(range(5))


def test_a_folder_of_unknown_bottlenecks_is_not_pruned_by_photos(tmp_path: Path) -> None:
    store = fill(tmp_path, range(5))
    description(store).unlink()
    with pytest.raises(StoreError, match=r"has no [0-9a-f]+\.json beside it that says whose"):
        plan_pruning(tmp_path, {sha256(1)}, ())
    assert len(list_shards(store.folder)) == 1


def test_thumbnails_of_photos_that_do_not_stay_go_too(tmp_path: Path) -> None:
    fill(tmp_path, range(5))
    stay, *go = fill_thumbnails(tmp_path, range(3))
    assert prune_store(plan_pruning(tmp_path, None, (fingerprint(COVERS)[:8],))) == ()
    with thumbnail_store(tmp_path) as store:
        assert store.photos() == {stay, *go}, "photos were not spoken of"
    assert prune_store(plan_pruning(tmp_path, {stay}, ())) == ()
    with thumbnail_store(tmp_path) as store:
        assert store.photos() == {stay}
    assert served(tmp_path, range(5)) == [0]


# Merge


def test_merging_adds_what_is_missing_and_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    here, one, two = (tmp_path / name for name in ("here", "one", "two"))
    fill(here, range(5))
    fill(one, range(5, 9))
    fill(one, range(3), OTHER)
    fill(two, range(20, 22))
    before = snapshot(one) | snapshot(two)
    merged = merge_stores([one, two], here)
    assert (merged.copied, merged.there_already, merged.damaged, merged.other_numbers) == (3, 0, (), ())
    assert snapshot(one) | snapshot(two) == before
    assert served(here, range(30)) == [*range(9), 20, 21] and served(here, range(3), OTHER) == [0, 1, 2]
    again = merge_stores([one, two], here)
    assert (again.copied, again.there_already) == (0, 3)


def test_merging_into_a_store_that_is_not_there_makes_one(tmp_path: Path) -> None:
    fill(tmp_path / "one", range(5))
    merge_stores([tmp_path / "one"], tmp_path / "new/here")
    assert served(tmp_path / "new/here", range(5)) == list(range(5))
    assert snapshot(tmp_path / "new").keys() == {
        path.replace(str(tmp_path / "one"), str(tmp_path / "new/here")) for path in snapshot(tmp_path / "one")
    }


def test_damaged_shards_are_named_and_not_merged_and_a_damaged_copy_is_mended(tmp_path: Path) -> None:
    one, here = tmp_path / "one", tmp_path / "here"
    store = fill(one, range(5))
    fill(one, range(5, 9))
    merge_stores([one], here)
    bad, good = list_shards(store.folder)
    flip(bad)
    copy = here / store.fingerprint / good.name
    flip(copy)
    (here / store.fingerprint / bad.name).unlink()
    merged = merge_stores([one], here)
    assert [file.path for file in merged.damaged] == [bad] and merged.copied == 1
    assert copy.read_bytes() == good.read_bytes() and verify_store(here).damaged == ()


def test_bottlenecks_of_an_environment_with_other_numbers_are_not_mixed_in(tmp_path: Path) -> None:
    one, here = tmp_path / "one", tmp_path / "here"
    fill(here, range(5))
    other = fill(one, range(5, 9), factor=1.5)
    before = snapshot(here)
    merged = merge_stores([one], here)
    assert (merged.other_numbers, merged.copied) == ((other.folder,), 0)
    assert snapshot(here) == before


def test_what_cannot_be_merged_is_a_sentence(tmp_path: Path) -> None:
    fill(tmp_path / "here", range(5))
    (tmp_path / "empty").mkdir()
    with pytest.raises(OptionError, match="is the store itself"):
        merge_stores([tmp_path / "here"], tmp_path / "here")
    with pytest.raises(StoreError, match="holds no bottlenecks"):
        merge_stores([tmp_path / "here", tmp_path / "empty"], tmp_path / "new")
    with pytest.raises(StoreError, match=r"There is no folder .*nowhere; check `stores`\."):
        merge_stores([tmp_path / "nowhere"], tmp_path / "here")
    assert not (tmp_path / "new").exists()
    assert os.listdir(tmp_path / "empty") == []
