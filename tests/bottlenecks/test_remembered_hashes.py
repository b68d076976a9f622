"""The hashes of photos are remembered: at once, through an interruption, and never believed when they are damaged."""

from pathlib import Path

import pytest
from extracting import FAKE, assert_true, damage, interrupted_after, list_photos, read_by, run
from shard_files import list_shards

from retrain.bottlenecks import contents
from retrain.bottlenecks.extraction import extract
from retrain.photos.hashes import PhotoHashes


def test_hashes_are_saved_while_photos_are_read(cats: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "SAVE_SECONDS", 0.0)
    saves: list[int] = []
    save = PhotoHashes.save
    monkeypatch.setattr(PhotoHashes, "save", lambda self: saves.append(len(self._new)) or save(self))
    run(cats, store)
    assert saves == [1] * 6 + [0]


def test_hashes_survive_an_interruption(cats: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyboardInterrupt):
        extract(list_photos(cats), FAKE, store, start=interrupted_after(0))
    reads: list[str] = []
    read_by(monkeypatch, lambda path: reads.append(path) or Path(path).read_bytes())
    run(cats, store)
    assert sorted(reads) == sorted(file.path for file in list_photos(cats).files)  # to decode, not to hash


def test_a_damaged_table_of_hashes_costs_nothing_but_reading(cats: Path, store: Path) -> None:
    run(cats, store)
    for table in list_shards(store, "photo-hashes"):
        damage(table)
    again, _ = run(cats, store)
    assert again.computed == 0
    assert_true(again)
