"""What the manifest says of a run, and that it says the same where everything was kept."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from schemas import check
from stand_ins import converted

from retrain import (
    Augmentation,
    Backbone,
    Bottlenecks,
    Dataset,
    Division,
    ExportConfig,
    ExtractionConfig,
    HeadConfig,
    SplitConfig,
    ViewsConfig,
    export,
    extract,
    fit_head,
)
from retrain.exports.manifest import manifest

FORMATS = ["tflite", "saved_model"]


def options(trained: Any) -> dict[str, object]:
    found = manifest(trained, FORMATS)["provenance"]
    assert isinstance(found, dict) and isinstance(found["options"], dict)
    return dict(found["options"])


def test_a_cold_and_a_warm_run_write_the_same_bytes(photos: Path, tmp_path: Path) -> None:
    def run(folder: Path) -> dict[str, bytes]:
        found = extract(Dataset.open(photos), Backbone.find("fake"), ExtractionConfig(tmp_path / "kept"))
        export(fit_head(found, found.split()), ExportConfig(folder))
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    cold, warm = run(tmp_path / "one"), run(tmp_path / "two")
    assert cold == warm and {"model.json", "model.tflite", "saved_model.pb"} <= set(cold)
    said = check("model", cold["model.json"].decode())
    assert (said["parity"]["tflite"]["photos"], said["template"]["parity"]["tflite"]["photos"]) == (16, 42)


def test_formats_that_are_added_later_are_named(trained: Path, tmp_path: Path) -> None:
    model = shutil.copytree(trained / "model", tmp_path / "model")
    assert json.loads((model / "model.json").read_text())["formats"] == ["saved_model"]
    converted(model, ("tflite",), str(trained / "photos"), tmp_path)
    assert json.loads((model / "model.json").read_text())["formats"] == ["saved_model", "tflite"]


def test_the_options_of_a_run_are_those_that_repeat_it(bottlenecks: Bottlenecks, photos: Path, tmp_path: Path) -> None:
    plain = options(fit_head(bottlenecks, bottlenecks.split()))
    assert plain == {
        "architecture": "fake", "precision": "float32", "store_dtype": "float32", "folds": 5, "seed": 0,
        "formats": FORMATS,
    }  # fmt: skip
    views = ViewsConfig(Augmentation(flip_left_right=True, random_brightness=30), tta=True)
    limited = Dataset.open(photos, max_images_per_class=12)
    config = ExtractionConfig(tmp_path / "kept", accept_truncated=True)
    found = extract(limited, Backbone.find("fake", image_size=16), config, views)
    asked = HeadConfig(hidden_units=(8, 4), epochs=2, dropout=0.2)
    trained = fit_head(found, found.split(SplitConfig(testing_percentage=20, seed=3)), asked, tta=True)
    assert options(trained) == {
        "architecture": "fake", "image_size": 16, "accept_truncated": True, "precision": "float32",
        "store_dtype": "float32", "max_images_per_class": 12, "folds": 0, "testing_percentage": 20,
        "validation_percentage": 10, "seed": 3,
        "flip_left_right": True, "random_brightness": 30, "views": 4, "tta": True, "hidden_units": [8, 4],
        "dropout": 0.2, "epochs": 2, "formats": FORMATS,
    }  # fmt: skip
    assert trained.description["hidden_units"] == [8, 4]


def test_a_class_too_small_for_the_shares_asked_for_is_dealt_alike_by_the_options(bottlenecks: Bottlenecks) -> None:
    photos = [photo for label in bottlenecks.labels for photo in bottlenecks.photos if photo.label == label][:-12]
    asked = SplitConfig(testing_percentage=20, seed=3)
    few = replace(bottlenecks, extraction=replace(bottlenecks.extraction, photos=tuple(photos)))
    division = asked.divide(photos)
    assert division.folds is not None
    said = options(fit_head(few, division))
    again = SplitConfig(
        **{name: said[name] for name in ("folds", "testing_percentage", "validation_percentage", "seed")}
    )
    assert again.divide(photos).folds == division.folds


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ("random", "random"),
        ({"mobilenet_0.25_128": "random"}, ["mobilenet_0.25_128=random"]),
        ({}, None),
    ],
)
def test_random_weights_are_said_of_each_network(
    weights: Any, said: object, bottlenecks: Bottlenecks, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("retrain.backbones.backbone.find_weights", lambda *_: tmp_path / "weights")
    monkeypatch.setattr("retrain.backbones.backbone.file_sha256", lambda _: "0" * 64)
    monkeypatch.setattr("retrain.backbones.backbone.check_digest", lambda *_: None)
    both = Backbone.find("mobilenet_0.25_128+mobilenet_0.50_128", weights=weights)
    trained = fit_head(bottlenecks, bottlenecks.split())
    found = options(replace(trained, bottlenecks=replace(bottlenecks, backbone=both)))
    assert found.get("weights") == said and "image_size" not in found


def test_every_option_is_one_of_the_command_line(bottlenecks: Bottlenecks) -> None:
    from retrain.cli.train import train

    named = {option for parameter in train.params for option in parameter.opts}
    trained = fit_head(bottlenecks, bottlenecks.split(), HeadConfig(l2=0.1, class_weight="balanced"))
    assert {f"--{name}" for name in options(trained)} <= named


@pytest.mark.parametrize("sides", [("train", "val", "test")])
def test_a_given_split_is_no_option(sides: tuple[str, ...], bottlenecks: Bottlenecks) -> None:
    given = Division.of_sides(bottlenecks.photos, [sides[row % 3] for row in range(42)])
    assert not {"folds", "seed", "testing_percentage"} & set(options(fit_head(bottlenecks, given)))
