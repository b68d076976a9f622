"""A press of the button: what is trained, and what is said of it."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from painting import paint, paint_classes

from retrain import Dataset, extract, fit_head
from retrain.core.errors import StudioError
from retrain.core.progress import TrainingPoint
from retrain.studio.config import StudioConfig
from retrain.studio.listing import Listing, list_folder
from retrain.studio.seeing import Eye, Seen
from retrain.studio.training import is_current, result, train

OpenEye = Callable[[], Eye]


@pytest.fixture
def seen(folder: Path, open_eye: OpenEye) -> Callable[[], Seen]:
    eye = open_eye()
    return lambda: eye.see(list_folder(folder))


def mixed_up(folder: Path) -> Listing:
    """Twelve photos of each of two classes, one of them in the wrong folder."""
    paint_classes(folder, {"red": "red", "green": "green"}, range(12))
    os.rename(folder / "green" / "0.png", folder / "red" / "wrong.png")
    return list_folder(folder)


def test_a_training_says_how_good_it_is_and_where_it_is_wrong(
    folder: Path, config: StudioConfig, seen: Callable[[], Seen]
) -> None:
    listing = mixed_up(folder)
    told = result(train(seen(), config), listing, 1.234)
    assert (told["photos"], told["classes"], told["seconds"]) == (24, ["green", "red"], 1.23)
    assert told["isCurrent"] is True
    assert told["more"] is None
    assert told["accuracy"] == pytest.approx(23 / 24)
    low, high = told["interval"]
    assert low < 23 / 24 < high
    assert told["confusion"] == [[11, 0], [1, 12]]
    assert [(one["label"], one["photos"]) for one in told["perClass"]] == [("green", 11), ("red", 13)]
    assert told["perClass"][1]["recall"] == pytest.approx(12 / 13)
    (mistake,) = told["mistakes"]
    assert listing.by_id[mistake[0]].name == "red/wrong.png"
    assert mistake[1:3] == ["red", "green"]
    assert 0.5 < mistake[3] <= 1


def test_classes_and_mistakes_are_those_of_the_mean_answers(
    folder: Path, config: StudioConfig, seen: Callable[[], Seen]
) -> None:
    """The accuracy counts every answer; where that is another number, a sentence says so."""
    listing = mixed_up(folder)
    trained = train(seen(), config)
    assert not any("answers to each photo" in remark for remark in result(trained, listing, 1)["remarks"])
    said = np.eye(2, dtype=np.float32)[trained.bottlenecks.classes]  # in the mean all are right
    told = result(replace(trained, test_probabilities=said), listing, 1)
    assert (told["accuracy"], told["mistakes"]) == (pytest.approx(23 / 24), [])
    assert [(one["recall"], one["precision"]) for one in told["perClass"]] == [(1, 1), (1, 1)]
    assert told["remarks"][-1] == (
        "The accuracy counts all 4 answers to each photo; the classes and the mistakes are those of their mean."
    )


def test_the_surest_mistake_comes_first(folder: Path, config: StudioConfig, seen: Callable[[], Seen]) -> None:
    paint_classes(folder, {"red": (220, 30, 30), "green": (30, 200, 30)}, range(10))
    paint(folder / "red" / "sure.png", (20, 220, 20))
    paint(folder / "red" / "less sure.png", (95, 145, 30))
    listing = list_folder(folder)
    told = result(train(seen(), config), listing, 1)
    assert [listing.by_id[mistake[0]].name for mistake in told["mistakes"]] == ["red/sure.png", "red/less sure.png"]


def test_it_is_what_the_python_api_gives(folder: Path, config: StudioConfig, seen: Callable[[], Seen]) -> None:
    mixed_up(folder)
    trained = train(seen(), config)
    bottlenecks = extract(Dataset.open(folder), config.backbone.find(), config.extraction)
    again = fit_head(bottlenecks, bottlenecks.split())
    assert trained.test == again.test
    assert trained.confidence is not None
    assert again.confidence is not None
    assert trained.confidence.calibration == again.confidence.calibration
    assert trained.head.kernel.tolist() == again.head.kernel.tolist()


def test_the_curve_is_observed(folder: Path, config: StudioConfig, seen: Callable[[], Seen]) -> None:
    mixed_up(folder)
    points: list[TrainingPoint] = []
    train(seen(), config, points.append)
    assert [point.step for point in points] == list(range(len(points)))
    assert len(points) > 3
    assert all(point.validation_accuracy is not None and point.total for point in points)


def test_one_class_needs_a_second(folder: Path, config: StudioConfig, seen: Callable[[], Seen]) -> None:
    with pytest.raises(StudioError, match="No class has photos"):
        train(seen(), config)
    paint_classes(folder, {"red": "red"}, range(3))
    with pytest.raises(StudioError, match=r"Only the class 'red' has photos.* second class"):
        train(seen(), config)


@pytest.mark.parametrize("green", ["green", "red"])
def test_two_photos_are_a_model_of_which_nothing_is_known(
    folder: Path, config: StudioConfig, seen: Callable[[], Seen], green: str
) -> None:
    paint(folder / "red" / "1.png", "red")
    paint(folder / "green" / "1.png", green)  # the same bytes in both classes, the second time
    listing = list_folder(folder)
    trained = train(seen(), config)
    told = result(trained, listing, 1)
    assert told["accuracy"] is told["interval"] is None
    assert told["perClass"][0] == {"label": "green", "photos": 1, "recall": None, "precision": None}
    assert told["confusion"] == [[0, 0], [0, 0]]
    assert any("cannot be told yet" in remark for remark in told["remarks"])
    assert trained.confidence is not None


def test_small_classes_are_remarked_on(folder: Path, config: StudioConfig, seen: Callable[[], Seen]) -> None:
    paint_classes(folder, {"red": "red", "green": "green"}, range(6))
    paint(folder / "blue" / "1.png", "blue")
    told = result(train(seen(), config), list_folder(folder), 1)
    assert told["accuracy"] is not None
    assert any("blue" in remark for remark in told["remarks"])
    assert told["perClass"][0]["recall"] is None


def test_a_change_of_a_labelled_photo_makes_it_outdated(
    folder: Path, config: StudioConfig, seen: Callable[[], Seen]
) -> None:
    mixed_up(folder)
    trained = train(seen(), config)
    paint(folder / "unlabelled.png", "blue")
    assert is_current(trained, list_folder(folder))
    os.rename(folder / "red" / "wrong.png", folder / "green" / "0.png")
    listing = list_folder(folder)
    assert not is_current(trained, listing)
    told = result(trained, listing, 1)
    assert told["isCurrent"] is False
    assert told["mistakes"] == []  # it is where it belongs


def test_nothing_that_is_slow_to_import_is_needed_where_the_store_has_everything(
    folder: Path, tmp_path: Path, seen: Callable[[], Seen]
) -> None:
    mixed_up(folder)
    seen()
    script = f"""
import sys
from pathlib import Path
from retrain.backbones.backbone_config import BackboneConfig
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.runs.more_photos import what_more_would_bring
from retrain.studio.config import StudioConfig
from retrain.studio.guesses import guesses
from retrain.studio.listing import list_folder
from retrain.studio.seeing import Eye
from retrain.studio.training import result, train

folder, store = Path({str(folder)!r}), Path({str(tmp_path / "store")!r})
backbone, extraction = BackboneConfig(architecture="fake"), ExtractionConfig(store)
listing = list_folder(folder)
seen = Eye(backbone, extraction).see(listing)
assert seen.extraction.computed == 0
config = StudioConfig(folder, folder / "model", backbone, extraction, "127.0.0.1", 0, False, "", "")
trained = train(seen, config)
result(trained, listing, 1)
guesses(seen, trained)
what_more_would_bring(trained)
print([name for name in ("tensorflow", "keras", "openvino", "torch") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr
