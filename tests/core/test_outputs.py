"""Files and folders take their place; what is there is kept or refused."""

import errno
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from placed import in_place, names, write

from retrain.core import placing
from retrain.core.errors import ExportError, OptionError
from retrain.core.outputs import (
    FORMAT,
    MANIFEST,
    check_distinct,
    check_file,
    check_folder,
    check_not_among_photos,
    place,
    temporary_beside,
)


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


def test_what_is_neither_a_file_nor_a_folder_is_never_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to("/dev/null")
    for name in ("pipe", "null"):
        with pytest.raises(OptionError, match=r"--output_labels .* not a regular file"):
            check_file(tmp_path / name, "--output_labels")
        with pytest.raises(ExportError, match="neither a file nor a folder"):
            place(write(tmp_path / "new", "1"), tmp_path / name)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode) and (tmp_path / "null").is_symlink()


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/dev/null", "/dev/new"])
def test_names_of_streams_are_refused_whatever_they_lead_to(name: str) -> None:
    """Redirected to a file, /dev/stdout is one; as root, its name was once replaced."""
    with pytest.raises(OptionError, match="not a regular file"):
        check_file(Path(name), "--output_labels")


def test_a_file_on_another_disk_is_there_in_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_file = os.replace

    def across(old: Path, new: Path) -> None:
        if Path(old).parent == tmp_path:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        replace_file(old, new)

    monkeypatch.setattr(os, "replace", across)
    write(tmp_path / "disk/target", "old")
    assert place(write(tmp_path / "new", "1"), tmp_path / "disk/target") == tmp_path / "disk/target.1"
    assert (tmp_path / "disk/target").read_text() == "1" and names(tmp_path / "disk") == ["target", "target.1"]


def test_a_folder_for_a_saved_model_that_is_mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "saved"
    in_place(monkeypatch, target)
    target.mkdir()
    kept = []
    for number in "112":
        write(tmp_path / "new/saved_model.pb", number)
        write(tmp_path / "new/variables/index", number)
        kept.append(place(tmp_path / "new", target))
    assert kept == [None, None, target / "previous.1"]
    assert names(target) == ["previous.1", "saved_model.pb", "variables"]
    assert (target / "saved_model.pb").read_text() == "2"
    assert (target / "previous.1/saved_model.pb").read_text() == "1"
    assert names(tmp_path) == ["saved"]


def test_outputs_do_not_lie_among_the_photos(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    (photos / "cats").mkdir(parents=True)
    for path in ("model", "cats/model", "cats/page.html"):
        with pytest.raises(OptionError, match=r"--x .* lies among the photos"):
            check_not_among_photos(photos, {"--x": photos / path})
    for path in (".models/model", "page.html", "../model"):
        check_not_among_photos(photos, {"--x": photos / path, "--y": None})
    check_not_among_photos(tmp_path / "table.csv", {"--x": tmp_path / "model"})


@pytest.mark.parametrize("check", [check_file, check_folder])
def test_outputs_do_not_lie_in_an_export(check: Callable[[Path, str], None], tmp_path: Path) -> None:
    """The next training into it would be refused."""
    (tmp_path / "model" / "clients").mkdir(parents=True)
    (tmp_path / "model" / MANIFEST).write_text(json.dumps({"format": FORMAT}))
    for name in ("new", "clients/new"):
        with pytest.raises(OptionError, match=r"`serving_dir` .*new lies in the export .*model: choose a path outside"):
            check(tmp_path / "model" / name, "`serving_dir`")
    check(tmp_path / "beside", "`serving_dir`")


def test_two_outputs_of_one_name_are_refused(tmp_path: Path) -> None:
    check_distinct({"--a": tmp_path / "x", "--b": tmp_path / "y", "--c": None})
    with pytest.raises(OptionError, match="--a and --b are both"):
        check_distinct({"--a": tmp_path / "x", "--b": tmp_path / "y/../x"})


def test_modes_are_those_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o002)
    try:
        write(tmp_path / "new/variables/index", "")
        (tmp_path / "new/variables").chmod(0o700)
        (tmp_path / "new/variables/index").chmod(0o600)
        placing.obey_umask(tmp_path / "new")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("new", "new/variables", "new/variables/index")]
    assert modes == [0o775, 0o775, 0o664]
    assert names(tmp_path) == ["new"]
