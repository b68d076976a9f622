"""The folder of a fingerprint holds shards alone, and is a table; what older versions kept inside is moved out."""

import shutil
from pathlib import Path

import pyarrow.dataset
import pytest
from shard_files import list_shards
from stored import COVERS, DIM, description, key, put, put_in_pieces, served, set_aside

from retrain.bottlenecks.beside import INSIDE
from retrain.bottlenecks.compaction import compact_store
from retrain.bottlenecks.inspection import inspect_store, verify_store
from retrain.bottlenecks.merging import merge_stores
from retrain.bottlenecks.pruning import plan_pruning, prune_store
from retrain.bottlenecks.store import Store


def as_before(opened: Store) -> Path:
    """Put what lies beside the folder of a store into it, as older versions kept it."""
    folder = Path(opened.folder)
    description(opened).rename(folder / INSIDE)
    for path in set_aside(opened):
        path.rename(folder / path.name)
    shutil.rmtree(folder.parent / "damaged", ignore_errors=True)
    return folder


def with_damage(folder: Path) -> Store:
    """A store of three photos that has set the shard of a fourth aside."""
    opened = Store(folder, COVERS, DIM)
    put_in_pieces(opened, 4)
    path = next(path for path in list_shards(opened.folder) if served_from(path) == key(3).photo_sha256)
    path.write_bytes(path.read_bytes()[:-1])
    assert served(opened, range(4)) == [0, 1, 2]
    return opened


def served_from(path: Path) -> str:
    return str(pyarrow.dataset.dataset(path).to_table()["photo_sha256"][0])


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_folder_of_a_fingerprint_is_a_table(tmp_path: Path) -> None:
    opened = with_damage(tmp_path)
    table = pyarrow.dataset.dataset(opened.folder).to_table()
    assert sorted(table["photo_sha256"].to_pylist()) == sorted(key(number).photo_sha256 for number in range(3))
    assert table.schema.names == ["photo_sha256", "view", "bottleneck"]
    assert {path.suffix for path in Path(opened.folder).iterdir()} == {".parquet"}
    assert description(opened).exists() and len(set_aside(opened)) == 1


def test_an_older_store_is_read_as_it_is_and_changed_by_those_who_may_write(tmp_path: Path) -> None:
    opened = with_damage(tmp_path)
    new = names(tmp_path)
    folder = as_before(opened)
    old = names(tmp_path)
    assert inspect_store(tmp_path).folders[0].set_aside == 1
    assert inspect_store(tmp_path).folders[0].backbone.startswith("fake")
    assert verify_store(tmp_path).shards == 3
    assert names(tmp_path) == old != new
    assert served(Store(tmp_path, COVERS, DIM), range(4)) == [0, 1, 2]
    assert names(tmp_path) == new
    assert pyarrow.dataset.dataset(folder).count_rows() == 3
    assert inspect_store(tmp_path).folders[0].set_aside == 1


def test_older_and_newer_versions_take_turns_on_one_store(tmp_path: Path) -> None:
    opened = with_damage(tmp_path)
    sound = description(opened).read_bytes()
    inside = Path(opened.folder) / INSIDE
    for damaged in (1, 2):
        inside.write_bytes(sound)  # an older version misses it, and writes it
        (inside.parent / set_aside(opened)[0].name).write_bytes(b"damaged")
        again = Store(tmp_path, COVERS, DIM)
        assert served(again, range(4)) == [0, 1, 2]
        assert not inside.exists() and description(again).read_bytes() == sound
        assert len(set_aside(again)) == 1 + damaged


@pytest.mark.parametrize("damaged", [b"", b"{", b'{"covers":{},"dim":4,"dtype":"float32"}'])
def test_a_damaged_description_inside_is_kept_and_written_anew_beside(tmp_path: Path, damaged: bytes) -> None:
    opened = Store(tmp_path, COVERS, DIM)
    put(opened, [1])
    opened.flush()
    sound = description(opened).read_bytes()
    inside = as_before(opened) / INSIDE
    inside.write_bytes(damaged)
    again = Store(tmp_path, COVERS, DIM)
    assert served(again, [1]) == [1] and description(again).read_bytes() == sound
    assert not inside.exists() and (tmp_path / f"{INSIDE}.damaged").read_bytes() == damaged


def test_older_stores_are_merged_pruned_and_compacted(tmp_path: Path) -> None:
    one, other = (with_damage(tmp_path / name) for name in ("one", "other"))
    as_before(one), as_before(other)
    merged = merge_stores([tmp_path / "one"], tmp_path / "here")
    assert merged.copied == 3 and merged.damaged == ()
    assert (tmp_path / "here" / f"{one.fingerprint}.json").exists()
    assert [folder.shards for folder in compact_store(tmp_path / "one")] == [(3, 1)]
    assert description(one).exists()
    assert prune_store(plan_pruning(tmp_path / "other", {key(1).photo_sha256}, ())) == ()
    assert served(Store(tmp_path / "other", COVERS, DIM), range(3)) == [1]


def test_a_whole_folder_goes_with_its_description_and_damaged_files_are_named(tmp_path: Path) -> None:
    stays = Store(tmp_path, {**COVERS, "seed": 1}, DIM)
    put(stays, [1])
    stays.flush()
    goes = with_damage(tmp_path)
    left = prune_store(plan_pruning(tmp_path, None, [stays.fingerprint]))
    assert left == (tmp_path / "damaged" / goes.fingerprint,)
    assert not Path(goes.folder).exists() and not description(goes).exists() and description(stays).exists()


def test_where_nothing_can_be_made_beside_a_shard_is_set_aside_in_its_folder(tmp_path: Path) -> None:
    opened = Store(tmp_path, COVERS, DIM)
    put(opened, [1])
    opened.flush()
    (tmp_path / "damaged").touch()  # not a folder
    (path,) = list_shards(opened.folder)
    path.write_bytes(b"")
    assert served(opened, [1]) == [] and list_shards(opened.folder) == []
    assert path.with_name(f"{path.name}.damaged").exists()
    (tmp_path / "damaged").unlink()
    assert inspect_store(tmp_path).folders[0].set_aside == 1
