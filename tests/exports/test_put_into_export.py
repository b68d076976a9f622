from pathlib import Path

import pytest

from retrain.core import placing
from retrain.exports.folder import put_into_export


def folder(path: Path, text: str) -> Path:
    (path / "inner").mkdir(parents=True)
    (path / "inner" / "file").write_text(text)
    return path


def names(path: Path) -> list[str]:
    return sorted(each.name for each in path.iterdir())


def test_a_file_takes_the_place_of_a_file(tmp_path: Path) -> None:
    for text in "12":
        (tmp_path / "new").write_text(text)
        put_into_export(tmp_path / "new", tmp_path / "file")
        assert (tmp_path / "file").read_text() == text
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("in_one_step", [True, False])
def test_a_folder_takes_the_place_of_a_folder(
    in_one_step: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not in_one_step:
        monkeypatch.setattr(placing, "exchange", lambda one, other: False)
    for text in "12":
        put_into_export(folder(tmp_path / "new", text), tmp_path / "folder")
        assert (tmp_path / "folder" / "inner" / "file").read_text() == text
    assert names(tmp_path) == ["folder"]


def test_what_cannot_be_put_there_leaves_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("1")
    with pytest.raises(OSError):
        put_into_export(folder(tmp_path / "new", "2"), tmp_path / "file")
    assert (tmp_path / "file").read_text() == "1"
