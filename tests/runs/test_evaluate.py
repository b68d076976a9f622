import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from calling import call
from painting import paint, paint_classes
from stand_ins import evaluated

from retrain.cli.main import main
from retrain.core.errors import DatasetError, ExportError, OptionError
from retrain.photos.seen_photos import NAME

THREE = {"red": "red", "green": "green", "blue": "blue"}


@pytest.fixture
def trained(three_colours: Path) -> Path:
    """A folder with the photos and the export of red, green and blue; never written to."""
    return three_colours


def test_photos_that_were_trained_on_are_left_out(trained: Path, tmp_path: Path) -> None:
    said: list[str] = []
    evaluation = evaluated(trained / "model", str(trained / "photos"), tmp_path, say=said.append)
    metrics = json.loads((trained / "model" / "metrics.json").read_text())
    assert evaluation.metrics.n == metrics["test"]["n"] > 0
    assert evaluation.left_out == 60 - evaluation.metrics.n
    assert evaluation.metrics.cross_entropy == pytest.approx(metrics["test"]["cross_entropy"], abs=1e-4)
    assert "was trained on" in said[-1]
    everything = evaluated(trained / "model", str(trained / "photos"), tmp_path, all_photos=True, say=said.append)
    assert (everything.metrics.n, everything.left_out) == (60, 0)
    assert "too good to be true" in said[-1]


def test_the_tflite_file_of_an_export_knows_what_the_export_has_seen(trained: Path, tmp_path: Path) -> None:
    evaluation = evaluated(trained / "model" / "model.tflite", str(trained / "photos"), tmp_path)
    assert evaluation.left_out > 0
    alone = shutil.copy(trained / "model" / "model.tflite", tmp_path / "alone.tflite")
    said: list[str] = []
    evaluation = evaluated(alone, str(trained / "photos"), tmp_path, say=said.append)
    assert (evaluation.metrics.n, evaluation.left_out) == (60, 0)
    assert "is not known" in said[-1]


def test_a_saved_model_alone_gives_the_same(trained: Path, tmp_path: Path) -> None:
    source = str(paint_classes(tmp_path / "new", THREE, range(200, 210)))
    with_tflite = evaluated(trained / "model", source, tmp_path)
    shutil.copytree(trained / "model", tmp_path / "model", ignore=shutil.ignore_patterns("model.tflite"))
    without = evaluated(tmp_path / "model", source, tmp_path)
    assert without.probabilities == pytest.approx(with_tflite.probabilities, abs=1e-4)
    assert without.metrics.accuracy == with_tflite.metrics.accuracy == 1.0


def test_photos_of_other_classes_are_strangers_and_most_are_called_unknown(trained: Path, tmp_path: Path) -> None:
    source = paint_classes(tmp_path / "new", {"red": "red", "dusk": "grey"}, range(200, 210))
    evaluation = evaluated(trained / "model", str(source), tmp_path)
    assert evaluation.metrics.n == 10
    assert evaluation.strangers is not None
    assert (evaluation.strangers.photos, evaluation.strangers.labels) == (10, ("dusk",))
    assert evaluation.strangers.refused is not None and evaluation.strangers.refused >= 8
    assert evaluation.refused is not None and evaluation.refused.sum() == 0


def test_what_cannot_be_read_or_decoded_is_skipped_and_named(trained: Path, tmp_path: Path) -> None:
    source = paint_classes(tmp_path / "new", THREE, range(200, 203))
    (source / "red" / "broken.jpg").write_bytes(b"no photo")
    (source / "red" / "gone.jpg").symlink_to(tmp_path / "nowhere")
    evaluation = evaluated(trained / "model", str(source), tmp_path)
    assert evaluation.metrics.n == 9
    assert {Path(item.path).name for item in evaluation.skipped} >= {"broken.jpg"}


def test_nothing_but_strangers_has_no_accuracy(trained: Path, tmp_path: Path) -> None:
    source = paint_classes(tmp_path / "new", {"dusk": "grey", "dog": "blue"}, range(200, 203))
    code, out, _ = call(main, "evaluate", trained / "model", source)
    assert code == 0
    assert "6 photos are of classes that the model does not know (dog, dusk); called unknown: 3 of 6" in out
    assert "no photos, so no accuracy" in out
    code, _, err = call(main, "evaluate", trained / "model", source, "--assert_accuracy_at_least", "0")
    assert code == 1
    assert "There is no accuracy" in err


def test_what_cannot_be_evaluated_is_refused_with_a_sentence(trained: Path, tmp_path: Path) -> None:
    source = paint_classes(tmp_path / "new", THREE, range(200, 203))
    with pytest.raises(ExportError, match="no model"):
        evaluated(tmp_path / "nothing", str(source), tmp_path)


def test_a_damaged_list_of_seen_photos_is_named(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "model", tmp_path / "model")
    (tmp_path / "model" / NAME).write_bytes(b"no numbers")
    with pytest.raises(ExportError, match=NAME):
        evaluated(tmp_path / "model", str(trained / "photos"), tmp_path)


def test_a_model_that_has_seen_all_photos_is_not_praised(trained: Path, tmp_path: Path) -> None:
    source = paint_classes(tmp_path / "new", THREE, range(20))
    for photo in evaluated(trained / "model", str(source), tmp_path).photos:  # those it has not seen
        Path(photo.path).unlink()
    with pytest.raises(DatasetError, match="all of these photos"):
        evaluated(trained / "model", str(source), tmp_path)


def test_command_shows_tables_and_writes_what_was_asked_for(trained: Path, tmp_path: Path) -> None:
    source = paint_classes(tmp_path / "new", {**THREE, "dusk": "grey"}, range(200, 210))
    predictions = tmp_path / "out" / "answers.csv"
    code, out, err = call(main, "evaluate", trained / "model", source, "--predictions", predictions)
    assert code == 0, err
    assert "accuracy 100.0% on 30 photos" in out
    assert "10 photos are of classes that the model does not know (dusk); called unknown: 9 of 10 (90.0%)" in out
    with open(predictions) as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 30
    assert {row["class"] for row in rows} == {row["answer"] for row in rows} == set(THREE)
    assert float(rows[0]["probability"]) > 0.5
    predictions.write_text("mine")
    assert call(main, "evaluate", trained / "model", source, "--predictions", predictions)[0] == 0
    assert predictions.with_name("answers.csv.1").read_text() == "mine"


def test_accuracy_gate_is_the_exit_code(trained: Path, tmp_path: Path) -> None:
    source = paint_classes(tmp_path / "new", THREE, range(200, 210))
    shutil.move(source / "red" / "200.png", source / "green" / "wrong.png")
    gate = "--assert_accuracy_at_least"
    assert call(main, "evaluate", trained / "model", source, gate, "0.96")[0] == 0  # 29 of 30
    code, out, err = call(main, "evaluate", trained / "model", source, gate, "0.97", "--json")
    assert code == 1
    assert "The accuracy of 0.9667 is less than --assert_accuracy_at_least 0.97." in err
    assert json.loads(out)["accuracy"] == pytest.approx(29 / 30)


def test_wrong_calls_have_exit_code_2(trained: Path) -> None:
    assert call(main, "evaluate", trained / "model")[0] == 2
    assert call(main, "evaluate", trained / "model", trained / "photos", "--assert_accuracy_at_least", "2")[0] == 2


def test_fixes_of_the_training_hold_in_the_evaluation(trained: Path, tmp_path: Path) -> None:
    source = paint_classes(tmp_path / "new", THREE, range(200, 204))
    paint(source / "red" / "really_blue.png", "blue", 300)
    paint(source / "red" / "really_grey.png", "grey", 301)
    fixes = tmp_path / "fixes.csv"
    fixes.write_text("file,action\nred/really_blue.png,relabel:blue\nred/really_grey.png,remove\n")
    without = evaluated(trained / "model", str(source), tmp_path)
    with_fixes = evaluated(trained / "model", str(source), tmp_path, fixes=fixes)
    assert without.metrics.n == 14 and without.metrics.accuracy is not None and without.metrics.accuracy < 1
    assert (with_fixes.metrics.n, with_fixes.metrics.accuracy) == (13, 1.0)


def test_category_names_of_the_training_name_the_folders(trained: Path, tmp_path: Path) -> None:
    source = paint_classes(tmp_path / "new", {"1": "red", "2": "green", "3": "blue"}, range(200, 204))
    names = tmp_path / "names.json"
    names.write_text(json.dumps({"1": "red", "2": "green", "3": "blue"}))
    evaluation = evaluated(trained / "model", str(source), tmp_path, category_names=names)
    assert (evaluation.metrics.n, evaluation.metrics.accuracy, evaluation.strangers) == (12, 1.0, None)


def test_labels_that_are_not_told_apart_cannot_be_judged(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("red\nred\nblue\n")
    with pytest.raises(OptionError, match="same name"):
        evaluated(trained / "model", str(trained / "photos"), tmp_path, labels=tmp_path / "labels.txt")


def test_nonsense_is_a_wrong_call(trained: Path) -> None:
    code, _, err = call(main, "evaluate", trained / "model", trained / "photos", "--assert_accuracy_at_least", "nan")
    assert code == 2 and "must be a number from 0 to 1" in err
    code, _, err = call(main, "evaluate", trained / "model", "")
    assert code == 2 and "empty argument" in err


def test_an_archive_instead_of_the_list_of_seen_photos_is_named(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "model", tmp_path / "model")
    with open(tmp_path / "model" / NAME, "wb") as file:
        np.savez(file, seen=np.zeros(3, np.uint64))
    with pytest.raises(ExportError, match=NAME):
        evaluated(tmp_path / "model", str(trained / "photos"), tmp_path)
