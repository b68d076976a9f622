import errno
import hashlib
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from shard_files import list_shards, open_shard, other_files, read_shard, write_shard

from retrain.core.errors import StoreError
from retrain.core.placing import set_aside
from retrain.core.sealed import Damaged

TABLE = pa.table({"name": ["a", "b", "c"], "number": [1, 2, 3]})


def test_a_shard_comes_back_and_bears_the_digest_of_its_bytes(tmp_path: Path) -> None:
    path = write_shard(tmp_path, TABLE)
    assert path.name == hashlib.sha256(path.read_bytes()).hexdigest() + ".parquet"
    assert read_shard(path).equals(TABLE)
    assert open_shard(path).read(["number"]).column_names == ["number"]
    assert pq.read_table(path, page_checksum_verification=True).equals(TABLE)


def test_the_pages_carry_checksums_for_other_readers(tmp_path: Path) -> None:
    content = bytearray(write_shard(tmp_path, TABLE).read_bytes())
    content[content.index(b"a\x01\x00\x00\x00b")] ^= 1
    altered = tmp_path / "altered.parquet"
    altered.write_bytes(content)
    with pytest.raises(OSError, match="CRC"):
        pq.read_table(altered, page_checksum_verification=True)


def test_equal_content_has_equal_names(tmp_path: Path) -> None:
    first = write_shard(tmp_path, TABLE, "some-table")
    second = write_shard(tmp_path, pa.concat_tables([TABLE]), "some-table")
    assert first == second and first.name.startswith("some-table-")
    assert os.listdir(tmp_path) == [first.name]


def test_writing_heals_a_damaged_file_of_the_same_name(tmp_path: Path) -> None:
    path = write_shard(tmp_path, TABLE)
    path.write_bytes(b"torn")
    with pytest.raises(Damaged):
        read_shard(path)
    write_shard(tmp_path, TABLE)
    assert read_shard(path).equals(TABLE)


def test_a_file_that_is_replaced_while_it_is_read_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_shard(tmp_path, TABLE)
    good, reads = path.read_bytes(), iter([b"torn"])
    monkeypatch.setattr(Path, "read_bytes", lambda self: next(reads, good))
    assert read_shard(path).equals(TABLE)


def test_a_sound_digest_over_something_else_is_damage(tmp_path: Path) -> None:
    path = tmp_path / (hashlib.sha256(b"hello").hexdigest() + ".parquet")
    path.write_bytes(b"hello")
    with pytest.raises(Damaged, match="not a Parquet"):
        read_shard(path)


def test_a_vanished_shard_is_not_called_damaged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_shard(tmp_path / ("0" * 64 + ".parquet"))


def test_an_unreadable_sector_is_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_shard(tmp_path, TABLE)

    def fail(_: Path) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(Damaged, match="disk"):
        read_shard(path)


def test_set_aside_deletes_nothing_and_may_come_second(tmp_path: Path) -> None:
    path = write_shard(tmp_path, TABLE)
    first = set_aside(path)
    assert first.name == path.name + ".damaged"
    assert set_aside(path) == first
    write_shard(tmp_path, TABLE)
    second = set_aside(path)
    assert second != first and first.exists() and second.exists()
    assert list_shards(tmp_path) == [] and set(other_files(tmp_path)) == {first, second}


def test_only_shards_of_the_asked_kind_are_listed(tmp_path: Path) -> None:
    plain = write_shard(tmp_path, TABLE)
    named = write_shard(tmp_path, TABLE, "photo-hashes")
    stranger = tmp_path / "mine.parquet"
    pq.write_table(TABLE, stranger)
    (tmp_path / ("1" * 64 + ".parquet")).mkdir()
    damaged = tmp_path / ("2" * 64 + ".parquet.damaged")
    damaged.touch()
    assert list_shards(tmp_path) == [plain]
    assert list_shards(tmp_path, "photo-hashes") == [named]
    assert other_files(tmp_path) == [damaged, stranger]
    assert list_shards(tmp_path / "missing") == []


def test_a_folder_that_is_no_folder_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(StoreError, match=f"{file} cannot be read.*`bottleneck_dir`"):
        list_shards(file)


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (errno.ENOSPC, "is full .*free some space"),
        (errno.EDQUOT, "is full .*free some space"),
        (errno.EROFS, "cannot be written .*`bottleneck_dir`"),
        (errno.EIO, "failed .*check that disk"),
    ],
)
@pytest.mark.parametrize("call", ["open", "write", "fsync", "replace"])
def test_a_failed_write_is_a_sentence_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int, sentence: str
) -> None:
    def fail(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(StoreError, match=sentence) as caught:
        write_shard(tmp_path, TABLE)
    monkeypatch.undo()
    assert str(tmp_path) in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:100]))
    assert read_shard(write_shard(tmp_path, TABLE)).equals(TABLE)


def test_the_file_is_synced_before_its_rename_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    fsync, replace = os.fsync, os.replace

    def record_fsync(file: int) -> None:
        calls.append("sync folder" if os.path.isdir(f"/dev/fd/{file}") else "sync file")
        fsync(file)

    def record_replace(old: Path, new: Path) -> None:
        calls.append("rename")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(os, "replace", record_replace)
    write_shard(tmp_path, TABLE)
    assert calls == ["sync file", "rename", "sync folder"]


def test_a_folder_that_cannot_be_synced_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsync = os.fsync

    def network_file_system(file: int) -> None:
        if os.path.isdir(f"/dev/fd/{file}"):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        fsync(file)

    monkeypatch.setattr(os, "fsync", network_file_system)
    assert write_shard(tmp_path, TABLE).exists()
