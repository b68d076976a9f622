"""`retrain store compact`: small shards become full ones, and nothing is lost on the way."""

from pathlib import Path

import pytest
from calling import exit_code
from shard_files import list_shards
from stored import COVERS, DIM, description, files, key, put_in_pieces, served

from retrain.bottlenecks import store
from retrain.bottlenecks.compaction import compact_store
from retrain.bottlenecks.near_copies import thumbnail_store
from retrain.bottlenecks.store import Store
from retrain.cli.main import main


def in_pieces(folder: Path | str, count: int, start: int = 0) -> Store:
    opened = Store(folder, COVERS, DIM)
    put_in_pieces(opened, count, start)
    return opened


def test_few_small_shards_become_one(tmp_path: Path) -> None:
    opened = in_pieces(tmp_path, 7)
    (folder,) = compact_store(tmp_path)
    assert folder.shards == (7, 1) and len(files(opened)) == 1
    assert served(opened, list(range(9))) == list(range(7))
    assert [one.shards for one in compact_store(tmp_path)] == [(1, 1)]


def test_shards_are_united_up_to_the_size_of_a_full_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = in_pieces(tmp_path, 12)
    size = files(opened)[0].stat().st_size
    monkeypatch.setattr(store, "SHARD_BYTES", 4 * size)
    monkeypatch.setattr(store, "SMALL_SHARD_BYTES", size + 1)
    (folder,) = compact_store(tmp_path)
    assert folder.shards == (12, 3)
    assert served(opened, list(range(12))) == list(range(12))


def test_what_another_process_united_meanwhile_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, other = in_pieces(tmp_path, 6), Store(tmp_path, COVERS, DIM)
    merge, times = Store._merge, []

    def late(self: Store, names: list[str]) -> None:
        if not times:
            times.append(other._merge_small(other._small_shards()))
            put_in_pieces(other, 2, 20)
        merge(self, names)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "_merge", lambda self, names: merge(self, names) if self is other else late(self, names))
        opened.compact_all()
    assert len(files(opened)) == 1 and times
    assert served(opened, [*range(6), 20, 21]) == [*range(6), 20, 21]


def test_what_has_no_description_is_left_alone_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    opened = in_pieces(tmp_path, 3)
    description(opened).unlink()
    assert exit_code(main, "store", "compact", "--bottleneck_dir", str(tmp_path)) == 0
    assert "left alone" in capsys.readouterr().out
    assert len(list_shards(opened.folder)) == 3


def test_small_copies_beside_bottlenecks_are_called_what_they_are(tmp_path: Path) -> None:
    in_pieces(tmp_path, 1)
    thumbnail_store(tmp_path).close()
    looked = [one.folder.backbone for one in compact_store(tmp_path)]
    assert looked[0].startswith("fake, ") and looked[1:] == ["what photos look like"]


def test_what_opening_a_store_unites_is_counted(tmp_path: Path) -> None:
    in_pieces(tmp_path, store.SMALL_SHARDS + 3)
    assert [one.shards for one in compact_store(tmp_path)] == [(store.SMALL_SHARDS + 3, 1)]


def test_the_command_says_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    in_pieces(tmp_path, 5)
    for said in ("5 shards, now 1", "1 shards, as before"):
        assert exit_code(main, "store", "compact", "--bottleneck_dir", str(tmp_path)) == 0
        assert said in capsys.readouterr().out


@pytest.mark.parametrize("wrong", ["ftp://host/folder", "s3://", "http://host/folder"])
def test_what_is_no_store_is_said_and_the_call_was_wrong(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(main, "store", "info", "--bottleneck_dir", wrong) == 2
    assert wrong in capsys.readouterr().err


def test_keys_twice_are_one_row_afterwards(tmp_path: Path) -> None:
    writer = Store(tmp_path, COVERS, DIM).writer()
    opened = in_pieces(tmp_path, 3)
    matrix, _ = opened.get_many([key(0), key(1)])
    writer.write([key(0), key(1)], matrix)
    opened.compact_all()
    assert sum(len(keys) for keys, _ in opened.scan()) == 3
