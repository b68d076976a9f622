"""The answer for each photo of an evaluation, as files."""

import csv
import os
import shutil
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from calling import call
from painting import paint, paint_classes

from retrain.cli.main import main

THREE = {"red": "red", "green": "green", "blue": "blue"}


@pytest.fixture
def trained(three_colours: Path) -> Path:
    """A folder with the photos and the export of red, green and blue; never written to."""
    return three_colours


def test_an_earlier_file_of_answers_is_kept(trained: Path, tmp_path: Path) -> None:
    source = paint_classes(tmp_path / "new", THREE, range(200, 202))
    predictions = tmp_path / "answers.csv"
    predictions.write_text("mine")
    assert call(main, "evaluate", trained / "model", source, "--predictions", predictions)[0] == 0
    assert predictions.with_name("answers.csv.1").read_text() == "mine"
    assert predictions.read_text().startswith("path,label,")


@pytest.mark.parametrize("option", ["--csv", "--parquet"])
def test_files_that_must_not_be_written_are_refused_before_the_work(
    option: str, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retrain.runs.evaluate.evaluate_export", lambda *_: pytest.fail("it began"))
    source = paint_classes(tmp_path / "new", THREE, range(200, 202))
    (tmp_path / "file").write_text("mine")
    (tmp_path / "data.parquet").write_text("photos")
    for data, path, code in (
        (source, source / "red" / "answers", 2),
        (source, trained / "model" / "answers", 2),
        (source, tmp_path / "file" / "answers", 1),
        (source, "/dev/null", 2),
        (tmp_path / "data.parquet", tmp_path / "data.parquet", 2),
    ):
        said = call(main, "evaluate", trained / "model", data, option, path)
        assert said.code == code and option in said.err, said
    name, ending, other = {"--csv": ("a.Parquet", ".parquet", "a.csv"), "--parquet": ("a.csv", ".csv", "a.parquet")}[
        option
    ]
    said = call(main, "evaluate", trained / "model", source, option, tmp_path / name)
    assert said.code == 2 and f"{name} has the name of a {ending} file: call it {other}." in " ".join(said.err.split())
    said = call(main, "evaluate", trained / "model", source, option, tmp_path / "cat.JPG")
    assert said.code == 2 and f"has the name of a photo: name the table after {option}." in " ".join(said.err.split())
    said = call(main, "evaluate", trained / "model", source, option, "-")
    assert said.code == 2 and f"{option} - is standard output, which cannot be a table" in " ".join(said.err.split())
    same = call(main, "evaluate", trained / "model", source, "--csv", tmp_path / "a", "--parquet", tmp_path / "a")
    assert same.code == 2 and "--csv and --parquet are both" in " ".join(same.err.split())


@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
def test_names_that_are_not_utf8_are_written(trained: Path, tmp_path: Path) -> None:
    source = paint_classes(tmp_path / "new", THREE, range(200, 202))
    name = os.fsencode(source / "red") + b"/caf\xe9.png"
    shutil.copyfile(source / "red" / "200.png", name)
    arguments = ("--csv", tmp_path / "a.csv", "--parquet", tmp_path / "a.parquet")
    assert call(main, "evaluate", trained / "model", source, *arguments).code == 0
    assert name in (tmp_path / "a.csv").read_bytes()
    assert any(path.endswith("caf\\xe9.png") for path in pq.read_table(tmp_path / "a.parquet")["path"].to_pylist())


def test_no_cell_of_the_csv_is_a_formula(trained: Path, tmp_path: Path) -> None:
    source = paint_classes(tmp_path / "new", THREE, range(200, 202))
    paint(source / "=1+1" / "@x.png", "red")
    code, _, err = call(main, "evaluate", trained / "model", source, "--csv", tmp_path / "a.csv")
    assert code == 0, err
    with open(tmp_path / "a.csv") as file:
        labels = {row["label"] for row in csv.DictReader(file)}
    assert "'=1+1" in labels and "=1+1" not in labels
