import errno
import os
from pathlib import Path

import pytest

from label_image import renaming
from label_image.renaming import rename_unless_there


@pytest.fixture(params=["as it is", "no renameat2", "no links either"])
def here(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, on file systems that can do ever less."""
    if request.param != "as it is":
        monkeypatch.setattr(renaming, "renamed", lambda *_: False)
    if request.param == "no links either":

        def link(*_: object, **__: object) -> None:
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

        monkeypatch.setattr(renaming.os, "link", link)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_to_a_name_that_is_free(here: Path) -> None:
    Path("one").write_bytes(b"1")
    rename_unless_there("one", here / "other")
    assert Path("other").read_bytes() == b"1" and os.listdir() == ["other"]


@pytest.mark.parametrize("other", ["file", "folder", "link to nothing"])
def test_a_name_that_is_taken_keeps_what_it_has(other: str, here: Path) -> None:
    Path("one").write_bytes(b"1")
    if other == "file":
        Path("other").write_bytes(b"2")
    elif other == "folder":
        Path("other").mkdir()
    else:
        os.symlink("nowhere", "other")
    with pytest.raises(FileExistsError):
        rename_unless_there("one", "other")
    assert Path("one").read_bytes() == b"1"
    assert other != "file" or Path("other").read_bytes() == b"2"


def test_what_is_not_there(here: Path) -> None:
    with pytest.raises(FileNotFoundError):
        rename_unless_there("one", "other")
    assert os.listdir() == []
