"""What a sweep writes and shows, what it refuses to write, and that it leaves nothing else behind."""

import csv
import errno
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from retrain.cli.main import main
from retrain.core.errors import ExportError
from retrain.core.html_files import GENERATOR
from retrain.insight.sweep_table import show_sweep, write_table
from retrain.runs.sweep import Configuration, Result, Sweep
from retrain.training.metrics import measure
from retrain.training.recipe import HeadConfig, choose_recipe

CALL = ["sweep", "--image_dir", "photos", "--architecture", "fake", "--l2", "0.01,1", "--folds", "3"]
UNKNOWN = float("nan")
RESULTS = (
    Result(Configuration("fake", choose_recipe(HeadConfig(l2=0.1))), 0.5, 0.0, 0.0, 0.8, 0.0, 0.7, 0.1),
    Result(Configuration("fake", choose_recipe(HeadConfig(l2=0.3))), 0.53, 0.03, 0.01, 0.79, 0.02, 0.7, 0.1),
    Result(Configuration("fake", choose_recipe(HeadConfig(l2=9.0))), float("inf"), *5 * (UNKNOWN,), 0.1),
)


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of two classes, in the current folder, which holds nothing else."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    for label, shade in (("dark", 60), ("light", 160)):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(12):
            photo = Image.new("RGB", (12, 9), (shade, shade, shade + number))
            photo.save(tmp_path / "photos" / label / f"{number}.png")
    return tmp_path / "photos"


def files_beside(photos: Path) -> set[str]:
    """All that lies in the current folder, but for the photos and the bottlenecks."""
    found = {path.relative_to(photos.parent) for path in photos.parent.rglob("*") if path.is_file()}
    return {path.as_posix() for path in found if "photos" not in path.parts and "bottlenecks" not in path.parts}


def test_a_page_beside_the_table(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([*CALL, "--report", "new/sweep.html"])
    assert "written: tf_files/sweep.csv, new/sweep.html\n" in capsys.readouterr().out
    page = Path("new/sweep.html").read_text(encoding="utf-8")
    assert GENERATOR in page and "test photos get the right class" in page
    with open("tf_files/sweep.csv", encoding="utf-8", newline="") as file:
        assert all(f"{float(row['cross_entropy']):.4f}" in page for row in csv.DictReader(file))
    assert files_beside(photos) == {"tf_files/sweep.csv", "new/sweep.html"}
    main([*CALL, "--report", "new/sweep.html"])  # the page of an earlier sweep is replaced
    assert {name for name in files_beside(photos) if "new" in name} == {"new/sweep.html"}


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--report", "sweep"], 2, "--report sweep must end in .html"),
        (["--report", "thesis.html"], 2, "--report thesis.html is not a page of this project"),
        (["--report", "folder.html"], 2, "'folder.html' is a directory"),
        (["--report", "thesis.html/sweep.html"], 1, "--report thesis.html/sweep.html cannot be written"),
        (["--report", "tf_files/bottlenecks/s.html"], 2, "lies in --bottleneck_dir tf_files/bottlenecks"),
        (["--report", "s.html", "--output_csv", "./s.html"], 2, "--output_csv and --report are both s.html"),
        (["--output_csv", "thesis.html/sweep.csv"], 1, "--output_csv thesis.html/sweep.csv cannot be written"),
        (["--output_csv", "tf_files/bottlenecks/s.csv"], 2, "lies in --bottleneck_dir tf_files/bottlenecks"),
    ],
)
def test_what_cannot_be_written_is_refused_before_any_work(
    photos: Path, arguments: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("thesis.html").write_text("<title>My thesis</title>")
    Path("folder.html").mkdir()
    with pytest.raises(SystemExit) as left:
        main([*CALL, *arguments])
    said = capsys.readouterr().err
    assert left.value.code == code and says in said and "configurations" not in said
    assert files_beside(photos) == {"thesis.html"} and not Path("tf_files").exists()
    assert Path("thesis.html").read_text() == "<title>My thesis</title>"


def test_interrupted_it_leaves_what_was_there(
    photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    page = Path("sweep.html")
    page.write_text(GENERATOR)
    monkeypatch.setattr("retrain.runs.sweep.cross_validate", stop)
    with pytest.raises(SystemExit) as left:
        main([*CALL, "--report", "sweep.html"])
    assert left.value.code == 130
    said = capsys.readouterr().err
    assert "Interrupted" in said and "--resume" not in said  # which a sweep does not have
    assert files_beside(photos) == {"sweep.html"} and page.read_text() == GENERATOR


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_table_that_cannot_be_finished_leaves_nothing(
    tmp_path: Path, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(file: object) -> None:
        raise error

    monkeypatch.setattr("retrain.insight.sweep_table.csv.writer", fail)
    with pytest.raises((ExportError, KeyboardInterrupt)):
        write_table(RESULTS, tmp_path / "sweep.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_training_that_diverged_is_shown_as_such() -> None:
    test = measure(np.zeros((0, 2), np.float32), np.zeros(0, np.intp), ("a", "b"))
    shown = io.StringIO()
    show_sweep(Sweep(RESULTS, test, 10, 3, {"fake": 4}), (), "retrain", Console(file=shown, width=200))
    [line] = [line for line in shown.getvalue().splitlines() if "l2 9" in line]
    assert "diverged" in line and "nan" not in line and "inf" not in line


def test_lines_are_compared_with_the_first(tmp_path: Path) -> None:
    test = measure(np.zeros((0, 2), np.float32), np.zeros(0, np.intp), ("a", "b"))
    shown = io.StringIO()
    show_sweep(Sweep(RESULTS, test, 10, 3, {"fake": 4}), (), "retrain", Console(file=shown, width=200))
    first, second = (
        line for line in shown.getvalue().splitlines() if "linear, lbfgs, l2 0." in line and "chosen" not in line
    )
    assert "+-" not in first and "+0.0300 +- 0.0100" in second
    write_table(RESULTS, tmp_path / "sweep.csv")
    with open(tmp_path / "sweep.csv", encoding="utf-8", newline="") as file:
        rows = [(row["difference"], row["difference_standard_error"]) for row in csv.DictReader(file)]
    assert rows == [("0.000000", "0.000000"), ("0.030000", "0.010000"), ("nan", "nan")]
