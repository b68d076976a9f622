"""An export takes its place in one step, and the one before it is kept, whatever is cut off."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from placed import in_place, names, write

from label_image.errors import ModelError
from label_image.model import load_model
from retrain.core import placing
from retrain.core.errors import ExportError, OptionError
from retrain.core.outputs import (
    temporary_beside,
)
from retrain.exports import folder as export_folder
from retrain.exports.export_config import ExportConfig
from retrain.exports.folder import check_export_dir, replace_export
from retrain.exports.further_formats import read_manifest


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


@pytest.mark.parametrize("renamed", [True, False])
def test_an_export_with_further_formats_is_kept(renamed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They were asked for one by one; what every run writes can be dropped for the next."""
    model, previous = tmp_path / "model", tmp_path / "model.previous"
    if not renamed:
        in_place(monkeypatch, model)
        model.mkdir()
        previous = model / "previous"
    said: list[str] = []

    def run(marker: str) -> None:
        check_export_dir(model)
        with temporary_beside(model) as temporary:
            replace_export(export(temporary / "new", marker), model, said.append)

    run("1")
    (model / "model.onnx").write_text("of 1")
    run("2")
    assert (marker(previous), said) == ("1", [])
    run("3")
    first = previous.with_name(f"{previous.name}.1")
    assert (marker(previous), marker(first)) == ("2", "1")
    assert said == [f"{previous} holds onnx, the export after it does not: it is kept as {first}."]
    (model / "model.onnx").write_text("of 3")
    for number in "456":
        run(number)
    kept = [name for name in names(previous.parent) if name.startswith(f"{previous.name}.")]
    assert kept == [first.name, f"{previous.name}.2"]
    assert (previous.with_name(kept[1]) / "model.onnx").read_text() == "of 3"


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
