"""A folder is listed again when something in it has changed, and else seldom."""

import os
from pathlib import Path

import pytest
from studio_folders import png, put

from retrain.studio import watching
from retrain.studio.listing import list_folder
from retrain.studio.watching import Watched


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return put(tmp_path / "pets", "cat/a.png", "cat/old/b.png", "dog/c.png", "loose.png")


def settled(folder: Path) -> Watched:
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (1e9, 1e9))
    watched = Watched(list_folder(folder))
    watched.look()
    return watched


@pytest.mark.parametrize("name", ["new.png", "cat/new.png", "cat/old/new.png", "bird/new.png"])
def test_what_comes_and_goes_is_noticed_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(watching, "SHARE", 1e9)
    watched = settled(folder)
    assert not watched.is_due()
    put(folder, name)
    assert watched.is_due()
    assert name in [photo.name for photo in watched.look().photos] and not watched.is_due()
    (folder / name).unlink()
    assert watched.is_due()
    assert name not in [photo.name for photo in watched.look().photos] and not watched.is_due()


def test_what_is_written_anew_is_found_in_the_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "SHARE", 0)
    watched = settled(folder)
    before = watched.look().version
    (folder / "cat" / "a.png").write_bytes(png(99))
    assert watched.is_due() and watched.look().version != before


def test_a_folder_that_is_gone_is_looked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "SHARE", 1e9)
    watched = settled(folder)
    folder.rename(folder.with_name("away"))
    assert watched.is_due()
