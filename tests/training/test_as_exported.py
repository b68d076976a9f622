"""What is quoted of a head is what its export answers, whatever precision its bottlenecks have."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from extracting import FAKE
from painting import paint_classes

from retrain.backbones.backbone import Backbone
from retrain.bottlenecks.bottlenecks import Bottlenecks, extract_with_fallback
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.core.errors import DatasetError
from retrain.photos.opening import list_photos
from retrain.photos.split import SplitConfig
from retrain.training import as_exported as as_exported_module
from retrain.training.as_exported import as_exported
from retrain.training.confidence import with_confidence
from retrain.training.metrics import measure
from retrain.training.paired import Change
from retrain.training.recipe import HeadConfig
from retrain.training.train_head import train_head
from retrain.training.trained import Float32Change, TrainedHead

Engine = Callable[[np.ndarray], np.ndarray]
COARSE = replace(FAKE, compute_dtype="bfloat16")


def average(pixels: np.ndarray) -> np.ndarray:
    """The features that tell the classes apart."""
    return (pixels.mean(axis=(1, 2)) / 127.5 - 1).astype(np.float32)


def in_coarse(backbone: Backbone) -> Engine:
    """An engine whose coarse numbers take every fifth photo for another."""

    def run(pixels: np.ndarray) -> np.ndarray:
        exact = average(pixels)
        swapped = pixels[:, 0, 0].astype(int).sum(axis=1) % 5 == 0
        return np.where(swapped[:, None], exact[:, ::-1], exact)

    return run if backbone.compute_dtype == "bfloat16" else average


@pytest.fixture
def bottlenecks(tmp_path: Path) -> Bottlenecks:
    paint_classes(tmp_path / "photos", {"red": "red", "green": "green", "blue": "blue"}, range(100))
    config = ExtractionConfig(bottleneck_dir=tmp_path / "store")
    return extract_with_fallback(list_photos(tmp_path / "photos"), COARSE, config, start=in_coarse)


def fitted(bottlenecks: Bottlenecks, folds: int) -> TrainedHead:
    division = bottlenecks.split(SplitConfig(folds=folds))
    return with_confidence(train_head(bottlenecks, division, HeadConfig()))


def exact_of(bottlenecks: Bottlenecks) -> Bottlenecks:
    again = extract_with_fallback(bottlenecks.dataset, FAKE, bottlenecks.config, start=in_coarse)
    assert [photo.path for photo in again.photos] == [photo.path for photo in bottlenecks.photos]
    return again


def test_the_test_photos_of_one_split_are_measured_as_the_export_answers(bottlenecks: Bottlenecks) -> None:
    before = fitted(bottlenecks, 0)
    after = as_exported(before, start=in_coarse)
    rows = before.test_rows
    said = before.head.probabilities(exact_of(bottlenecks).matrix[rows])
    assert after.test_probabilities == pytest.approx(said)
    assert after.test.confusion == measure(said, bottlenecks.classes[rows], bottlenecks.labels).confusion
    assert after.test.accuracy != before.test.accuracy
    assert after.validation == before.validation and after.float32_change is None


def test_where_folds_took_turns_the_change_is_measured(bottlenecks: Bottlenecks) -> None:
    before = fitted(bottlenecks, 5)
    after = as_exported(before, start=in_coarse)
    assert after.test == before.test
    exact = exact_of(bottlenecks).matrix
    rows = [int(place * 300 / 256) for place in range(256)]
    was, now = (before.head.probabilities(matrix[rows]).argmax(axis=1) for matrix in (bottlenecks.matrix, exact))
    truth = bottlenecks.classes[rows]
    change = Float32Change(int((was != now).sum()), Change.between(was == truth, now == truth))
    assert after.float32_change == change and change.changed > 10
    assert change.plain()["accuracy"] == pytest.approx(float((now == truth).mean() - (was == truth).mean()))
    assert str(change).startswith(f"as exports compute it, in float32, {change.changed} of 256 answers change")


def test_of_very_many_test_photos_the_change_is_measured(
    bottlenecks: Bottlenecks, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fitted(bottlenecks, 0)
    monkeypatch.setattr(as_exported_module, "MEASURED_AGAIN", len(before.test_rows) - 1)
    after = as_exported(before, start=in_coarse)
    assert after.test == before.test and after.float32_change is not None
    monkeypatch.setattr(as_exported_module, "MEASURED_AGAIN", len(before.test_rows))
    assert as_exported(before, start=in_coarse).float32_change is None


def test_what_is_in_float32_is_left_as_it_is(bottlenecks: Bottlenecks) -> None:
    def nobody(backbone: Backbone) -> Engine:
        raise AssertionError("nothing is computed")

    for folds in (0, 5):
        trained = fitted(exact_of(bottlenecks), folds)
        assert as_exported(trained, start=nobody) is trained


def test_the_store_has_them_the_second_time(bottlenecks: Bottlenecks) -> None:
    def nobody(backbone: Backbone) -> Engine:
        raise AssertionError("nothing is computed")

    trained = fitted(bottlenecks, 5)
    first = as_exported(trained, start=in_coarse)
    assert as_exported(trained, start=nobody).float32_change == first.float32_change


def test_a_photo_that_changed_during_the_run(bottlenecks: Bottlenecks) -> None:
    trained = fitted(bottlenecks, 0)
    path = Path(bottlenecks.photos[trained.test_rows[0]].path)
    path.write_bytes(Path(bottlenecks.photos[trained.test_rows[1]].path).read_bytes() + b"more")
    with pytest.raises(DatasetError, match="changed during the run"):
        as_exported(trained, start=in_coarse)
    path.unlink()
    with pytest.raises(DatasetError, match="cannot be read any more"):
        as_exported(trained, start=in_coarse)
