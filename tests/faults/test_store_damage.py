"""Shards that are cut, altered or cannot be written: never served wrongly, never a lost row."""

import contextlib
import hashlib
import os
import resource
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from shard_files import list_shards, open_shard
from small_disks import small_disk as small_disk
from stored import description, set_aside

from retrain.backbones.backbone import Backbone, find_backbone
from retrain.backbones.engines.base import Engine
from retrain.bottlenecks import store
from retrain.bottlenecks.extraction import extract
from retrain.bottlenecks.store import Key, Store
from retrain.core.errors import StoreError, UnwritableStoreError
from retrain.photos import hashes
from retrain.photos.opening import list_photos

COVERS = {"architecture": "fake"}
DIM = 4


def keys(numbers: range) -> list[Key]:
    return [Key(hashlib.sha256(str(number).encode()).hexdigest()) for number in numbers]


def vectors(numbers: range, dim: int = DIM) -> np.ndarray:
    return np.array(numbers, np.float32)[:, np.newaxis] + np.arange(dim, dtype=np.float32)


def put(opened: Store, numbers: range) -> None:
    opened.put_many(keys(numbers), vectors(numbers, opened.dim))


def served(opened: Store, numbers: range) -> list[int]:
    matrix, found = opened.get_many(keys(numbers))
    assert np.array_equal(matrix[found], vectors(numbers, opened.dim)[found])
    return [number for number, is_there in zip(numbers, found, strict=True) if is_there]


def truncated(content: bytes, offset: int) -> bytes:
    return content[:offset]


def altered(content: bytes, offset: int) -> bytes:
    return content[:offset] + bytes([content[offset] ^ (1 + offset % 255)]) + content[offset + 1 :]


@pytest.fixture
def no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of shards are written, and no power is cut."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.mark.usefixtures("no_fsync")
@pytest.mark.parametrize("damage", [truncated, altered])
def test_damage_at_every_third_offset_of_a_small_shard(tmp_path: Path, damage: Callable[[bytes, int], bytes]) -> None:
    opened = Store(tmp_path, COVERS, DIM)
    put(opened, range(3))
    opened.flush()
    (path,) = list_shards(opened.folder)
    put(opened, range(3, 6))
    opened.flush()
    _damage_and_recompute(opened, path, range(3), range(6), damage, step=3)


@pytest.mark.usefixtures("no_fsync")
@pytest.mark.parametrize("damage", [truncated, altered])
def test_damage_all_over_a_shard_of_several_row_groups(tmp_path: Path, damage: Callable[[bytes, int], bytes]) -> None:
    opened = Store(tmp_path, COVERS, 3000)
    put(opened, range(400))
    opened.flush()
    (path,) = list_shards(opened.folder)
    assert len(list(open_shard(path).row_groups())) > 1
    size = path.stat().st_size
    _damage_and_recompute(opened, path, range(400), range(400), damage, step=size // 40)


def _damage_and_recompute(
    opened: Store,
    path: Path,
    inside: range,
    everything: range,
    damage: Callable[[bytes, int], bytes],
    step: int,
) -> None:
    """For offset after offset: only what is outside is served, and then it is put again."""
    content = path.read_bytes()
    aside = opened.folder.parent / "damaged" / opened.fingerprint / f"{path.name}.damaged"
    for count, offset in enumerate(range(0, len(content), step), start=1):
        broken = damage(content, offset)
        path.write_bytes(broken)
        assert served(opened, everything) == [n for n in everything if n not in inside]
        assert opened.set_aside == count and not path.exists()
        assert aside.read_bytes() == broken
        aside.unlink()
        put(opened, inside)
        assert served(opened, everything) == list(everything)
        opened.flush()
        assert path.read_bytes() == content
    assert count >= 40


def test_merging_leaves_damaged_shards_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Store(tmp_path, COVERS, DIM)
    for number in range(5):
        put(opened, range(number, number + 1))
        opened.flush()
    path = list_shards(opened.folder)[2]
    path.write_bytes(altered(path.read_bytes(), 30))
    monkeypatch.setattr(store, "SMALL_SHARDS", 1)
    opened.close()
    assert opened.set_aside == 1 and len(list_shards(opened.folder)) == 1
    assert len(served(opened, range(5))) == 4
    assert len(set_aside(opened)) == 1


def test_a_full_disk_loses_nothing(small_disk: Path) -> None:
    opened = Store(small_disk, COVERS, 1000)
    put(opened, range(20))
    opened.flush()
    filler = small_disk / "filler"
    filler.write_bytes(b"0" * 300_000)
    put(opened, range(20, 60))
    for _ in range(2):
        with pytest.raises(StoreError, match=f"{opened.folder} is full .*free some space"):
            opened.flush()
        assert len(list(opened.folder.iterdir())) == 1
        assert served(opened, range(60)) == list(range(60))
    assert served(Store(small_disk, COVERS, 1000), range(60)) == list(range(20))
    filler.unlink()
    opened.flush()
    assert served(Store(small_disk, COVERS, 1000), range(60)) == list(range(60))


def test_merging_on_a_full_disk_loses_nothing(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Store(small_disk, COVERS, 1000)
    for start in range(0, 60, 10):
        put(opened, range(start, start + 10))
        opened.flush()
    (small_disk / "filler").write_bytes(b"0" * 100_000)
    monkeypatch.setattr(store, "SMALL_SHARDS", 1)
    opened.close()
    assert len(list_shards(opened.folder)) == 6
    assert served(opened, range(60)) == list(range(60))


@contextlib.contextmanager
def largest_file(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_file_that_may_not_grow_loses_nothing(tmp_path: Path) -> None:
    opened = Store(tmp_path, COVERS, 1000)
    put(opened, range(60))
    with largest_file(100_000), pytest.raises(StoreError, match=f"{opened.folder} is full"):
        opened.flush()
    assert list(opened.folder.iterdir()) == []
    opened.flush()
    assert served(Store(tmp_path, COVERS, 1000), range(60)) == list(range(60))


@pytest.fixture
def ordinary_user() -> Iterator[Path]:
    """A folder, while the process has no more rights than an ordinary user."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        root = os.geteuid() == 0
        if root:
            os.chown(name, 65534, 65534)
            os.seteuid(65534)
        try:
            yield Path(name)
        finally:
            for path in [Path(name), *Path(name).iterdir()]:
                path.chmod(0o700)
            if root:
                os.seteuid(0)


def test_a_read_only_store_is_read_and_not_written(ordinary_user: Path) -> None:
    first = Store(ordinary_user, COVERS, DIM)
    put(first, range(3))
    first.flush()
    (good,) = list_shards(first.folder)
    put(first, range(3, 6))
    first.flush()
    (bad,) = (path for path in list_shards(first.folder) if path != good)
    bad.write_bytes(altered(bad.read_bytes(), 100))
    before = sorted(first.folder.iterdir())
    first.folder.chmod(0o500)

    opened = Store(ordinary_user, COVERS, DIM)
    assert served(opened, range(6)) == [0, 1, 2] and opened.set_aside == 1
    put(opened, range(7, 9))
    with pytest.raises(StoreError, match=f"{opened.folder} cannot be written.*right to write"):
        opened.flush()
    assert sorted(first.folder.iterdir()) == before
    assert served(opened, range(9)) == [0, 1, 2, 7, 8]
    first.folder.chmod(0o700)
    opened.flush()
    assert served(Store(ordinary_user, COVERS, DIM), range(9)) == [0, 1, 2, 7, 8]


@pytest.mark.parametrize("damage", ["none", "flipped", "lost"])
def test_a_read_only_store_needs_no_sound_description(
    ordinary_user: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Store(ordinary_user, COVERS, DIM) as first:
        put(first, range(3))
    said = description(first)
    if damage == "flipped":
        said.write_bytes(altered(said.read_bytes(), 9))
    elif damage == "lost":
        said.unlink()
    before = sorted((path, path.read_bytes()) for path in ordinary_user.rglob("*") if path.is_file())
    first.folder.chmod(0o500)
    ordinary_user.chmod(0o500)
    opened = Store(ordinary_user, COVERS, DIM)
    assert served(opened, range(5)) == [0, 1, 2]
    with pytest.raises(UnwritableStoreError, match=f"missing in {opened.folder}.*`bottleneck_dir`"):
        opened.check_writable()
    assert sorted((path, path.read_bytes()) for path in ordinary_user.rglob("*") if path.is_file()) == before
    assert len(caplog.records) == (damage == "flipped")


FAKE = find_backbone("fake", Path("no-models"))
Image.init()  # an ordinary user may not be allowed to read the folder of the packages


@pytest.fixture
def photos(ordinary_user: Path) -> Path:
    """Six photos of two classes, beside which `store` may be made."""
    for number in range(6):
        path = ordinary_user / "photos" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 9), (number * 40, 0, 0)).save(path)
        os.utime(path, (1, 1))
    return ordinary_user / "photos"


def no_engine(backbone: Backbone) -> Engine:
    raise AssertionError("nothing is to be computed")


def test_a_read_only_store_that_has_everything_serves_photos_it_never_saw(
    photos: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = photos.with_name("store")
    before = extract(list_photos(photos), FAKE, folder)
    for path in list_shards(folder, "photo-hashes"):
        path.unlink()
    folder.chmod(0o500)
    (folder / before.fingerprint).chmod(0o500)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashes, "RACY_NS", -(10**12))  # photos of a moment ago may be remembered
        for _ in range(2):
            again = extract(list_photos(photos), FAKE, folder, start=no_engine)
            assert np.array_equal(again.matrix, before.matrix)
    (record,) = caplog.records
    assert f"cannot be kept in {folder} (Permission denied)" in record.getMessage()


def test_a_read_only_store_that_lacks_photos_is_refused_before_they_are_computed(photos: Path) -> None:
    folder = photos.with_name("store")
    before = extract(list_photos(photos), FAKE, folder)
    (folder / before.fingerprint).chmod(0o500)
    Image.new("RGB", (9, 9), (0, 0, 99)).save(photos / "a" / "new.png")
    with pytest.raises(UnwritableStoreError, match=r"missing in .*Permission denied.*choose another `bottleneck_dir`"):
        extract(list_photos(photos), FAKE, folder, start=no_engine)


def test_a_full_disk_for_the_hashes_alone_is_a_warning(photos: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = photos.with_name("store")
    write_shard = hashes.write_shard

    def full(*_: object, **__: object) -> Path:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
            return write_shard(*_, **__)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashes, "RACY_NS", -(10**12))
        patch.setattr(hashes, "write_shard", full)
        extraction = extract(list_photos(photos), FAKE, folder)
    assert extraction.computed == 6 and len(extraction.photos) == 6
    (record,) = caplog.records
    assert "No space left on device" in record.getMessage()
    assert extract(list_photos(photos), FAKE, folder, start=no_engine).hits == 6


def test_a_folder_where_none_can_be_made_is_a_sentence(ordinary_user: Path) -> None:
    ordinary_user.chmod(0o500)
    with pytest.raises(StoreError, match=f"{ordinary_user}.*`bottleneck_dir`"):
        Store(ordinary_user, COVERS, DIM)


def test_an_unreadable_folder_is_a_sentence(ordinary_user: Path) -> None:
    opened = Store(ordinary_user, COVERS, DIM)
    opened.folder.chmod(0o300)
    with pytest.raises(StoreError, match=f"{opened.folder} cannot be read"):
        served(opened, range(1))
    with pytest.raises(StoreError, match=f"{opened.folder} cannot be read"):
        Store(ordinary_user, COVERS, DIM)


def test_an_unreadable_shard_is_a_sentence_and_stays(ordinary_user: Path) -> None:
    opened = Store(ordinary_user, COVERS, DIM)
    put(opened, range(3))
    opened.flush()
    (path,) = list_shards(opened.folder)
    path.chmod(0)
    with pytest.raises(StoreError, match=f"{path} cannot be read"):
        served(opened, range(3))
    assert path.exists() and opened.set_aside == 0
