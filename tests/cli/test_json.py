"""`--json` of the commands that have a page or a table: one object on standard output, all else on standard error."""

import json
from pathlib import Path

import pytest
from calling import call
from extracting import write
from painting import paint_classes

from retrain.cli.main import main

CLASSES = {"red": "red", "green": "green"}


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return paint_classes(tmp_path / "photos", CLASSES, range(12))


def test_the_doctor_says_what_it_found(photos: Path) -> None:
    write(photos / "green" / "copy.png", (photos / "red" / "3.png").read_bytes())
    said = call(main, "doctor", photos, "--architecture=fake", "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert found["photos"] == 25 and found["classes"] == {"green": 13, "red": 12}
    assert found["counts"]["copy_across_classes"] == 1 and "look at: " in said.err
    of_copies = [finding for finding in found["findings"] if finding["kind"] == "copy_across_classes"]
    assert {Path(finding["path"]).name for finding in of_copies} <= {"copy.png", "3.png"}
    assert all(finding.keys() == {"kind", "path", "label", "score", "sentence", "suggestion"} for finding in of_copies)
    assert all(Path(found[name]).exists() for name in ("page", "table", "fixes")) and found["fixes_kept"] is False


def test_the_sweep_says_all_results_and_how_to_train_the_first(photos: Path) -> None:
    said = call(main, "sweep", "--image_dir", photos, "--architecture=fake", "--l2=0.1,0.01", "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert [result["rank"] for result in found["results"]] == [1, 2] and "to train and export it" in said.err
    assert {result["l2"] for result in found["results"]} == {0.1, 0.01}
    assert found["results"][0]["difference"] == 0 and found["results"][0]["hidden_units"] == []
    assert found["command"].startswith("retrain --image_dir") and found["folds"] == 5
    assert found["photos"] + found["test"]["photos"] == 24 and len(found["test"]["interval"]) == 2
    assert found["written"] == ["tf_files/sweep.csv"]
