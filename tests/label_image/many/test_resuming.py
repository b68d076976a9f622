"""An interrupted run leaves a journal, from which the same command goes on; any other refuses it."""

import io
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from labelling import files_below, label, rows
from painting import paint

from label_image.many import run
from label_image.many.journal import FORMAT, journal_of
from label_image.rows import Asked, Row

STOP_AT = "photos/gray.png"  # the third of five


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The first run gets Ctrl-C when it comes to the third photo."""
    real = Asked.rows

    def make_rows(asked: Asked) -> object:
        monkeypatch.setattr(Asked, "rows", real)
        label_one = real(asked)

        def label(found: str) -> Row:
            if found == STOP_AT:
                raise KeyboardInterrupt
            return label_one(found)

        return label

    monkeypatch.setattr(Asked, "rows", make_rows)
    monkeypatch.setattr(run, "MOST", 1)
    yield


def labelled_again(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The photos that are labelled from here on."""
    seen: list[str] = []
    real = Asked.rows

    def make_rows(asked: Asked) -> object:
        label_one = real(asked)
        return lambda found: (seen.append(found), label_one(found))[1]

    monkeypatch.setattr(Asked, "rows", make_rows)
    return seen


def alike(path: Path, colour: str) -> None:
    """A photo of a size and date that do not depend on its colour."""
    data = paint(path, colour).read_bytes()
    path.write_bytes(data + bytes(5000 - len(data)))
    os.utime(path, (1, 1))


@pytest.mark.usefixtures("interrupted")
@pytest.mark.parametrize("sort", [[], ["--copy_to", "out"], ["--move_to", "out"]], ids=["table", "copy", "move"])
def test_what_was_interrupted_ends_as_if_it_had_not_been(
    sort: list[str], model: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(photos, "undisturbed/photos")
    said = label(model, "photos", "--csv", "t.csv", "--parquet", "t.parquet", *sort, code=130)
    assert "Interrupted. The same command goes on from t.csv.partial.\n" in said.err
    assert not Path("t.csv").exists()
    seen = labelled_again(monkeypatch)
    said = label(model, "photos", "--csv", "t.csv", "--parquet", "t.parquet", *sort, code=1)
    assert "2 photos were labelled before: going on from t.csv.partial." in said.err
    assert "2 of them were labelled before." in said.out
    assert seen == [STOP_AT, "photos/none.jpg", "photos/deep/a.jpg"]
    after, left = files_below(Path("out")), files_below(photos)
    table, columns = Path("t.csv").read_bytes(), Path("t.parquet").read_bytes()
    assert not list(Path().glob("*.partial")) and ".label_image.partial" not in after
    monkeypatch.chdir("undisturbed")
    label(model, "photos", "--csv", "t.csv", "--parquet", "t.parquet", *sort, code=1)
    assert (Path("t.csv").read_bytes(), Path("t.parquet").read_bytes()) == (table, columns)
    assert (files_below(Path("out")), files_below(Path("photos"))) == (after, left)


@pytest.mark.usefixtures("interrupted")
def test_sorting_alone_goes_on_too(model: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    label(model, "photos", "--copy_to", "out", code=130)
    seen = labelled_again(monkeypatch)
    label(model, "photos", "--copy_to", "out", code=1)
    assert len(seen) == 3 and len(files_below(Path("out"))) == 4


@pytest.mark.usefixtures("interrupted")
def test_named_photos_that_were_moved_are_not_missed(model: Path, photos: Path) -> None:
    named = ["photos/a.jpg", "photos/b.jpg", "photos/gray.png"]
    label(model, *named, "--move_to", "out", code=130)
    label(model, *named, "--move_to", "out")
    assert set(files_below(Path("out"))) == {"red/a.jpg", "green/b.jpg", "unknown/gray.png"}


@pytest.mark.usefixtures("interrupted")
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (["photos", "--csv", "t.csv", "--always_answer"], "it differs in: --always_answer"),
        (["photos", "--csv", "t.csv", "--labels", "names"], "it differs in: --labels"),
        (["photos", "--csv", "t.csv", "--copy_to", "out"], "it differs in: --copy_to"),
        (["others", "--csv", "t.csv"], "it differs in: photos"),
        (["photos", "--csv", "t.csv", "--model", "model"], "it differs in: model"),
    ],
)
def test_another_call_does_not_go_on(change: list[str], says: str, model: Path, photos: Path) -> None:
    Path("names").write_text("1\n2\n3\n")
    shutil.copytree(photos, "others")
    shutil.copytree(model, "model")
    with open("model/model.json", "a") as file:
        file.write(" ")
    label(model, "photos", "--csv", "t.csv", code=130)
    journal = Path("t.csv.partial").read_bytes()
    said = label(model, *change, code=1)
    assert "t.csv.partial is the unfinished work of another call" in said.err and says in said.err
    assert Path("t.csv.partial").read_bytes() == journal and not Path("t.csv").exists()


@pytest.mark.usefixtures("interrupted")
def test_a_model_with_other_classes_is_another_model_and_what_to_do_is_said(model: Path, photos: Path) -> None:
    shutil.copytree(model, "model")
    text = Path("model/model.json").read_text()
    Path("model/model.json").write_text(text.replace('"red"', '"rot"'))
    label(model, "photos", "--csv", "t.csv", code=130)
    said = label(model, "photos", "--csv", "t.csv", "--model", "model", code=1)
    assert (
        "(it differs in: model, classes): run that one again to go on with it, or move t.csv.partial away" in said.err
    )
    assert "away, and t.csv where it is there, to begin anew." in said.err


@pytest.mark.usefixtures("interrupted")
def test_named_photos_of_another_call_are_not_taken_over(model: Path, photos: Path) -> None:
    label(model, "photos/a.jpg", "photos/b.jpg", "photos/gray.png", "--csv", "t.csv", code=130)
    said = label(model, "photos/b.jpg", "--csv", "t.csv", code=1)
    assert "is the unfinished work of another call, on photos such as photos/a.jpg" in said.err


@pytest.mark.usefixtures("interrupted")
@pytest.mark.parametrize(
    ("first", "again"),
    [
        ("photos", "{here}/photos"),
        ("photos", "deep/../photos"),
        ("photos", "../{name}/photos"),
        ("**/*.*", "{here}/**/*.*"),
        ("photos/*", "./photos/*"),
    ],
)
def test_the_same_photos_in_another_spelling_are_another_call(
    first: str, again: str, model: Path, photos: Path, here: Path
) -> None:
    """Rows have the paths as they were named: each finished photo would be in the table twice."""
    (here / "deep").mkdir()
    label(model, first, "--csv", "t.csv", code=130)
    journal = Path("t.csv.partial").read_bytes()
    said = label(model, again.format(here=here, name=here.name), "--csv", "t.csv", code=1)
    assert "t.csv.partial is the unfinished work of another call (it differs in: how the photos are named)" in said.err
    assert Path("t.csv.partial").read_bytes() == journal and not Path("t.csv").exists()


@pytest.mark.usefixtures("interrupted")
def test_a_folder_as_a_shell_completes_it_is_the_same(model: Path, photos: Path) -> None:
    label(model, "photos", "--csv", "t.csv", code=130)
    said = label(model, "photos/", "--csv", "t.csv", code=1)
    assert "2 photos were labelled before" in said.err and len(rows(Path("t.csv"))) == 5


@pytest.mark.usefixtures("interrupted")
def test_a_named_photo_in_another_spelling_beside_a_folder_is_another_call(
    model: Path, photos: Path, here: Path
) -> None:
    (here / "empty").mkdir()
    label(model, "photos/a.jpg", STOP_AT, "empty", "--csv", "t.csv", code=130)
    said = label(model, photos / "a.jpg", STOP_AT, "empty", "--csv", "t.csv", code=1)
    assert "is the unfinished work of another call, on photos such as photos/a.jpg" in said.err


@pytest.mark.usefixtures("interrupted")
@pytest.mark.parametrize("pattern", ["./photos/**/*", "**/*.*", "p*s/../photos/[a-z]*", "*//*"])
def test_what_a_pattern_finds_is_gone_on_with(pattern: str, model: Path, photos: Path) -> None:
    label(model, pattern, "photos", "--csv", "t.csv", code=130)
    assert " photos were labelled before" in label(model, pattern, "photos", "--csv", "t.csv", code=1).err


@pytest.mark.usefixtures("interrupted")
@pytest.mark.parametrize("colour", ["red", "blue"])
def test_a_photo_of_the_name_size_and_date_of_one_that_was_moved_is_new(colour: str, model: Path, photos: Path) -> None:
    alike(photos / "a.jpg", "red")
    label(model, "photos", "--move_to", "out", "--csv", "t.csv", code=130)
    alike(photos / "a.jpg", colour)
    label(model, "photos", "--move_to", "out", "--csv", "t.csv", code=1)
    assert [row["label"] for row in rows(Path("t.csv")) if row["path"] == "photos/a.jpg"] == ["red", colour]
    assert set(files_below(photos)) == {"none.jpg"}


@pytest.mark.usefixtures("interrupted")
@pytest.mark.parametrize("option", ["--copy_to", "--move_to"])
def test_a_photo_that_is_still_there_has_one_row(option: str, model: Path, photos: Path) -> None:
    """Copied, or moved to where it lies itself."""
    Path("out").mkdir()
    os.symlink("../photos", "out/red")
    label(model, "photos", option, "out", "--csv", "t.csv", code=130)
    assert (photos / "a.jpg").exists()
    label(model, "photos", option, "out", "--csv", "t.csv", code=1)
    assert [row["path"] for row in rows(Path("t.csv"))].count("photos/a.jpg") == 1


@pytest.mark.usefixtures("interrupted")
@pytest.mark.parametrize("table", ["--csv", "--embed"])
def test_a_photo_that_is_gone_is_in_no_table(table: str, model: Path, photos: Path) -> None:
    label(model, "photos", table, "t", code=130)
    (photos / "a.jpg").unlink()
    said = label(model, "photos", table, "t", code=1)
    assert said.out.startswith("4 photos: ") and b"photos/a.jpg" not in Path("t").read_bytes()


@pytest.mark.usefixtures("interrupted")
def test_standard_input_is_read_again(model: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, code in (("a.jpg", 130), ("b.jpg", 1)):
        with open(photos / name, "rb") as file:
            monkeypatch.setattr("sys.stdin", io.TextIOWrapper(file))
            label(model, "-", "photos", "--csv", "t.csv", code=code)
    assert {row["path"]: row["label"] for row in rows(Path("t.csv"))}["-"] == "green"


@pytest.mark.usefixtures("interrupted")
def test_a_photo_that_has_changed_is_labelled_again(model: Path, photos: Path) -> None:
    label(model, "photos", "--csv", "t.csv", code=130)
    paint(photos / "a.jpg", "blue")
    os.utime(photos / "a.jpg", (1, 1))
    label(model, "photos", "--csv", "t.csv", code=1)
    found = {row["path"]: row["label"] for row in rows(Path("t.csv"))}
    assert found["photos/a.jpg"] == "blue" and len(rows(Path("t.csv"))) == 5


@pytest.mark.usefixtures("interrupted")
@pytest.mark.parametrize(
    "tail",
    [
        b'{"path": "photos/b', b"\0" * 100, b"[]\n", b'{"path": "x"}\n', b'{"path": "x", "probabilities": "!"}\n',
        b'{"path": 1, "error": "x"}\n', b'{"path": "photos/b.jpg", "state": [[1], 2], "probabilities": "AAAA"}\n',
        b'{"path": "photos/b.jpg", "state": {}, "error": "x"}\n', b'{"wrote": "t.csv"}\n',
        b'{"wrote": [], "state": [1, 2]}\n',
        b'{"path": "photos/b.jpg", "probabilities": "AAAAAAAAAAAAAAAA", "similarity": "x"}\n',
        b'{"path": "photos/b.jpg", "probabilities": "AAAAAAAAAAAAAAAA", "placed": 1}\n',
    ],
)  # fmt: skip
def test_a_last_line_that_is_cut_short_or_damaged_counts_for_nothing(tail: bytes, model: Path, photos: Path) -> None:
    label(model, "photos", "--csv", "t.csv", code=130)
    with open("t.csv.partial", "ab") as file:
        file.write(tail)
    label(model, "photos", "--csv", "t.csv", code=1)
    assert len(rows(Path("t.csv"))) == 5


@pytest.mark.usefixtures("interrupted")
@pytest.mark.parametrize("first", ["first/*", "first/**/*.jpg"])
def test_a_pattern_whose_photos_have_all_been_moved_is_no_error(first: str, model: Path, photos: Path) -> None:
    paint(Path("first/1.jpg"), "blue")
    (photos / "none.jpg").unlink()
    shutil.copytree(".", "undisturbed")
    call = (first, "photos/*.*", "--move_to", "out", "--csv", "t.csv")
    label(model, *call, code=130)
    said = label(model, *call)
    assert f"Passed over: {first}, which matches no photo." in said.err
    assert [row["path"] for row in rows(Path("t.csv"))] == ["first/1.jpg", "photos/a.jpg", "photos/b.jpg", STOP_AT]
    table = Path("t.csv").read_bytes()
    os.chdir("undisturbed")
    label(model, *call)
    assert Path("t.csv").read_bytes() == table
    assert f"There is no photo in {first}, photos/*.*." in label(model, *call, code=1).err
    assert Path("t.csv").read_bytes() == table and not list(Path().glob("t.csv.*"))


@pytest.mark.parametrize("left", [b"", b'{"format": "label_im', json.dumps({"format": FORMAT}).encode()[:-1]])
def test_a_run_that_was_killed_at_its_first_line(left: bytes, model: Path, photos: Path) -> None:
    Path("t.csv.partial").write_bytes(left)
    label(model, "photos", "--csv", "t.csv", code=1)
    assert len(rows(Path("t.csv"))) == 5


@pytest.mark.parametrize("mine", [b"mine", b"mine\n", b"{}\n", b"[1]\n", b"\xff\n"])
def test_a_file_of_that_name_that_is_no_journal_is_left_alone(mine: bytes, model: Path, photos: Path) -> None:
    Path("t.csv.partial").write_bytes(mine)
    said = label(model, "photos", "--csv", "t.csv", code=1)
    assert "t.csv.partial is in the way, and no journal of label_image: move it away." in said.err
    assert Path("t.csv.partial").read_bytes() == mine


@pytest.mark.parametrize(
    ("option", "advice"),
    [
        ("--csv", "wait until it has ended."),
        ("--copy_to", "wait until it has ended, or give this run a table of its own with --csv FILE."),
    ],
)
def test_two_runs_at_once_are_not_one(option: str, advice: str, model: Path, photos: Path) -> None:
    journal = Path("out.partial") if option == "--csv" else Path("out/.label_image.partial")
    journal.parent.mkdir(exist_ok=True)
    with journal_of(journal, {}):
        said = label(model, "photos", option, "out", code=1)
    assert f"Another label_image is at work on {journal}: {advice}" in said.err


@pytest.mark.usefixtures("interrupted")
def test_into_a_folder_with_unfinished_work_others_move_with_a_table_of_their_own(model: Path, photos: Path) -> None:
    paint(Path("card/c.jpg"), "blue")
    label(model, "photos", "--move_to", "out", code=130)
    said = label(model, "card", "--move_to", "out", code=1)
    assert "delete the file to begin anew, or give this run a table of its own with --csv FILE." in said.err
    label(model, "card", "--move_to", "out", "--csv", "c.csv")
    label(model, "photos", "--move_to", "out", code=1)
    assert set(files_below(Path("out"))) == {
        "red/a.jpg", "red/a-2.jpg", "green/b.jpg", "unknown/gray.png", "blue/c.jpg",
    }  # fmt: skip


@pytest.mark.parametrize("at", ["before the move", "after the move"])
def test_a_move_that_was_cut_off_is_finished(
    at: str, model: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the photo's line in the journal, its move, and the line that says where it went."""
    from label_image.many import sorted_folders

    real = sorted_folders.place_photo

    def killed(source: str, *more: object) -> object:
        monkeypatch.setattr(sorted_folders, "place_photo", real)
        if at == "after the move":
            real(source, *more)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(sorted_folders, "place_photo", killed)
    label(model, "photos", "--move_to", "out", "--csv", "t.csv", code=130)
    assert (photos / "a.jpg").exists() == (at == "before the move")
    label(model, "photos", "--move_to", "out", "--csv", "t.csv", code=1)
    assert set(files_below(Path("out"))) == {"red/a.jpg", "red/a-2.jpg", "green/b.jpg", "unknown/gray.png"}
    found = {row["path"]: row["moved_to"] for row in rows(Path("t.csv"))}
    assert found["photos/a.jpg"] == "out/red/a.jpg" and len(found) == len(rows(Path("t.csv"))) == 5


def test_the_memory_of_a_run_does_not_grow_with_its_rows(tmp_path: Path) -> None:
    """Nothing but hashes is kept of rows that were written."""
    import tracemalloc

    import numpy as np

    numbers = np.zeros(12, np.float32)
    with journal_of(tmp_path / "j", {}) as (journal, _):
        tracemalloc.start()
        for number in range(20_000):
            journal.add(Row(f"some/folder/of/photos/{number}.jpg", (number, number), numbers, 0.5))
        assert sum(1 for _ in journal.rows()) == 20_000
        assert tracemalloc.get_traced_memory()[0] < 100_000
        tracemalloc.stop()


@pytest.mark.usefixtures("interrupted")
def test_embeddings_go_on_too(model: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    label(model, "photos", "--embed", "e.table", code=130)
    assert "another call (it differs in: --embed)" in label(model, "photos", "--csv", "e.table", code=1).err
    seen = labelled_again(monkeypatch)
    said = label(model, "photos", "--embed", "e.table", code=1)
    assert "2 photos were embedded before: going on from e.table.partial." in said.err
    assert "2 of them were embedded before." in said.out
    assert seen == [STOP_AT, "photos/none.jpg", "photos/deep/a.jpg"]
    went_on = Path("e.table").read_bytes()
    Path("e.table").unlink()
    label(model, "photos", "--embed", "e.table", code=1)
    assert Path("e.table").read_bytes() == went_on
