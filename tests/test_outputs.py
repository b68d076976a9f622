import json
import os
from pathlib import Path

import pytest

from retrain import outputs
from retrain.errors import ExportError
from retrain.outputs import check_export_dir, place, replace_export, temporary_beside


def export(folder: Path, marker: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.json").write_text(json.dumps({"format": "retrain-export", "marker": marker}))
    (folder / "labels.txt").write_text(marker)
    return folder


def marker(folder: Path) -> str:
    return (folder / "labels.txt").read_text()


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# The export directory


def test_first_export_takes_its_place(tmp_path: Path) -> None:
    replace_export(export(tmp_path / "new", "1"), tmp_path / "model")
    assert names(tmp_path) == ["model"]


@pytest.mark.parametrize("in_one_step", [True, False])
def test_next_exports_keep_the_one_before(in_one_step: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not in_one_step:
        monkeypatch.setattr(outputs, "_exchange", lambda one, other: False)
    for number in "123":
        check_export_dir(tmp_path / "model")
        replace_export(export(tmp_path / "new", number), tmp_path / "model")
    assert (marker(tmp_path / "model"), marker(tmp_path / "model.previous")) == ("3", "2")
    assert names(tmp_path) == ["model", "model.previous"]


def test_empty_folder_is_taken_and_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    for number in "123":
        check_export_dir(tmp_path / "model")
        replace_export(export(tmp_path / "new", number), tmp_path / "model")
    assert (marker(tmp_path / "model"), marker(tmp_path / "model.previous")) == ("3", "2")


def test_link_to_a_folder_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "model").symlink_to(tmp_path / "disk/exports", target_is_directory=True)
    (tmp_path / "disk/exports").mkdir()
    for number in "123":
        check_export_dir(tmp_path / "model")
        with temporary_beside(tmp_path / "model") as temporary:
            replace_export(export(temporary / "new", number), tmp_path / "model")
    assert (tmp_path / "model").is_symlink()
    assert marker(tmp_path / "disk/exports") == "3"
    assert names(tmp_path) == ["disk", "model"]


def test_previous_export_with_something_of_the_users_is_never_dropped(tmp_path: Path) -> None:
    export(tmp_path / "model", "1")
    write(export(tmp_path / "model.previous", "0") / "notes.txt", "mine")
    with pytest.raises(ExportError, match=r"model\.previous"):
        check_export_dir(tmp_path / "model")
    with pytest.raises(ExportError, match=r"model\.previous"):
        replace_export(export(tmp_path / "new", "2"), tmp_path / "model")
    assert (tmp_path / "model.previous/notes.txt").read_text() == "mine"
    assert marker(tmp_path / "model") == "1"


def test_something_else_named_previous_is_refused_before_any_work(tmp_path: Path) -> None:
    export(tmp_path / "model", "1")
    write(tmp_path / "model.previous/thesis.tex", "chapter 1")
    with pytest.raises(ExportError, match="move it"):
        check_export_dir(tmp_path / "model")


def test_folder_with_a_foreign_file_is_refused_by_name(tmp_path: Path) -> None:
    write(export(tmp_path / "model", "1") / "notes.txt", "mine")
    with pytest.raises(ExportError, match=r"notes\.txt"):
        check_export_dir(tmp_path / "model")


@pytest.mark.parametrize("text", ["{}", '{"format": "another"}', "[]", "not JSON", "\x00"])
def test_folder_that_only_looks_like_an_export_is_refused(text: str, tmp_path: Path) -> None:
    write(tmp_path / "model/model.json", text)
    with pytest.raises(ExportError, match=r"model\.json"):
        check_export_dir(tmp_path / "model")


def test_file_is_no_export_folder(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="is a file"):
        check_export_dir(write(tmp_path / "model", ""))


def test_current_folder_cannot_be_the_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(ExportError, match="current folder"):
        check_export_dir(Path("."))


@pytest.mark.parametrize("folder", ["missing", "empty", "export"])
def test_folders_that_may_be_written_to(folder: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    export(tmp_path / "export", "1")
    check_export_dir(tmp_path / folder)


def test_temporary_folder_is_beside_and_empty(tmp_path: Path) -> None:
    with temporary_beside(tmp_path / "deep/model") as temporary:
        assert temporary.parent == tmp_path / "deep"
        assert names(temporary) == []
    assert names(tmp_path / "deep") == []


def test_folder_that_cannot_be_written_to_is_a_sentence(tmp_path: Path) -> None:
    write(tmp_path / "file", "")
    with pytest.raises(ExportError, match="cannot be written to"), temporary_beside(tmp_path / "file/model"):
        pass


# Single files and folders


def test_new_file_goes_where_nothing_was(tmp_path: Path) -> None:
    assert place(write(tmp_path / "new", "1"), tmp_path / "deep/target") is None
    assert (tmp_path / "deep/target").read_text() == "1"
    assert names(tmp_path) == ["deep"]


def test_equal_file_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path / "target", "same")
    before = os.stat(tmp_path / "target").st_ino
    assert place(write(tmp_path / "new", "same"), tmp_path / "target") is None
    assert os.stat(tmp_path / "target").st_ino == before
    assert names(tmp_path) == ["target"]


def test_equal_folder_is_left_alone(tmp_path: Path) -> None:
    for folder in ("new", "target"):
        write(tmp_path / folder / "variables/index", "1")
        write(tmp_path / folder / "saved_model.pb", "2")
    assert place(tmp_path / "new", tmp_path / "target") is None
    assert names(tmp_path) == ["target"]


@pytest.mark.parametrize("difference", ["saved_model.pb", "variables/index", "variables/other"])
def test_folder_that_differs_is_kept_under_the_next_free_number(difference: str, tmp_path: Path) -> None:
    for folder in ("new", "target"):
        write(tmp_path / folder / "variables/index", "1")
        write(tmp_path / folder / "saved_model.pb", "2")
    write(tmp_path / "target" / difference, "3")
    assert place(tmp_path / "new", tmp_path / "target") == tmp_path / "target.1"
    assert (tmp_path / "target.1" / difference).read_text() == "3"


def test_folder_of_links_is_kept(tmp_path: Path) -> None:
    for folder in ("new", "target"):
        write(tmp_path / folder / "index", "1")
    (tmp_path / "target/index").unlink()
    (tmp_path / "target/index").symlink_to(write(tmp_path / "elsewhere", "1"))
    assert place(tmp_path / "new", tmp_path / "target") == tmp_path / "target.1"


def test_file_that_differs_is_kept_under_the_next_free_number(tmp_path: Path) -> None:
    write(tmp_path / "target", "a")
    for text in "bcd":
        place(write(tmp_path / "new", text), tmp_path / "target")
    assert {name: (tmp_path / name).read_text() for name in names(tmp_path)} == {
        "target": "d", "target.1": "a", "target.2": "b", "target.3": "c",
    }  # fmt: skip


def test_folder_with_something_in_it_is_kept(tmp_path: Path) -> None:
    write(tmp_path / "target/mine", "1")
    write(tmp_path / "new/saved_model.pb", "2")
    assert place(tmp_path / "new", tmp_path / "target") == tmp_path / "target.1"
    assert names(tmp_path / "target") == ["saved_model.pb"]
    assert names(tmp_path / "target.1") == ["mine"]


def test_empty_folder_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    write(tmp_path / "new/saved_model.pb", "2")
    assert place(tmp_path / "new", tmp_path / "target") is None
    assert names(tmp_path / "target") == ["saved_model.pb"]


def test_folder_in_the_way_of_a_file_is_kept(tmp_path: Path) -> None:
    write(tmp_path / "target/mine", "1")
    assert place(write(tmp_path / "new", "2"), tmp_path / "target") == tmp_path / "target.1"
    assert (tmp_path / "target").read_text() == "2"
    assert names(tmp_path / "target.1") == ["mine"]
