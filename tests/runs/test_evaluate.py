import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from calling import call
from painting import paint, paint_classes
from stand_ins import evaluated

from label_image.csv_cells import cell
from retrain.cli.main import main
from retrain.core.errors import DatasetError, ExportError, OptionError
from retrain.exports.quoted import figure_in
from retrain.insight.evaluation_table import summary
from retrain.photos.opening import list_photos
from retrain.photos.reading import identify
from retrain.photos.seen_photos import NAME, were_seen
from retrain.training.metrics import effect_on_accuracy, wilson_interval

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


def test_takes_of_one_subject_are_right_or_wrong_together(trained: Path, tmp_path: Path) -> None:
    """So their interval is that of the subjects, as in the training."""
    for subject in range(12):
        for take in range(4):
            label, other = ("red", "green") if subject % 2 else ("green", "red")
            path = tmp_path / "new" / label / f"s{subject}_nohash_{take}.png"
            paint(path, label if subject % 4 else other, 300 + 4 * subject + take)
    found = evaluated(trained / "model", str(tmp_path / "new"), tmp_path)
    assert (found.metrics.n, found.metrics.accuracy) == (48, 0.75)
    assert found.metrics.interval == pytest.approx(wilson_interval(9, 12))
    seen = summary(found)["answered_and_right"]
    assert isinstance(seen, dict)
    n = 48 / effect_on_accuracy(found.answered_and_right.astype(float), np.arange(48) // 4)
    assert n < 20 and seen["interval"] == pytest.approx(wilson_interval(seen["share"] * n, n))


def test_what_cannot_be_evaluated_is_refused_with_a_sentence(trained: Path, tmp_path: Path) -> None:
    source = paint_classes(tmp_path / "new", THREE, range(200, 203))
    with pytest.raises(ExportError, match="no model"):
        evaluated(tmp_path / "nothing", str(source), tmp_path)


def test_a_damaged_list_of_seen_photos_is_named(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "model", tmp_path / "model")
    (tmp_path / "model" / NAME).write_bytes(b"no numbers")
    with pytest.raises(ExportError, match=NAME):
        evaluated(tmp_path / "model", str(trained / "photos"), tmp_path)


@pytest.fixture
def seen(trained: Path, tmp_path: Path) -> Path:
    """The photos that the model was trained on, and no others."""
    source = paint_classes(tmp_path / "seen", THREE, range(20))
    paths = [Path(path) for path in sorted(str(path) for path in source.rglob("*.png"))]
    known = were_seen(trained / "model", [identify(file) for file in list_photos(str(source), tmp_path / "b").files])
    assert known is not None and len(known) == len(paths)
    for path, was_seen in zip(paths, known, strict=True):
        if not was_seen:
            path.unlink()
    return source


def with_test_figure(trained: Path, folder: Path, **test: object) -> Path:
    """A copy of the export whose training quotes these figures."""
    shutil.copytree(trained / "model", folder)
    content = json.loads((folder / "model.json").read_text())
    content["metrics"]["test"] |= test
    (folder / "model.json").write_text(json.dumps(content))
    return folder


def test_of_photos_that_it_has_seen_what_its_training_found_is_quoted(
    trained: Path, seen: Path, tmp_path: Path
) -> None:
    model = with_test_figure(trained, tmp_path / "model", accuracy=0.75, interval=[0.5, 0.9], n=12)
    answers = tmp_path / "answers.csv"
    code, out, err = call(main, "evaluate", model, seen, "--json", "--csv", answers, "--bottleneck_dir", tmp_path)
    assert code == 0, err
    assert "The model was trained on all of these" in " ".join(err.split())
    assert (
        "in its training, on test photos that it had not seen: accuracy 75.0% on 12 photos (95 % interval 50.0-90.0%)"
        in err
    )
    assert "100.0%" not in err and "no photos" not in err
    said = json.loads(out)
    assert (said["n"], said["accuracy"]) == (0, None)
    assert said["left_out"] == len(list(seen.rglob("*.png"))) > 40
    assert said["quoted"] == {"accuracy": 0.75, "interval": [0.5, 0.9], "n": 12, "cross_validation": False}
    assert answers.read_text().count("\n") == 1, "a header, and no answer that it was taught"


def test_a_file_that_cannot_be_decoded_is_no_unseen_photo(trained: Path, seen: Path, tmp_path: Path) -> None:
    model = with_test_figure(trained, tmp_path / "model", accuracy=0.75, interval=[0.5, 0.9], n=12)
    count = sum(1 for _ in seen.rglob("*.png"))
    for number, label in enumerate(("red", "green")):
        (seen / label / f"cut{number}.jpg").write_bytes(b"\xff\xd8\xff\xe0broken %d" % number)
    code, out, err = call(main, "evaluate", model, seen, "--json", "--bottleneck_dir", tmp_path)
    assert code == 0, err
    assert f"The model was trained on all of these {count} photos" in " ".join(err.split())
    found = json.loads(out)
    assert found["quoted"]["accuracy"] == 0.75 and found["left_out"] == count
    assert found["skipped"] == 2 and "cut1.jpg" in err
    paint(seen / "red" / "new.png", "red", 900)
    said: list[str] = []
    evaluation = evaluated(model, str(seen), tmp_path, say=said.append)
    assert (evaluation.metrics.n, evaluation.quoted, len(evaluation.skipped)) == (1, None, 2)
    for path in seen.rglob("*.png"):
        path.unlink()
    with pytest.raises(DatasetError, match="None of the 2 photos can be decoded"):
        evaluated(model, str(seen), tmp_path)


def test_it_is_called_cross_validation_where_all_photos_were_tested(trained: Path, seen: Path, tmp_path: Path) -> None:
    photos = json.loads((trained / "model" / "model.json").read_text())["provenance"]["photos"]
    model = with_test_figure(trained, tmp_path / "model", n=photos)
    assert "by cross-validation: accuracy" in call(main, "evaluate", model, seen).out


@pytest.mark.parametrize(("folds", "cross_validation"), [(5, True), (0, False)])
def test_it_is_called_cross_validation_where_folds_left_a_photo_out(folds: int, cross_validation: bool) -> None:
    """The only photo of its class is not tested."""
    test = {"accuracy": 0.75, "interval": [0.5, 0.9], "n": 12}
    quoted = figure_in({"metrics": {"test": test}, "provenance": {"photos": 13, "options": {"folds": folds}}})
    assert quoted is not None and quoted.cross_validation == cross_validation


def test_gates_judge_what_is_quoted(trained: Path, seen: Path, tmp_path: Path) -> None:
    model = with_test_figure(trained, tmp_path / "model", accuracy=0.75, interval=[0.5, 0.9], n=12)
    for option, value, code in (
        ("--assert_accuracy_at_least", 0.74, 0),
        ("--assert_accuracy_at_least", 0.76, 1),
        ("--assert_accuracy_lower_bound", 0.49, 0),
        ("--assert_accuracy_lower_bound", 0.51, 1),
    ):
        assert call(main, "evaluate", model, seen, option, value).code == code


@pytest.mark.parametrize("test", [{"accuracy": None}, {"interval": None}, {"accuracy": "high"}, {"n": 0}])
def test_a_model_that_has_seen_all_photos_and_quotes_nothing_is_not_praised(
    test: dict, trained: Path, seen: Path, tmp_path: Path
) -> None:
    model = with_test_figure(trained, tmp_path / "model", **test)
    with pytest.raises(DatasetError, match="all of these photos"):
        evaluated(model, str(seen), tmp_path)


def test_beside_answers_that_it_was_taught_stands_what_is_quoted(trained: Path, tmp_path: Path) -> None:
    photos = str(trained / "photos")
    everything = evaluated(trained / "model", photos, tmp_path, all_photos=True)
    assert everything.metrics.n == 60 and everything.quoted is not None
    assert everything.quoted.n == json.loads((trained / "model" / "metrics.json").read_text())["test"]["n"]
    source = str(paint_classes(tmp_path / "new", THREE, range(200, 203)))
    assert evaluated(trained / "model", source, tmp_path, all_photos=True).quoted is None


def test_command_shows_tables_and_writes_what_was_asked_for(trained: Path, tmp_path: Path) -> None:
    source = paint_classes(tmp_path / "new", {**THREE, "dusk": "grey"}, range(200, 210))
    shutil.move(source / "red" / "200.png", source / "green" / "wrong.png")
    table, parquet = tmp_path / "out" / "answers.csv", tmp_path / "out" / "answers.parquet"
    code, out, err = call(main, "evaluate", trained / "model", source, "--csv", table, "--parquet", parquet)
    assert code == 0, err
    assert "accuracy 96.7% on 30 photos" in out
    assert "10 photos are of classes that the model does not know (dusk); called unknown: 9 of 10 (90.0%)" in out
    with open(table) as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "path", "label", "predicted", "probability", "right", "unknown", "similarity", "p_blue", "p_green", "p_red",
    ]  # fmt: skip
    assert len(rows) == len({row["path"] for row in rows}) == 40
    threshold = json.loads((trained / "model" / "model.json").read_text())["unknown"]["threshold"]
    for row in rows:
        right = "" if row["label"] == "dusk" else str(row["label"] == row["predicted"]).lower()
        assert row["right"] == right
        assert row["unknown"] == str(float(row["similarity"]) < threshold).lower()
        assert (
            row["probability"] == max((row[f"p_{label}"] for label in THREE), key=float) == row["p_" + row["predicted"]]
        )
    assert sum(row["right"] == "false" for row in rows) == 1
    assert sum(row["unknown"] == "true" for row in rows if row["label"] == "dusk") == 9
    same = pq.read_table(parquet)
    assert [same.schema.field(name).type for name in ("path", "right", "unknown", "p_red")] == [
        pa.string(), pa.bool_(), pa.bool_(), pa.float32(),
    ]  # fmt: skip
    for row, other in zip(rows, same.to_pylist(), strict=True):
        assert list(row) == list(other)
        for name, value in other.items():
            assert row[name] == cell(value)


def test_a_model_that_calls_nothing_unknown_says_nothing_of_it(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "model", tmp_path / "model")
    content = json.loads((tmp_path / "model" / "model.json").read_text())
    del content["unknown"]
    (tmp_path / "model" / "model.json").write_text(json.dumps(content))
    source = paint_classes(tmp_path / "new", THREE, range(200, 202))
    arguments = ("--csv", tmp_path / "a.csv", "--parquet", tmp_path / "a.parquet")
    assert call(main, "evaluate", tmp_path / "model", source, *arguments).code == 0
    with open(tmp_path / "a.csv") as file:
        assert {row["unknown"] for row in csv.DictReader(file)} == {""}
    assert set(pq.read_table(tmp_path / "a.parquet")["unknown"].to_pylist()) == {None}


def test_answered_and_right_is_what_a_user_sees(trained: Path, tmp_path: Path) -> None:
    source = paint_classes(tmp_path / "new", THREE, range(200, 210))
    shutil.move(source / "red" / "200.png", source / "green" / "wrong.png")
    for number, label in enumerate(THREE):  # of these one has its right name, which says nothing, and all are unknown
        paint(source / label / "dusk.png", "grey", number)
    code, out, err = call(main, "evaluate", trained / "model", source, "--json", "--csv", tmp_path / "a.csv")
    said = json.loads(out)
    assert code == 0 and said["n"] == 33
    with open(tmp_path / "a.csv") as file:
        rows = list(csv.DictReader(file))
    right = sum(row["right"] == "true" for row in rows)
    seen = sum(row["right"] == "true" and row["unknown"] == "false" for row in rows)
    assert said["accuracy"] == right / 33 and seen < right
    assert said["answered_and_right"] == {
        "share": seen / 33, "interval": pytest.approx(wilson_interval(seen, 33)), "n": 33,
    }  # fmt: skip
    assert f"answered and right: {seen} of 33 ({seen / 33:.1%})" in err


def test_accuracy_gate_is_the_exit_code(trained: Path, tmp_path: Path) -> None:
    source = paint_classes(tmp_path / "new", THREE, range(200, 210))
    shutil.move(source / "red" / "200.png", source / "green" / "wrong.png")
    gate = "--assert_accuracy_at_least"
    assert call(main, "evaluate", trained / "model", source, gate, "0.96")[0] == 0  # 29 of 30
    code, out, err = call(main, "evaluate", trained / "model", source, gate, "0.97", "--json")
    assert code == 1
    assert "The accuracy of 0.9667 is less than --assert_accuracy_at_least 0.97." in err
    assert json.loads(out)["accuracy"] == pytest.approx(29 / 30)


def test_the_other_gate_asks_for_the_lower_end_of_the_interval(trained: Path, tmp_path: Path) -> None:
    source = paint_classes(tmp_path / "new", THREE, range(200, 210))
    low, _ = wilson_interval(30, 30)
    gate = "--assert_accuracy_lower_bound"
    assert call(main, "evaluate", trained / "model", source, gate, low - 0.001)[0] == 0
    code, _, err = call(main, "evaluate", trained / "model", source, gate, "0.95")
    assert code == 1
    assert f"interval, {low:.4f}, is less than --assert_accuracy_lower_bound 0.95." in err
    assert call(main, "evaluate", trained / "model", source, gate, "nan")[0] == 2


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
    assert code == 2 and "nan is not in the range 0<=x<=1" in err
    code, _, err = call(main, "evaluate", trained / "model", "")
    assert code == 2 and "empty argument" in err


def test_an_archive_instead_of_the_list_of_seen_photos_is_named(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "model", tmp_path / "model")
    with open(tmp_path / "model" / NAME, "wb") as file:
        np.savez(file, seen=np.zeros(3, np.uint64))
    with pytest.raises(ExportError, match=NAME):
        evaluated(tmp_path / "model", str(trained / "photos"), tmp_path)
