"""The whole command on red, green and blue photos, with the fake backbone: a photo's average colour."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from calling import call
from painting import COLOURS, paint
from schemas import check
from whole_runs import label, paint_classes, train

import retrain.cli.main
from label_image.model import tflite_runner
from retrain.exports.folder import EXPORT_NAMES


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    folder = tmp_path_factory.mktemp("colours")
    paint_classes(folder / "photos")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        done = call(retrain.cli.main.main, "--image_dir", "photos", "--architecture", "fake", "--json")
        assert done.code == 0, done.err
    yield SimpleNamespace(folder=folder, model=folder / "tf_files/model", out=done.out, err=done.err)


def test_standard_output_is_one_json_object_with_the_promised_keys(first_run: SimpleNamespace) -> None:
    report = check("retrain", first_run.out)
    promised = {"output_dir", "classes", "photos", "bottlenecks", "validation", "test", "seconds"}
    assert set(report) == {"format_version", *promised}
    assert report["output_dir"] == "tf_files/model"
    assert report["classes"] == ["blue", "green", "red"]
    assert report["photos"] == {"used": 36, "skipped": 0, "gone": 0}
    assert report["bottlenecks"] == {"hits": 0, "computed": 36, "set_aside": 0}
    assert set(report["seconds"]) == {
        "read",
        "decode",
        "infer",
        "write",
        "head",
        "confidence",
        "export",
        "report",
        "total",
    }
    for side in ("validation", "test"):
        assert set(report[side]) == {"accuracy", "interval", "n"}


def test_three_colours_are_told_apart(first_run: SimpleNamespace) -> None:
    test = json.loads(first_run.out)["test"]
    assert test["accuracy"] == 1.0
    assert test["n"] >= 3
    assert test["interval"][0] < 1.0 == test["interval"][1]


def test_the_last_lines_go_to_standard_error_and_are_few(first_run: SimpleNamespace) -> None:
    last = first_run.err.partition("\n\n")[2].splitlines()
    assert "; unknown: " in " ".join(last)
    assert "; unknown: " not in first_run.out
    assert len(last) <= 10


def test_export_directory_holds_the_promised_files_and_no_others(first_run: SimpleNamespace) -> None:
    names = {path.name for path in first_run.model.iterdir()}
    assert names <= EXPORT_NAMES
    assert names >= {
        "saved_model.pb", "variables", "labels.txt", "model.json", "model.tflite", "metrics.json", "skipped.csv",
    }  # fmt: skip
    assert [path.name for path in first_run.model.parent.iterdir() if path.name.startswith(".")] == []


def test_manifest_says_what_a_reader_needs_and_where_the_model_came_from(first_run: SimpleNamespace) -> None:
    manifest = json.loads((first_run.model / "model.json").read_text(encoding="utf-8"))
    assert (manifest["format"], manifest["format_version"]) == ("retrain-export", 1)
    assert manifest["architecture"] == "fake"
    assert manifest["preprocessing"] == "decode(2)|orient|resize(8,bilinear)|value_range(-1,1)"
    assert manifest["labels"] == ["blue", "green", "red"]
    assert manifest["metrics"]["test"]["accuracy"] == 1.0
    assert manifest["provenance"]["seed"] == 0
    assert manifest["provenance"]["photos"] == 36
    assert len(manifest["provenance"]["dataset_digest"]) == 64
    assert manifest["provenance"]["versions"]["tensorflow"].startswith("2.")
    assert set(manifest["parity"]) == {"saved_model", "saved_model_bytes", "tflite"}
    for proof in manifest["parity"].values():
        assert proof["greatest_difference"] <= 1e-4
        assert proof["top_1_agreement"] == 1.0
        assert proof["photos"] >= 3


def test_metrics_file_has_the_classes_and_the_confusion_matrix(first_run: SimpleNamespace) -> None:
    metrics = json.loads((first_run.model / "metrics.json").read_text(encoding="utf-8"))
    assert [entry["label"] for entry in metrics["test"]["classes"]] == ["blue", "green", "red"]
    assert {"precision", "recall", "f1", "support"} <= set(metrics["test"]["classes"][0])
    confusion = np.array(metrics["test"]["confusion"])
    assert np.trace(confusion) == confusion.sum() == metrics["test"]["n"] * metrics["test"]["answers"]


def test_lines_of_labels_txt_are_in_the_order_of_the_scores(first_run: SimpleNamespace) -> None:
    labels = (first_run.model / "labels.txt").read_text(encoding="utf-8").splitlines()
    run = tflite_runner(first_run.model / "model.tflite")
    for colour in ("red", "green", "blue"):
        photo = np.full((1, 8, 8, 3), COLOURS[colour], np.uint8)
        assert labels[int(run(photo).probabilities[0].argmax())] == colour


@pytest.mark.parametrize("shape", ["folder", "tflite alone", "saved model alone"])
def test_label_image_names_new_colours(shape: str, first_run: SimpleNamespace, here: Path) -> None:
    model = shutil.copytree(first_run.model, here / "model")
    if shape == "tflite alone":
        model = Path(shutil.move(model / "model.tflite", here / "alone.tflite"))
        shutil.rmtree(here / "model")
    elif shape == "saved model alone":
        (model / "model.tflite").unlink()
    photos = [paint(here / f"new_{colour}.jpg", colour, seed=999) for colour in ("red", "green", "blue")]
    answers = label("--model", model, *photos)
    assert [answer["label"] for answer in answers] == ["red", "green", "blue"]
    assert [answer["image"] for answer in answers] == [str(photo) for photo in photos]
    assert min(answer["probability"] for answer in answers) > 0.9


def test_saved_model_takes_the_bytes_of_a_photo(first_run: SimpleNamespace, here: Path) -> None:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(first_run.model))
    photos = [paint(here / f"{colour}.jpg", colour, seed=5).read_bytes() for colour in ("green", "red")]
    answers = loaded.signatures["serve_bytes"](image_bytes=tf.constant(photos))
    classes = answers["classes"].numpy()
    first = [classes[row][column].decode() for row, column in enumerate(answers["scores"].numpy().argmax(axis=1))]
    assert first == ["green", "red"]


def test_second_run_computes_nothing_and_keeps_the_export_before(here: Path) -> None:
    paint_classes(here / "photos", each=6)
    train("--image_dir", "photos")
    train("--image_dir", "photos")  # a new template is tried on more photos, and says so
    before = (here / "tf_files/model/model.json").read_bytes()
    report = train("--image_dir", "photos")
    assert report["bottlenecks"] == {"hits": 18, "computed": 0, "set_aside": 0}
    assert (here / "tf_files/model.previous/model.json").read_bytes() == before
    assert (here / "tf_files/model/model.json").read_bytes() == before
    train("--image_dir", "photos")
    assert sorted(path.name for path in (here / "tf_files").iterdir()) == ["bottlenecks", "model", "model.previous"]


def test_interrupted_run_leaves_no_export(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import retrain.exports.formats.tflite

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    paint_classes(here / "photos", 4)
    monkeypatch.setattr(retrain.exports.formats.tflite, "append_files", interrupt)
    done = call(retrain.cli.main.main, "--image_dir", "photos", "--architecture", "fake")
    assert done.code == 130
    assert "run the same command again" in done.err
    assert [path.name for path in (here / "tf_files").iterdir()] == ["bottlenecks"]
    monkeypatch.undo()
    monkeypatch.chdir(here)
    assert train("--image_dir", "photos")["bottlenecks"]["computed"] == 0
