import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelling import files_below, label, objects, rows
from painting import paint

from label_image import renaming
from label_image.errors import PhotoError
from label_image.many import placing
from label_image.many.sorted_folders import folder_names


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder on another file system than the temporary files of tests."""
    shared = Path("/dev/shm")
    if not shared.is_dir() or shared.stat().st_dev == os.stat(tempfile.gettempdir()).st_dev:
        pytest.skip("there is no second file system, /dev/shm")
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        yield Path(folder)


def contents(folder: Path) -> list[bytes]:
    return sorted(files_below(folder).values())


# Where photos go


def test_photos_are_copied_to_a_folder_for_each_class(model: Path, photos: Path) -> None:
    before = files_below(photos)
    said = label(model, "photos", "--copy_to", "out", code=1)
    assert set(files_below(Path("out"))) == {"red/a.jpg", "red/a-2.jpg", "green/b.jpg", "unknown/gray.png"}
    assert files_below(photos) == before
    assert "copied to out: 4 photos\n" in said.out
    assert os.stat("out/red/a.jpg").st_mtime_ns == os.stat("photos/a.jpg").st_mtime_ns


def test_photos_are_moved_and_what_is_no_photo_stays(model: Path, photos: Path) -> None:
    before = files_below(photos)
    label(model, "photos", "--move_to", "out", "--csv", "out.csv", "--jsonl", "out.jsonl", code=1)
    assert set(files_below(photos)) == {"none.jpg"}
    assert contents(Path("out")) == sorted(set(before.values()) - {b"no photo"})
    moved = {row["path"]: row["moved_to"] for row in rows(Path("out.csv"))}
    assert moved["photos/deep/a.jpg"] == "out/red/a-2.jpg" and moved["photos/none.jpg"] == ""
    assert objects(Path("out.jsonl"))[0]["moved_to"] == "out/red/a.jpg"
    assert sorted(os.listdir("out")) == ["green", "red", "unknown"]


def test_the_same_call_again_changes_nothing(model: Path, photos: Path) -> None:
    label(model, "photos", "--copy_to", "out", code=1)
    before = files_below(Path("out"))
    said = label(model, "photos", "--copy_to", "out", code=1)
    assert "copied to out: 4 photos (4 were there already)" in said.out
    assert files_below(Path("out")) == before


def test_always_answer_fills_no_unknown(model: Path, photos: Path) -> None:
    label(model, "photos", "--copy_to", "out", "--always_answer", code=1)
    assert not Path("out/unknown").exists() and len(files_below(Path("out"))) == 4


def test_what_was_sorted_is_not_labelled_again(model: Path, photos: Path) -> None:
    (photos / "none.jpg").unlink()
    label(model, "photos", "--copy_to", "photos/sorted")
    said = label(model, "photos", "--copy_to", "photos/sorted")
    assert "4 photos" in said.out and len(files_below(photos / "sorted")) == 4
    os.symlink("sorted", photos / "link")
    assert "4 photos" in label(model, "photos", "--move_to", "photos/sorted").out
    assert set(files_below(photos)) == {
        "sorted/red/a.jpg", "sorted/red/a-2.jpg", "sorted/green/b.jpg", "sorted/unknown/gray.png",
    }  # fmt: skip


# Nothing is overwritten or lost


@pytest.mark.parametrize("option", ["--copy_to", "--move_to"])
def test_another_content_of_that_name_keeps_it(option: str, model: Path, photos: Path) -> None:
    (Path("out") / "red").mkdir(parents=True)
    Path("out/red/a.jpg").write_bytes(b"mine")
    Path("out/red/a-2.jpg").mkdir()
    os.symlink("nowhere", "out/red/a-3.jpg")
    label(model, "photos/a.jpg", option, "out")
    assert Path("out/red/a.jpg").read_bytes() == b"mine"
    assert Path("out/red/a-4.jpg").is_file() and os.readlink("out/red/a-3.jpg") == "nowhere"


def test_a_link_in_the_way_that_leads_to_the_photo_itself_is_no_copy_of_it(model: Path, photos: Path) -> None:
    (Path("out") / "red").mkdir(parents=True)
    os.symlink(photos / "a.jpg", "out/red/a.jpg")
    data = (photos / "a.jpg").read_bytes()
    label(model, "photos/a.jpg", "--move_to", "out")
    assert Path("out/red/a-2.jpg").read_bytes() == data and not Path("out/red/a-2.jpg").is_symlink()


def test_a_folder_in_the_way_that_leads_to_the_photos_loses_none(model: Path, photos: Path) -> None:
    Path("out").mkdir()
    os.symlink("../photos", "out/red")
    data = (photos / "a.jpg").read_bytes()
    label(model, "photos/a.jpg", "--move_to", "out")
    assert (photos / "a.jpg").read_bytes() == data


def test_a_folder_that_is_mounted_twice_loses_no_photo(
    model: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with `docker run -v photos:/in -v photos/sorted:/out`: the real path of neither leads to the other."""
    shutil.copytree("photos", "mounted/sorted/red")
    os.symlink("mounted/sorted", "out")
    before = files_below(Path("mounted"))
    monkeypatch.setattr(os.path, "realpath", os.path.abspath)  # which does not see through a mount
    label(model, "mounted", "--move_to", "out", code=1)
    assert files_below(Path("mounted")) == before

    label(model, "mounted/sorted/red", "--move_to", "out", code=2)
    source, state = "mounted/sorted/red/a.jpg", placing.state_of("mounted/sorted/red/a.jpg")
    placed = placing.place_photo(source, state, Path("out/red"), Path("out"), move=True)
    assert placed == ("out/red/a.jpg", True)
    assert files_below(Path("mounted")) == before


def test_the_longest_names_get_a_number_too(model: Path, photos: Path) -> None:
    paint(Path("photos") / f"{'é' * 125}.jpg", "red")
    paint(Path("photos/deep") / f"{'é' * 125}.jpg", (205, 40, 35))
    label(model, "photos", "--move_to", "out", code=1)
    assert f"red/{'é' * 124}-2.jpg" in files_below(Path("out"))
    assert set(files_below(photos)) == {"none.jpg"}


def test_a_name_that_the_target_cannot_have_is_an_error_of_that_photo(
    model: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a memory card's FAT, which has no colons."""
    paint(photos / "12:30.jpg", "red")
    rename = placing.rename_unless_there

    def no_colons(one: str | Path, other: str | Path) -> None:
        if ":" in str(other):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), str(other))
        rename(one, other)

    monkeypatch.setattr(placing, "rename_unless_there", no_colons)
    said = label(model, "photos", "--move_to", "out", code=1)
    assert "Error: photos/12:30.jpg cannot have its name in out/red (Invalid argument): rename it." in said.err
    assert set(files_below(photos)) == {"none.jpg", "12:30.jpg"}
    assert "red/a.jpg" in files_below(Path("out"))


def test_a_full_target_is_named_and_not_the_photo(
    model: Path, photos: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: str, _target: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), source)

    monkeypatch.setattr(shutil, "copy2", full)
    said = label(model, "photos", "--move_to", str(elsewhere / "out"), code=1)
    assert f"Error: {elsewhere}/out/red: No space left on device. The same command goes on from" in said.err


def test_a_folder_that_cannot_be_written_is_named_and_no_temporary_one(
    model: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(path: Path, mode: int = 0o777) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    Path("out").mkdir()
    monkeypatch.setattr(Path, "mkdir", lambda path, *args, **kwargs: path.name != "out" and read_only(path))
    said = label(model, "photos", "--move_to", "out", code=1)
    assert "Error: out: Read-only file system." in said.err


def test_a_file_where_a_folder_should_be_is_a_sentence(model: Path, photos: Path) -> None:
    Path("out").mkdir()
    Path("out/red").write_bytes(b"mine")
    before = files_below(photos)
    said = label(model, "photos", "--move_to", "out", code=1)
    assert said.err.splitlines()[-1].startswith("Error: out/red: File exists. The same command goes on from ")
    assert files_below(photos) == before and Path("out/red").read_bytes() == b"mine"
    Path("out/red").unlink()
    label(model, "photos", "--move_to", "out", code=1)
    assert set(files_below(photos)) == {"none.jpg"}


def test_a_pattern_that_matches_nothing_is_an_error_where_nothing_is_moved(model: Path, photos: Path) -> None:
    said = label(model, "nothing*", "photos/a.jpg", "--copy_to", "out", code=1)
    assert "Error: nothing* cannot be read" in said.err


def test_of_a_link_the_photo_is_copied_and_the_link_goes(model: Path, photos: Path) -> None:
    target = paint(Path("elsewhere/x.jpg"), "green")
    os.symlink("../elsewhere/x.jpg", photos / "link.jpg")
    label(model, "photos/link.jpg", "--move_to", "out")
    assert target.is_file() and not (photos / "link.jpg").is_symlink()
    assert Path("out/green/link.jpg").read_bytes() == target.read_bytes()


def test_a_link_whose_photo_this_run_moves_is_told_as_what_it_is(model: Path, photos: Path) -> None:
    os.symlink("a.jpg", photos / "link.jpg")
    state = placing.state_of("photos/link.jpg")
    data = (photos / "a.jpg").read_bytes()
    said = label(model, "photos", "--move_to", "out", code=1)
    assert "Error: photos/link.jpg is a link to " in said.err and "changed" not in said.err
    assert Path("out/red/a.jpg").read_bytes() == data and (photos / "link.jpg").is_symlink()
    with pytest.raises(PhotoError, match="a photo that was moved or removed after it was labelled: remove the link"):
        placing.place_photo("photos/link.jpg", state, Path("out/red"), Path("out"), move=True)
    assert "Error: photos/link.jpg is a link to nothing." in label(model, "photos", "--move_to", "out", code=1).err


def test_a_link_whose_photo_goes_while_it_is_copied_stops_no_other(
    model: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paint(Path("elsewhere/x.jpg"), "green")
    os.symlink("../elsewhere/x.jpg", photos / "link.jpg")
    real = shutil.copy2

    def gone_before(source: str, target: str) -> None:
        Path("elsewhere/x.jpg").unlink()
        real(source, target)

    monkeypatch.setattr(placing.shutil, "copy2", gone_before)
    said = label(model, "photos/link.jpg", "photos/a.jpg", "--move_to", "out", code=1)
    assert "Error: photos/link.jpg is a link to a photo that was moved" in said.err
    assert set(files_below(Path("out"))) == {"red/a.jpg"}


@pytest.mark.parametrize("again", ["{here}/photos", "link", "photos/*.*", "photos/deep/../b.jpg"])
def test_a_photo_that_is_named_twice_is_moved_once(again: str, model: Path, photos: Path, here: Path) -> None:
    os.symlink("photos", "link")
    (photos / "none.jpg").unlink()
    said = label(model, "photos", again.format(here=here), "--move_to", "out", "--csv", "t.csv")
    assert [row["path"] for row in rows(Path("t.csv"))] == [
        "photos/a.jpg", "photos/b.jpg", "photos/gray.png", "photos/deep/a.jpg",
    ]  # fmt: skip
    assert "moved to out: 4 photos\n" in said.out and files_below(photos) == {}


def test_across_file_systems(model: Path, photos: Path, elsewhere: Path) -> None:
    before = files_below(photos)
    label(model, "photos", "--move_to", elsewhere / "out", code=1)
    assert contents(elsewhere) == sorted(set(before.values()) - {b"no photo"})
    assert set(files_below(photos)) == {"none.jpg"}


def test_a_photo_that_changes_while_it_is_copied_stays(
    model: Path, photos: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy2(source: str, target: str) -> None:
        shutil.copyfile(source, target)
        Path(source).write_bytes(b"something else")

    monkeypatch.setattr(placing.shutil, "copy2", copy2)
    said = label(model, "photos/a.jpg", "--move_to", elsewhere / "out", "--csv", "out.csv", code=1)
    assert "photos/a.jpg was changed while it was copied" in said.err
    assert files_below(elsewhere) == {} and (photos / "a.jpg").read_bytes() == b"something else"
    assert rows(Path("out.csv"))[0]["error"].startswith("was changed")


def test_a_photo_that_changes_once_it_is_copied_stays(
    model: Path, photos: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (photos / "a.jpg").read_bytes()
    monkeypatch.setattr(placing, "sync_folder", lambda _: (photos / "a.jpg").write_bytes(b"something else"))
    said = label(model, "photos/a.jpg", "--move_to", elsewhere / "out", "--csv", "out.csv", code=1)
    assert (photos / "a.jpg").read_bytes() == b"something else"
    assert before in files_below(elsewhere).values()
    assert "photos/a.jpg was changed just after it was copied" in said.err.replace("\n", " ")


def test_a_source_that_cannot_be_written_keeps_its_photos(
    model: Path, photos: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placing.os, "access", lambda *_: False)  # root may do anything
    said = label(model, "photos/a.jpg", "--move_to", elsewhere / "out", code=1)
    assert "Error: photos/a.jpg: Permission denied." in said.err
    assert (photos / "a.jpg").is_file() and set(files_below(elsewhere)) == {"out/.label_image.partial"}


def test_a_full_disk_stops_the_run_and_the_same_command_goes_on(
    model: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, copied = shutil.copy2, []

    def copy2(source: str, target: str) -> None:
        copied.append(source)
        if len(copied) == 3:
            Path(target).write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), source)
        real(source, target)

    monkeypatch.setattr(placing.shutil, "copy2", copy2)
    said = label(model, "photos", "--copy_to", "out", "--csv", "t.csv", code=1)
    assert "No space left on device. The same command goes on from t.csv.partial." in said.err
    assert set(files_below(Path("out"))) == {"red/a.jpg", "green/b.jpg"}
    said = label(model, "photos", "--copy_to", "out", "--csv", "t.csv", code=1)
    assert "2 photos were labelled before" not in said.err and "3 photos were labelled before" in said.err
    assert [row["copied_to"] for row in rows(Path("t.csv"))] == [
        "out/red/a.jpg", "out/green/b.jpg", "out/unknown/gray.png", "", "out/red/a-2.jpg",
    ]  # fmt: skip


@pytest.mark.parametrize("lacks", ["renameat2", "links too"])
def test_file_systems_that_cannot_rename_so_or_link(
    lacks: str, model: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renaming, "renamed", lambda *_: False)
    if lacks == "links too":

        def link(*_: object, **__: object) -> None:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr(renaming.os, "link", link)
    before = files_below(photos)
    label(model, "photos", "--move_to", "out", code=1)
    assert set(files_below(Path("out"))) == {"red/a.jpg", "red/a-2.jpg", "green/b.jpg", "unknown/gray.png"}
    assert contents(Path("out")) == sorted(set(before.values()) - {b"no photo"})


def test_a_name_that_another_run_takes_at_the_last_moment(
    model: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = placing.rename_unless_there

    def just_after(one: str, other: str) -> None:
        monkeypatch.setattr(placing, "rename_unless_there", real)
        Path(other).write_bytes(b"theirs")
        real(one, other)

    monkeypatch.setattr(placing, "rename_unless_there", just_after)
    label(model, "photos/a.jpg", "--move_to", "out")
    assert Path("out/red/a.jpg").read_bytes() == b"theirs" and Path("out/red/a-2.jpg").is_file()


@pytest.mark.parametrize("step", ["state_of", "folder_key", "rename_unless_there"])
def test_a_photo_that_another_program_takes_is_an_error_of_that_photo(
    step: str, model: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(placing, step)

    def gone_before(source: str, *more: str) -> object:
        if (step == "folder_key" and Path("out/green").exists()) or source == "photos/b.jpg":  # it has been labelled
            Path("photos/b.jpg").unlink(missing_ok=True)
        return real(source, *more)

    monkeypatch.setattr(placing, step, gone_before)
    said = label(model, "photos", "--move_to", "out", code=1)
    assert "Error: photos/b.jpg is gone" in said.err
    assert "5 photos: 2 labelled, 1 unknown, 2 could not be read" in said.out


# Names of folders


@given(st.lists(st.text(max_size=300), unique=True, max_size=6))
def test_any_label_has_a_folder_of_its_own_and_none_leads_elsewhere(labels: list[str]) -> None:
    names = folder_names(labels)
    assert names[None] == "unknown" and set(names) == {None, *labels}
    assert len({name.casefold() for name in names.values()}) == len(names)
    for name in names.values():
        assert os.path.basename(name) == name and name not in ("", ".", "..") and not name.startswith(".")
        assert len(os.fsencode(name)) <= 255 and name.isprintable() | (not name.isascii())


def test_labels_that_are_hostile_or_alike() -> None:
    assert folder_names(["../../etc", "a/b", "a:b", "Cat", "cat", "unknown", "..", " x. "]) == {
        None: "unknown", "../../etc": "__.._etc", "a/b": "a_b", "a:b": "a_b-2", "Cat": "Cat", "cat": "cat-2",
        "unknown": "unknown-2", "..": "_", " x. ": "x",
    }  # fmt: skip
