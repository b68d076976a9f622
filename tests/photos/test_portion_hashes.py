"""The table of hashes, a portion after the other: beside what is there, and read once."""

from pathlib import Path

import pytest

from label_image.files import sha256_of_bytes
from retrain.core.places import place_of
from retrain.photos import hashes
from retrain.photos.dataset import PhotoFile
from retrain.photos.hashes import PhotoHashes
from retrain.photos.portion_hashes import PortionHashes, Stretches
from retrain.photos.reading import known_contents, remember_content

LONG_AGO = 1_500_000_000 * 10**9


def files(*numbers: int) -> list[PhotoFile]:
    return [PhotoFile(f"s3://photos/{number:04}.jpg", "", number, LONG_AGO, 0, None, LONG_AGO) for number in numbers]


def content(file: PhotoFile) -> str:
    return sha256_of_bytes(file.path.encode())


def keep(folder: Path, stretches: Stretches, *numbers: int) -> list[str | None]:
    """What was known of a portion, all of which is remembered then."""
    portion = files(*numbers)
    table = PortionHashes(place_of(folder), portion, stretches)
    known = known_contents(portion, table)
    for file, sha256 in zip(portion, known, strict=True):
        if sha256 is None:
            remember_content(file, content(file), LONG_AGO + 10**10, table)
    table.save()
    assert known_contents(portion, table) == [content(file) for file in portion]
    return known


def tables(folder: Path) -> int:
    return len(list(folder.glob("photo-hashes-*.parquet")))


def test_each_portion_has_a_table_of_its_own_until_all_are_loaded(tmp_path: Path) -> None:
    stretches: Stretches = {}
    for start in (0, 10, 20):
        assert keep(tmp_path, stretches, *range(start, start + 10)) == [None] * 10
    assert tables(tmp_path) == 3
    assert keep(tmp_path, {}, *range(5, 15)) == [content(file) for file in files(*range(5, 15))]
    assert tables(tmp_path) == 3  # nothing was new
    whole = PhotoHashes(tmp_path)
    assert known_contents(files(*range(31)), whole) == [*(content(file) for file in files(*range(30))), None]
    remember_content(files(30)[0], content(files(30)[0]), LONG_AGO + 10**10, whole)
    whole.save()
    assert tables(tmp_path) == 1


def test_what_speaks_of_other_photos_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for start in (0, 10, 20):
        keep(tmp_path, {}, *range(start, start + 10))
    read, read_shard = [], hashes.read_shard
    monkeypatch.setattr(hashes, "read_shard", lambda place, name: read.append(name) or read_shard(place, name))
    stretches: Stretches = {}
    keep(tmp_path, stretches, *range(10))
    assert len(read) == 3
    keep(tmp_path, stretches, *range(8, 12))  # of two tables
    assert len(read) == 5
    keep(tmp_path, stretches, 50)
    assert len(read) == 5
