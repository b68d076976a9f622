import builtins
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from calling import call
from hypothesis import given
from hypothesis import strategies as st
from labelling import label, objects, rows
from painting import paint

from label_image import csv_cells
from label_image.cli import main
from label_image.many import tables
from label_image.model import load_model

COLUMNS = ["path", "label", "probability", "unknown", "similarity", "threshold", "error", "p_blue", "p_green", "p_red"]


def test_a_row_for_each_photo(model: Path, photos: Path) -> None:
    said = label(model, "photos", "--csv", "out.csv", code=1)
    found = rows(Path("out.csv"))
    assert list(found[0]) == COLUMNS
    assert [row["path"] for row in found] == [
        "photos/a.jpg", "photos/b.jpg", "photos/gray.png", "photos/none.jpg", "photos/deep/a.jpg",
    ]  # fmt: skip
    assert [(row["label"], row["unknown"]) for row in found if row["path"] != "photos/gray.png"] == [
        ("red", "false"), ("green", "false"), ("", ""), ("red", "false"),
    ]  # fmt: skip
    assert found[2]["unknown"] == "true" and float(found[2]["similarity"]) < float(found[2]["threshold"])
    assert found[3]["error"].startswith("is not a photo") and found[3]["p_red"] == ""
    assert float(found[0]["p_red"]) == float(found[0]["probability"]) > 0.8
    assert said.out.splitlines()[0].startswith("5 photos: 3 labelled, 1 unknown, 1 could not be read (5 in ")
    assert "written: out.csv" in said.out
    assert "Error: photos/none.jpg is not a photo" in said.err
    assert not Path("out.csv.partial").exists()


def test_all_tables_say_what_the_printed_answers_say(model: Path, photos: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    label(model, "photos", "--csv", "out.csv", "--parquet", "out.parquet", "--jsonl", "out.jsonl", code=1)
    printed = call(main, "--model", model, "photos", "--json").out
    assert Path("out.jsonl").read_text() == printed
    table = pq.read_table("out.parquet")
    assert table.column_names == COLUMNS
    assert [str(field.type) for field in table.schema][:5] == ["string", "string", "float", "bool", "float"]
    loaded = load_model(model)
    for line, row, written in zip(objects(Path("out.jsonl")), table.to_pylist(), rows(Path("out.csv")), strict=True):
        assert line["image"] == row["path"] == written["path"]
        if "error" in line:
            assert row["label"] is row["p_red"] is None and row["error"] == written["error"]
            assert line["error"] == f"{row['path']} {row['error']}."
            continue
        assert (line["label"], line["unknown"]) == (row["label"], row["unknown"])
        assert row["probability"] == np.float32(line["probability"])
        assert float(written["similarity"]) == pytest.approx(row["similarity"], rel=1e-5)
        verdict = loaded.label(Path(row["path"]).read_bytes(), 3)
        for answer in verdict.answers:
            assert row[f"p_{answer.label}"] == np.float32(answer.probability)


def test_the_columns_are_those_of_an_evaluation() -> None:
    from retrain.insight.answers_files import COLUMNS as of_evaluate

    assert set(of_evaluate) - {"right", "predicted"} <= set(COLUMNS)


def test_always_answer_and_other_labels_hold_for_tables(model: Path, photos: Path) -> None:
    Path("names.txt").write_text("azul\nverde\nvermelho\n")
    label(model, "photos", "--csv", "out.csv", "--always_answer", "--labels", "names.txt", code=1)
    found = rows(Path("out.csv"))
    assert found[2]["unknown"] == "false" and found[0]["label"] == "vermelho" and "p_verde" in found[0]


def test_equal_names_have_a_column_each(model: Path, photos: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    Path("names.txt").write_text("cat\ncat\ncat-2\n")
    label(model, "photos/a.jpg", "--csv", "out.csv", "--parquet", "out.parquet", "--labels", "names.txt")
    (written,) = rows(Path("out.csv"))
    assert list(written)[-3:] == ["p_cat", "p_cat-3", "p_cat-2"] and written["label"] == "cat-2"
    (read,) = pq.read_table("out.parquet").to_pylist()
    assert read["p_cat-2"] == read["probability"] and read.keys() == written.keys()
    said = load_model(model, "names.txt").predict("photos/a.jpg")
    assert list(said.columns())[-3:] == ["p(cat)", "p(cat-3)", "p(cat-2)"]


def test_top_k_is_for_json_lines(model: Path, photos: Path) -> None:
    label(model, "photos/a.jpg", "--jsonl", "out.jsonl", "--top_k", 1)
    assert len(objects(Path("out.jsonl"))[0]["top"]) == 1


def test_json_goes_to_standard_output_and_the_summary_beside_it(model: Path, photos: Path) -> None:
    said = label(model, "photos", "--json", "--csv", "out.csv", code=1)
    assert [json.loads(line)["image"] for line in said.out.splitlines()] == [
        row["path"] for row in rows(Path("out.csv"))
    ]
    assert "written: out.csv" in said.err and "Error:" not in said.err


def test_what_was_there_and_differs_is_kept(model: Path, photos: Path) -> None:
    Path("out.csv").write_text("mine")
    said = label(model, "photos/a.jpg", "--csv", "out.csv")
    assert "written: out.csv (what was there is out.csv.1)" in said.out
    assert Path("out.csv.1").read_text() == "mine"
    assert "(what" not in label(model, "photos/a.jpg", "--csv", "out.csv").out
    assert not Path("out.csv.2").exists()


def test_a_table_whose_name_is_a_link_is_written_where_that_leads(model: Path, photos: Path) -> None:
    (photos / "none.jpg").unlink()
    os.mkdir("big")
    os.symlink("big/kept here.csv", "out.csv")
    label(model, "photos", "--csv", "out.csv")  # where there is nothing yet
    assert os.path.islink("out.csv") and len(rows(Path("big/kept here.csv"))) == 4
    label(model, "photos/a.jpg", "--csv", "out.csv")
    assert os.path.islink("out.csv") and len(rows(Path("big/kept here.csv"))) == 1
    assert len(rows(Path("big/kept here.csv.1"))) == 4
    assert sorted(os.listdir("big")) == ["kept here.csv", "kept here.csv.1"]
    os.symlink("../photos/t.csv", "photos/link.csv")
    for _ in range(2):  # neither the table nor the link to it is a photo
        label(model, "photos", "--csv", "photos/link.csv")
    assert len(rows(Path("photos/t.csv"))) == 4


def test_a_table_among_the_photos_is_no_photo(model: Path, photos: Path) -> None:
    (photos / "none.jpg").unlink()
    label(model, "photos", "--csv", "photos/out.csv")
    label(model, "photos/a.jpg", "photos/deep", "--csv", "photos/out.csv")
    label(model, "photos", "--csv", "photos/out.csv")
    assert Path("photos/out.csv.1").exists()
    assert len(rows(Path("photos/out.csv"))) == 4


def test_a_photo_that_is_named_twice_has_one_row(model: Path, photos: Path) -> None:
    said = label(model, "photos/a.jpg", "photos/a.jpg", "--csv", "out.csv")
    assert said.out.startswith("1 photo: 1 labelled, ")
    assert len(rows(Path("out.csv"))) == 1


def test_no_photo_is_an_error_and_no_table(model: Path, here: Path) -> None:
    (here / "empty").mkdir()
    said = label(model, "empty", "--csv", "out.csv", code=1)
    assert said.err.endswith("Error: There is no photo in empty.\n")
    assert os.listdir(here) == ["empty"]


def test_names_of_all_kinds(model: Path, here: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    names = [b"=cmd|' !A0.jpg", b"a,b.jpg", b"line\nbreak.jpg", b'quo"te.jpg', b"\xff\xfe.jpg", "猫.jpg".encode()]
    data = paint(here / "one.png").read_bytes()
    for name in names:
        Path(os.fsdecode(name)).write_bytes(data)
    label(model, *map(os.fsdecode, names), "--csv", "out.csv", "--parquet", "out.parquet", "--jsonl", "out.jsonl")
    written = [os.fsencode(row["path"]) for row in rows(here / "out.csv")]
    assert written == [b"./=cmd|' !A0.jpg", *names[1:]]
    assert all(os.path.exists(path) for path in written)
    assert [os.fsencode(line["image"]) for line in objects(here / "out.jsonl")] == names
    found = pq.read_table("out.parquet").column("path").to_pylist()
    assert found == [os.fsdecode(name) if name[:1] != b"\xff" else r"\xff\xfe.jpg" for name in names]


@given(st.text(max_size=8))
def test_no_cell_is_a_formula_and_every_text_can_be_told(text: str) -> None:
    safe = csv_cells.cell(text)
    assert not safe.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert safe in (text, f"'{text}")


def test_a_folder_that_is_not_there_is_made(model: Path, photos: Path) -> None:
    label(model, "photos/a.jpg", "--csv", "new/folder/out.csv", "--jsonl", "other/out.jsonl")
    assert rows(Path("new/folder/out.csv")) and objects(Path("other/out.jsonl"))


@pytest.mark.parametrize("option", ["--csv", "--parquet", "--jsonl"])
@pytest.mark.parametrize("place", ["/dev/null", "folder", "photos/a.jpg/out"])
def test_places_that_cannot_be_written_are_refused_before_the_work(
    option: str, place: str, model: Path, photos: Path
) -> None:
    (photos.parent / "folder").mkdir()
    said = label("no_such_model", "photos", option, place, code=1)
    assert said.err.startswith(f"Error: {option} {place} ")


def test_parquet_without_pyarrow_says_what_to_install(
    model: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables.importlib.util, "find_spec", lambda name: None)
    said = label(model, "photos", "--parquet", "out.parquet", code=1)
    assert said.err.startswith("Error: --parquet needs pyarrow, which is not installed: run ")


def test_csv_imports_no_pyarrow(model: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refusing(name: str, *more: object) -> object:
        assert not name.startswith("pyarrow")
        return real(name, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", refusing)
    assert "label_image.many.tables" in sys.modules
    label(model, "photos/a.jpg", "--csv", "out.csv")
