import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shard_files import list_shards, write_shard

from label_image.files import sha256_of_bytes
from retrain.core.errors import StoreError
from retrain.photos.hashes import SCHEMA_WITHOUT_CTIME, PhotoHashes

LONG_AGO = 1_500_000_000 * 10**9
A, B = sha256_of_bytes(b"a"), sha256_of_bytes(b"b")


def tables(folder: Path) -> list[Path]:
    return list_shards(folder, "photo-hashes")


def saved(folder: Path, *rows: tuple[str, int, int, str]) -> PhotoHashes:
    hashes = PhotoHashes(folder)
    for row in rows:
        record(hashes, *row)
    hashes.save()
    return hashes


def record(
    hashes: PhotoHashes,
    path: str,
    size: int,
    mtime_ns: int,
    sha256: str,
    *,
    inode: int = 0,
    ctime_ns: int = LONG_AGO,
    read_ns: int | None = None,
) -> None:
    hashes.record(path, size, mtime_ns, sha256, inode=inode, ctime_ns=ctime_ns, read_ns=read_ns)


def lookup(
    hashes: PhotoHashes, path: str, size: int, mtime_ns: int, inode: int = 0, ctime_ns: int = LONG_AGO
) -> str | None:
    stats = np.array([[size], [mtime_ns]], np.int64)
    (sha256,) = hashes.lookup([path], *stats, np.array([inode], np.uint64), np.array([ctime_ns], np.int64))
    return sha256


def test_a_photo_is_known_while_nothing_about_it_changes(tmp_path: Path) -> None:
    hashes = PhotoHashes(tmp_path)
    record(hashes, "/a.jpg", 10, LONG_AGO, A, inode=5)
    for known in (hashes, None):
        if known is None:
            hashes.save()
            known = PhotoHashes(tmp_path)
        assert lookup(known, "/a.jpg", 10, LONG_AGO, 5) == A
        assert lookup(known, "/b.jpg", 10, LONG_AGO, 5) is None
        assert lookup(known, "/a.jpg", 11, LONG_AGO, 5) is None
        assert lookup(known, "/a.jpg", 10, LONG_AGO + 1, 5) is None
        assert lookup(known, "/a.jpg", 10, LONG_AGO, 6) is None
        assert lookup(known, "/a.jpg", 10, LONG_AGO) is None
        assert lookup(known, "/a.jpg", 10, LONG_AGO, 5, LONG_AGO + 1) is None
        assert lookup(known, "/a.jpg", 10, LONG_AGO, 5, LONG_AGO - 1) is None


def test_a_photo_that_changed_is_replaced(tmp_path: Path) -> None:
    saved(tmp_path, ("/a.jpg", 10, LONG_AGO, A), ("/b.jpg", 10, LONG_AGO, B))
    hashes = saved(tmp_path, ("/a.jpg", 20, LONG_AGO + 1, B))
    for known in (hashes, PhotoHashes(tmp_path)):
        assert lookup(known, "/a.jpg", 10, LONG_AGO) is None
        assert lookup(known, "/a.jpg", 20, LONG_AGO + 1) == B
        assert lookup(known, "/b.jpg", 10, LONG_AGO) == B
    assert len(tables(tmp_path)) == 1


def test_swapped_photos_of_equal_size_and_time_are_told_apart_by_their_inodes(
    tmp_path: Path,
) -> None:
    hashes = PhotoHashes(tmp_path / "bottlenecks")
    first, second, between = (str(tmp_path / name) for name in ("a.bmp", "b.bmp", "c.bmp"))
    for path, content in ((first, b"a"), (second, b"b")):
        Path(path).write_bytes(content)
        os.utime(path, ns=(LONG_AGO, LONG_AGO))
        stat = os.stat(path)
        record(hashes, path, stat.st_size, stat.st_mtime_ns, sha256_of_bytes(content), inode=stat.st_ino)
    hashes.save()
    for old, new in ((first, between), (second, first), (between, second)):
        os.rename(old, new)
    again = PhotoHashes(tmp_path / "bottlenecks")
    for path in (first, second):
        stat = os.stat(path)
        assert lookup(again, path, stat.st_size, stat.st_mtime_ns, stat.st_ino) is None


@pytest.mark.parametrize("clock", ["modified", "changed"])
@pytest.mark.parametrize(("age", "known"), [(-60, False), (0, False), (1.9, False), (2, True)])
def test_what_was_touched_just_before_it_was_read_is_not_remembered(
    tmp_path: Path, clock: str, age: float, known: bool
) -> None:
    read_ns = LONG_AGO + 10**12
    touched_ns = read_ns - int(age * 1e9)
    mtime_ns, ctime_ns = (touched_ns, LONG_AGO) if clock == "modified" else (LONG_AGO, touched_ns)
    hashes = PhotoHashes(tmp_path)
    record(hashes, "/a.jpg", 1, mtime_ns, A, ctime_ns=ctime_ns, read_ns=read_ns)
    assert lookup(hashes, "/a.jpg", 1, mtime_ns, ctime_ns=ctime_ns) == (A if known else None)
    hashes.save()
    assert lookup(PhotoHashes(tmp_path), "/a.jpg", 1, mtime_ns, ctime_ns=ctime_ns) == (A if known else None)


def table_without_ctimes(folder: Path, *, read_ns: int) -> None:
    """A table as it was written before change times were kept."""
    row = {"path": b"/a.jpg", "size": 1, "mtime_ns": LONG_AGO, "inode": 0, "read_ns": read_ns, "photo_sha256": A}
    write_shard(folder, pa.Table.from_pylist([row], SCHEMA_WITHOUT_CTIME), "photo-hashes")


@pytest.mark.parametrize(("seconds", "known"), [(-3600, True), (-2, True), (-1.9, False), (0, False), (3600, False)])
def test_a_table_without_change_times_is_served_for_photos_that_were_changed_before_it_read_them(
    tmp_path: Path, seconds: float, known: bool
) -> None:
    read_ns = LONG_AGO + 10**13
    table_without_ctimes(tmp_path, read_ns=read_ns)
    ctime_ns = read_ns + int(seconds * 1e9)
    hashes = PhotoHashes(tmp_path)
    assert hashes.set_aside == 0
    assert lookup(hashes, "/a.jpg", 1, LONG_AGO, ctime_ns=ctime_ns) == (A if known else None)
    assert lookup(hashes, "/a.jpg", 2, LONG_AGO, ctime_ns=ctime_ns) is None


def test_a_table_without_change_times_is_united_with_new_rows(tmp_path: Path) -> None:
    read_ns = LONG_AGO + 10**13
    table_without_ctimes(tmp_path, read_ns=read_ns)
    saved(tmp_path, ("/b.jpg", 1, LONG_AGO, B))
    assert len(tables(tmp_path)) == 1
    hashes = PhotoHashes(tmp_path)
    for ctime_ns, known in ((LONG_AGO, A), (read_ns, None)):
        assert lookup(hashes, "/a.jpg", 1, LONG_AGO, ctime_ns=ctime_ns) == known
    assert lookup(hashes, "/b.jpg", 1, LONG_AGO) == B
    record(hashes, "/a.jpg", 1, LONG_AGO, B, ctime_ns=read_ns)
    hashes.save()
    hashes = PhotoHashes(tmp_path)
    assert lookup(hashes, "/a.jpg", 1, LONG_AGO, ctime_ns=read_ns) == B
    assert lookup(hashes, "/a.jpg", 1, LONG_AGO) is None


def remembered(folder: Path, photo: Path, content: bytes) -> str | None:
    """What a new run believes a photo to be, which is then recorded as `content`, a minute later."""
    hashes = PhotoHashes(folder)
    path, stat = str(photo), photo.stat()
    known = lookup(hashes, path, stat.st_size, stat.st_mtime_ns, stat.st_ino, stat.st_ctime_ns)
    hashes.record(
        path,
        stat.st_size,
        stat.st_mtime_ns,
        sha256_of_bytes(content),
        inode=stat.st_ino,
        ctime_ns=stat.st_ctime_ns,
        read_ns=stat.st_ctime_ns + 60 * 10**9,
    )
    hashes.save()
    return known


@pytest.mark.parametrize("kind", ["overwritten", "recreated"])
def test_a_photo_that_has_its_old_time_and_inode_is_read_again(tmp_path: Path, kind: str) -> None:
    photo, folder = tmp_path / "a.jpg", tmp_path / "bottlenecks"
    photo.write_bytes(b"a")
    before = photo.stat()
    assert remembered(folder, photo, b"a") is None
    assert remembered(folder, photo, b"a") == A
    time.sleep(0.05)  # a tick of the clock of the file system
    if kind == "recreated":
        photo.unlink()
    photo.write_bytes(b"b")
    os.utime(photo, ns=(before.st_atime_ns, before.st_mtime_ns))
    if photo.stat().st_ino != before.st_ino:
        pytest.skip("this file system gave the new file another inode")
    assert remembered(folder, photo, b"b") is None
    assert remembered(folder, photo, b"b") == B


@pytest.mark.parametrize("touch", [lambda p: p.chmod(0o600), lambda p: os.link(p, p.with_suffix(".png"))])
def test_rights_and_links_cost_one_more_reading(tmp_path: Path, touch: Callable[[Path], None]) -> None:
    photo, folder = tmp_path / "a.jpg", tmp_path / "bottlenecks"
    photo.write_bytes(b"a")
    remembered(folder, photo, b"a")
    time.sleep(0.05)
    touch(photo)
    assert remembered(folder, photo, b"a") is None
    assert remembered(folder, photo, b"a") == A


def test_the_time_of_reading_is_now_unless_given(tmp_path: Path) -> None:
    hashes = PhotoHashes(tmp_path)
    now = time.time_ns()
    record(hashes, "/new.jpg", 1, now, A)
    record(hashes, "/old.jpg", 1, now - 10**10, A)
    assert lookup(hashes, "/new.jpg", 1, now) is None
    assert lookup(hashes, "/old.jpg", 1, now - 10**10) == A


def test_a_photo_rewritten_in_the_same_tick_is_read_again(tmp_path: Path) -> None:
    photo = tmp_path / "a.jpg"
    hashes = PhotoHashes(tmp_path / "bottlenecks")
    photo.write_bytes(b"a")
    stat = photo.stat()
    record(hashes, str(photo), stat.st_size, stat.st_mtime_ns, A)
    photo.write_bytes(b"b")
    os.utime(photo, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert lookup(hashes, str(photo), stat.st_size, stat.st_mtime_ns) is None


@pytest.mark.parametrize("path", ["/caf\udce9.jpg", "/\ud800.jpg", "/猫/é e\u0301\n.jpg", "/" + "x" * 9000])
def test_any_name_is_kept(tmp_path: Path, path: str) -> None:
    saved(tmp_path, (path, 1, LONG_AGO, A))
    hashes = PhotoHashes(tmp_path)
    assert lookup(hashes, path, 1, LONG_AGO) == A
    assert lookup(hashes, path[:-1], 1, LONG_AGO) is None


@settings(deadline=None)
@given(st.dictionaries(st.text(st.sampled_from("a?\udce8\udce9\ud800é")), st.integers(0, 2**63 - 1)))
def test_names_never_collide(tmp_path_factory: pytest.TempPathFactory, names: dict[str, int]) -> None:
    folder = tmp_path_factory.mktemp("hashes")
    saved(
        folder,
        *(("/" + name, size, LONG_AGO, sha256_of_bytes(b"%d" % size)) for name, size in names.items()),
    )
    hashes = PhotoHashes(folder)
    for name, size in names.items():
        assert lookup(hashes, "/" + name, size, LONG_AGO) == sha256_of_bytes(b"%d" % size)


def test_an_inode_may_use_64_bits(tmp_path: Path) -> None:
    hashes = PhotoHashes(tmp_path)
    record(hashes, "/a.jpg", 1, LONG_AGO, A, inode=2**64 - 1)
    hashes.save()
    assert lookup(PhotoHashes(tmp_path), "/a.jpg", 1, LONG_AGO, 2**64 - 1) == A


def test_a_relative_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.jpg"):
        record(PhotoHashes(tmp_path), "a.jpg", 1, LONG_AGO, A)


def test_nothing_new_nothing_written(tmp_path: Path) -> None:
    PhotoHashes(tmp_path / "bottlenecks").save()
    assert not (tmp_path / "bottlenecks").exists()
    hashes = saved(tmp_path, ("/a.jpg", 1, LONG_AGO, A))
    (path,) = tables(tmp_path)
    before = path.stat()
    hashes.save()
    saved(tmp_path)
    assert path.stat().st_ino == before.st_ino and tables(tmp_path) == [path]


def test_saving_what_is_saved_already_keeps_it(tmp_path: Path) -> None:
    hashes = PhotoHashes(tmp_path)
    for _ in range(2):
        record(hashes, "/a.jpg", 1, LONG_AGO, A, read_ns=LONG_AGO + 10**10)
        hashes.save()
        assert lookup(PhotoHashes(tmp_path), "/a.jpg", 1, LONG_AGO) == A


def test_what_another_process_saved_meanwhile_is_kept(tmp_path: Path) -> None:
    first, second = PhotoHashes(tmp_path), PhotoHashes(tmp_path)
    record(first, "/a.jpg", 1, LONG_AGO, A)
    record(first, "/both.jpg", 1, LONG_AGO, A, read_ns=LONG_AGO + 10**10)
    record(second, "/b.jpg", 1, LONG_AGO, B)
    record(second, "/both.jpg", 1, LONG_AGO, B, read_ns=LONG_AGO + 10**11)
    second.save()
    first.save()
    assert len(tables(tmp_path)) == 1
    for known in (first, PhotoHashes(tmp_path)):
        assert lookup(known, "/a.jpg", 1, LONG_AGO) == A
        assert lookup(known, "/b.jpg", 1, LONG_AGO) == B
        assert lookup(known, "/both.jpg", 1, LONG_AGO) == B  # read last


def test_several_tables_are_united(tmp_path: Path) -> None:
    saved(tmp_path / "1", ("/a.jpg", 1, LONG_AGO, A), ("/both.jpg", 1, LONG_AGO, A))
    time.sleep(0.001)
    saved(tmp_path / "2", ("/b.jpg", 1, LONG_AGO, B), ("/both.jpg", 1, LONG_AGO, B))
    for path in tables(tmp_path / "1"):
        shutil.copy(path, tmp_path / "2")
    hashes = PhotoHashes(tmp_path / "2")
    assert len(tables(tmp_path / "2")) == 2
    assert [lookup(hashes, f"/{name}.jpg", 1, LONG_AGO) for name in ("a", "b", "both")] == [A, B, B]
    record(hashes, "/c.jpg", 1, LONG_AGO, A)
    hashes.save()
    assert len(tables(tmp_path / "2")) == 1
    hashes = PhotoHashes(tmp_path / "2")
    assert [lookup(hashes, f"/{name}.jpg", 1, LONG_AGO) for name in ("a", "b", "c")] == [A, B, A]


def test_a_damaged_table_is_set_aside_and_rebuilt(tmp_path: Path) -> None:
    saved(tmp_path, ("/a.jpg", 1, LONG_AGO, A))
    (path,) = tables(tmp_path)
    content = path.read_bytes()
    for damaged in (content[:-1], b"", bytes([content[0] ^ 1]) + content[1:]):
        path.write_bytes(damaged)
        hashes = PhotoHashes(tmp_path)
        assert hashes.set_aside == 1 and tables(tmp_path) == []
        assert lookup(hashes, "/a.jpg", 1, LONG_AGO) is None
    assert len(list(tmp_path.glob("*.damaged"))) == 3
    record(hashes, "/a.jpg", 1, LONG_AGO, B)
    hashes.save()
    assert lookup(PhotoHashes(tmp_path), "/a.jpg", 1, LONG_AGO) == B


def test_a_sound_table_with_other_columns_is_set_aside(tmp_path: Path) -> None:
    saved(tmp_path, ("/a.jpg", 1, LONG_AGO, A))
    (path,) = tables(tmp_path)
    write_shard(tmp_path, pq.read_table(path).drop(["inode"]), "photo-hashes")
    hashes = PhotoHashes(tmp_path)
    assert hashes.set_aside == 1 and tables(tmp_path) == [path]
    assert lookup(hashes, "/a.jpg", 1, LONG_AGO) == A


def test_a_failed_save_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = saved(tmp_path, ("/a.jpg", 1, LONG_AGO, A))
    record(hashes, "/b.jpg", 1, LONG_AGO, B)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(StoreError, match=f"{tmp_path} is full"):
            hashes.save()
    assert lookup(PhotoHashes(tmp_path), "/a.jpg", 1, LONG_AGO) == A
    hashes.save()
    assert lookup(PhotoHashes(tmp_path), "/b.jpg", 1, LONG_AGO) == B


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="`bottleneck_dir`"):
        saved(tmp_path / "file" / "bottlenecks", ("/a.jpg", 1, LONG_AGO, A))
