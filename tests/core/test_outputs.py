import errno
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from label_image.errors import ModelError
from label_image.model import load_model
from retrain.core import placing
from retrain.core.errors import ExportError, OptionError
from retrain.core.outputs import (
    check_distinct,
    check_file,
    check_not_among_photos,
    place,
    temporary_beside,
)
from retrain.exports import folder as export_folder
from retrain.exports.export_config import ExportConfig
from retrain.exports.folder import check_export_dir, replace_export
from retrain.runs.export import read_manifest


def export(folder: Path, marker: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.json").write_text(json.dumps({"format": "retrain-export", "marker": marker}))
    (folder / "labels.txt").write_text(marker)
    return folder


def replace(folder: Path, marker: str) -> Path | None:
    """Write an export as a run does."""
    with temporary_beside(folder) as temporary:
        return replace_export(export(temporary / "new", marker), folder)


def without_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (export_folder, placing):
        monkeypatch.setattr(module, "exchange", lambda one, other: False)


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
    replace(tmp_path / "model", "1")
    assert names(tmp_path) == ["model"]


@pytest.mark.parametrize("in_one_step", [True, False])
def test_next_exports_keep_the_one_before(in_one_step: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not in_one_step:
        without_exchange(monkeypatch)
    for number in "123":
        check_export_dir(tmp_path / "model")
        replace(tmp_path / "model", number)
    assert (marker(tmp_path / "model"), marker(tmp_path / "model.previous")) == ("3", "2")
    assert names(tmp_path) == ["model", "model.previous"]


def test_all_of_an_export_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []

    def fsync(descriptor: int) -> None:
        assert not (tmp_path / "model").exists()
        synced.append(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(os, "fsync", fsync)
    with temporary_beside(tmp_path / "model") as temporary:
        new = export(temporary / "new", "1")
        write(new / "variables/index", "")
        replace_export(new, tmp_path / "model")
    model = tmp_path / "model"
    assert set(synced) == {path.stat().st_ino for path in (model, *model.rglob("*"))}


def test_empty_folder_is_taken_and_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    for number in "123":
        check_export_dir(tmp_path / "model")
        replace(tmp_path / "model", number)
    assert (marker(tmp_path / "model"), marker(tmp_path / "model.previous")) == ("3", "2")


def test_link_to_a_folder_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "model").symlink_to(tmp_path / "disk/exports", target_is_directory=True)
    (tmp_path / "disk/exports").mkdir()
    for number in "123":
        check_export_dir(tmp_path / "model")
        replace(tmp_path / "model", number)
    assert (tmp_path / "model").is_symlink()
    assert marker(tmp_path / "disk/exports") == "3"
    assert names(tmp_path) == ["disk", "model"]


def test_previous_export_with_something_of_the_users_is_never_dropped(tmp_path: Path) -> None:
    export(tmp_path / "model", "1")
    write(export(tmp_path / "model.previous", "0") / "notes.txt", "mine")
    with pytest.raises(ExportError, match=r"model\.previous"):
        check_export_dir(tmp_path / "model")
    with pytest.raises(ExportError, match=r"model\.previous"):
        replace(tmp_path / "model", "2")
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


@pytest.mark.parametrize("place", ["new", "previous", "new/below"])
def test_an_export_does_not_lie_in_another(place: str, tmp_path: Path) -> None:
    export(tmp_path / "model", "1")
    with pytest.raises(ExportError, match=f"{place} lies in the export .*model: choose a folder outside"):
        check_export_dir(tmp_path / "model" / place)


def test_file_is_no_export_folder(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="is not a folder"):
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


# Whatever is cut off


class Cut(BaseException):
    """A kill -9: nothing is cleaned up after it."""


def cut_at(step: int, monkeypatch: pytest.MonkeyPatch, exchanging: bool) -> None:
    """Be killed just before step number `step` of those that change names, and clean up nothing then."""
    done = 0
    originals = {"rename": os.rename, "replace": os.replace, "exchange": placing.exchange}

    def counted(name: str) -> Callable[..., object]:
        def call(*paths: object) -> object:
            nonlocal done
            if done == step:
                raise Cut
            if name == "exchange" and not exchanging:
                return False
            done += 1
            return originals[name](*paths)  # type: ignore[operator]

        return call

    monkeypatch.setattr(os, "rename", counted("rename"))
    monkeypatch.setattr(os, "replace", counted("replace"))
    for module in (export_folder, placing):
        monkeypatch.setattr(module, "exchange", counted("exchange"))
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)


@pytest.mark.parametrize("exchanging", [True, False])
@pytest.mark.parametrize("step", range(5))
def test_a_kill_between_any_two_steps_loses_no_export(
    step: int, exchanging: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, previous = tmp_path / "model", tmp_path / "model.previous"
    replace(model, "1")
    replace(model, "2")
    with monkeypatch.context() as patch, suppress(Cut):
        cut_at(step, patch, exchanging)
        replace(model, "3")
    there = {marker(folder) for folder in (model, previous) if folder.exists()}
    assert "2" in there, "the last export that a user was told of"
    if exchanging:
        assert there in ({"2", "1"}, {"2", "3"}) and model.exists()
    check_export_dir(model)
    replace(model, "4")
    assert marker(model) == "4" and marker(previous) in ("2", "3")
    assert names(tmp_path) == ["model", "model.previous"], "nothing is left behind"


@pytest.mark.parametrize("point", ["before", "after"])
def test_ctrl_c_beside_an_exchange_loses_no_export(point: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C just after the exchange once deleted the earlier export."""
    model, previous = tmp_path / "model", tmp_path / "model.previous"
    replace(model, "1")
    replace(model, "2")
    swap = placing.exchange

    def interrupted(one: Path, other: Path) -> bool:
        if point == "before":
            signal.raise_signal(signal.SIGINT)
        done = swap(one, other)
        if point == "after":
            signal.raise_signal(signal.SIGINT)
        return done

    monkeypatch.setattr(export_folder, "exchange", interrupted)
    with pytest.raises(KeyboardInterrupt):
        replace(model, "3")
    assert (marker(model), marker(previous)) == ("3", "2")
    assert names(tmp_path) == ["model", "model.previous"]


def test_two_runs_at_the_same_time_both_end_and_the_last_one_wins(tmp_path: Path) -> None:
    script = """
import json, sys
from pathlib import Path
from retrain.core.outputs import temporary_beside
from retrain.exports.folder import replace_export
folder = Path(sys.argv[1])
for number in range(40):
    with temporary_beside(folder) as temporary:
        new = temporary / "new"
        new.mkdir()
        for name in ("labels.txt", "model.json"):
            (new / name).write_text(json.dumps({"format": "retrain-export", "run": f"{sys.argv[2]} {number}"}))
        replace_export(new, folder)
"""
    runs = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "model"), name]) for name in "ab"]
    assert [run.wait() for run in runs] == [0, 0]
    last = [json.loads(marker(tmp_path / name))["run"] for name in ("model", "model.previous")]
    assert last[0] in ("a 39", "b 39")
    for name in ("model", "model.previous"):
        assert marker(tmp_path / name) == (tmp_path / name / "model.json").read_text(), "each is whole"
    assert names(tmp_path) == ["model", "model.previous"]


# Where an export cannot be renamed, and what lies in it


def in_place(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(placing, "_is_mount_point", lambda path: path == folder)


def test_a_mount_point_is_written_file_by_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tmp_path / "model"
    in_place(monkeypatch, model)
    (model / "lost+found").mkdir(parents=True)
    inode = model.stat().st_ino
    for number, kept in (("1", None), ("2", model / "previous"), ("3", model / "previous")):
        check_export_dir(model)
        assert replace(model, number) == kept
    assert model.stat().st_ino == inode
    assert (marker(model), marker(model / "previous")) == ("3", "2")
    assert names(tmp_path) == ["model"]
    assert names(model) == ["labels.txt", "lost+found", "model.json", "previous"]
    assert names(model / "previous") == ["labels.txt", "model.json"]


@pytest.mark.parametrize("step", range(6))
def test_a_kill_while_it_is_written_in_place_leaves_no_mixture(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "model"
    in_place(monkeypatch, model)
    model.mkdir()
    replace(model, "1")
    with monkeypatch.context() as patch, suppress(Cut):
        cut_at(step, patch, True)
        replace(model, "2")
    manifest = json.loads((model / "model.json").read_text())
    whole = "unfinished" not in manifest
    assert marker(model) == manifest["marker"] if whole else marker(model / "previous") == "1"
    check_export_dir(model)
    replace(model, "3")
    assert marker(model) == "3" and marker(model / "previous") in ("1", "2")
    assert names(tmp_path) == ["model"]
    assert names(model) == ["labels.txt", "model.json", "previous"]


def test_an_unfinished_export_is_a_sentence_for_every_reader(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "model.json").write_text(json.dumps(export_folder.MEANWHILE))
    (model / "saved_model.pb").touch()
    with pytest.raises(ModelError, match=r"is unfinished: .* Run that command again; .*model/previous"):
        load_model(model)
    with pytest.raises(ExportError, match="is unfinished"):
        read_manifest(model)


def test_what_a_rename_cannot_do_is_noticed_when_it_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace(tmp_path / "model", "1")

    def busy(one: Path, other: Path) -> bool:
        if tmp_path / "model" in (one, other):
            raise OSError(errno.EBUSY, "Device or resource busy")
        return exchange(one, other)

    exchange = placing.exchange
    monkeypatch.setattr(export_folder, "exchange", busy)
    assert replace(tmp_path / "model", "2") == tmp_path / "model/previous"
    assert (marker(tmp_path / "model"), marker(tmp_path / "model/previous")) == ("2", "1")
    assert names(tmp_path) == ["model"]


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


@pytest.mark.parametrize(
    "name", [".DS_Store", "Thumbs.db", "desktop.ini", ".nfs0001", "labels.txt~", ".labels.txt.swp", "._model.json"]
)
def test_what_systems_and_editors_leave_is_in_nobodys_way(name: str, tmp_path: Path) -> None:
    write(tmp_path / "model" / name, "litter")
    check_export_dir(tmp_path / "model")
    replace(tmp_path / "model", "1")
    for number in "23":
        write(tmp_path / "model" / name, "litter")
        check_export_dir(tmp_path / "model")
        replace(tmp_path / "model", number)
    assert (marker(tmp_path / "model"), marker(tmp_path / "model.previous")) == ("3", "2")


@pytest.mark.parametrize("name", ["notes.txt", ".env", "notes.swp", "~"])
def test_what_is_somebodys_is_not_litter(name: str, tmp_path: Path) -> None:
    write(export(tmp_path / "model", "1") / name, "mine")
    with pytest.raises(ExportError, match="not part of an export"):
        check_export_dir(tmp_path / "model")


def test_outputs_do_not_lie_among_the_photos(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    (photos / "cats").mkdir(parents=True)
    for path in ("model", "cats/model", "cats/page.html"):
        with pytest.raises(OptionError, match=r"--x .* lies among the photos"):
            check_not_among_photos(photos, {"--x": photos / path})
    for path in (".models/model", "page.html", "../model"):
        check_not_among_photos(photos, {"--x": photos / path, "--y": None})
    check_not_among_photos(tmp_path / "table.csv", {"--x": tmp_path / "model"})


@pytest.mark.parametrize("place", ["model.previous", "model.previous/graph.pb", "link.previous/graph.pb"])
def test_no_output_lies_where_the_export_before_goes(place: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("model")
    folder = tmp_path / place.split(".")[0]
    replace(folder, "1")
    replace(folder, "2")
    (tmp_path / "link.previous").symlink_to("model.previous")
    kept = {"--bottleneck_dir": tmp_path / place}
    with pytest.raises(OptionError, match=f"{place} lies in the place of the export before, .*model.previous"):
        ExportConfig(folder).check(tmp_path / "photos", kept)


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
