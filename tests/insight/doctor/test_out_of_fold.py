"""The doctor's heads: the training's own where it has them, else asked by the same function."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from painting import paint
from stand_ins import bottlenecks_of

from retrain.bottlenecks.extraction import Extraction
from retrain.insight.doctor import diagnose as module
from retrain.insight.doctor import looks
from retrain.insight.doctor.out_of_fold import L2, asked_in_training, groups_with_copies, out_of_fold
from retrain.photos.dataset import Photo
from retrain.photos.split import SplitConfig
from retrain.training.recipe import HeadConfig
from retrain.training.train_head import train_head
from retrain.training.trained import TrainedHead

LABELS, EACH, DIM = ("a", "b", "c"), 20, 12


def extraction() -> Extraction:
    """Photos that are gone, so that nobody looks at them; every tenth of them has a wrong label."""
    random = np.random.default_rng(0)
    classes = np.repeat(np.arange(3), EACH)
    matrix = random.normal(0, 1, (3, DIM))[classes] + random.normal(0, 0.5, (len(classes), DIM))
    given = np.where(np.arange(len(classes)) % 10 == 0, (classes + 1) % 3, classes)
    photos = tuple(Photo(f"{n}.jpg", LABELS[label], f"{n:064x}", gone=True) for n, label in enumerate(given))
    return Extraction(photos, matrix.astype(np.float32), (), 0, len(photos), 0, "f", {})


def trained_by(config: HeadConfig, split: SplitConfig = SplitConfig(), labels: tuple[str, ...] = LABELS) -> TrainedHead:
    bottlenecks = bottlenecks_of(extraction(), labels)
    return train_head(bottlenecks, split.divide(bottlenecks.photos), config)


def test_the_training_answers_for_the_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = trained_by(HeadConfig(), labels=("c", "a", "b"))
    photos = extraction()
    alone = module.diagnose(photos, None, 32)
    monkeypatch.setattr(module, "out_of_fold", lambda *given, **more: pytest.fail("asked a second time"))
    together = module.diagnose(photos, None, 32, trained=trained)
    wrong = {f"{n}.jpg" for n in range(0, 60, 10)}
    for diagnosis in (alone, together):
        found = {finding.path: finding.suggestion for finding in diagnosis.of_kind("label")}
        assert set(found) <= wrong and len(found) >= 3
        assert all(suggestion == f"relabel:{LABELS[int(path[:-4]) // EACH]}" for path, suggestion in found.items())


def test_the_answers_are_those_of_the_doctors_own_heads() -> None:
    """Same folds, same penalty, same function: the same probabilities, up to where a fit ends."""
    trained = trained_by(HeadConfig(), SplitConfig(folds=5))
    asked = asked_in_training(trained, LABELS)
    assert asked is not None and L2 in trained.out_of_fold.path and len(asked.deals) == 4
    classes = trained.bottlenecks.classes
    own = [out_of_fold(trained.bottlenecks.matrix, classes, folds, 3) for folds in asked.deals]
    np.testing.assert_allclose(asked.probabilities, np.mean(own, axis=0), atol=0.01)


@pytest.mark.parametrize(
    ("config", "split"),
    [
        (HeadConfig(), SplitConfig(folds=0)),
        (HeadConfig(l2=0.01), SplitConfig()),
        (HeadConfig(label_smoothing=0.1), SplitConfig()),
        (HeadConfig(class_weight="balanced"), SplitConfig()),
    ],
)
def test_other_heads_do_not_answer_for_it(config: HeadConfig, split: SplitConfig) -> None:
    assert asked_in_training(trained_by(config, split), LABELS) is None


def test_nor_where_a_head_has_seen_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = trained_by(HeadConfig())
    asked = asked_in_training(trained, LABELS)
    assert asked is not None
    photos = trained.bottlenecks.photos
    assert asked.keeps_together(groups_with_copies(photos, ()))
    first = trained.division.folds[1]
    apart = next(row for row, fold in enumerate(trained.division.folds) if fold != first)
    groups = [f"{row}" for row in range(len(photos))]
    groups[apart] = groups[1]
    assert not asked.keeps_together(groups)
    times = []
    monkeypatch.setattr(module, "groups_with_copies", lambda *given: groups)
    monkeypatch.setattr(module, "out_of_fold", lambda *given, **more: times.append(1) or out_of_fold(*given, **more))
    module.diagnose(extraction(), None, 32, trained=trained)
    assert times == [1]


def test_where_one_fold_is_all_there_is_nothing_is_known() -> None:
    found = extraction()
    said = out_of_fold(found.matrix, np.repeat(np.arange(3), EACH), np.full(60, 3), 3)
    assert np.allclose(said, 1 / 3)


def test_of_tiny_classes_nothing_is_said_of_colours(tmp_path: Path) -> None:
    """Heads of so strong a penalty know nothing of them: it said that the network was no better than guessing."""
    random = np.random.default_rng(0)
    photos = tuple(
        Photo(str(paint(tmp_path / f"{n}.png", random.integers(0, 256, 3))), f"{n // 3:02}", f"{n:064x}")
        for n in range(60)
    )
    matrix = random.normal(0, 1, (20, DIM))[np.arange(60) // 3] + random.normal(0, 0.3, (60, DIM))
    diagnosis = module.diagnose(Extraction(photos, matrix.astype(np.float32), (), 0, 60, 0, "f", {}), None, 32)
    assert diagnosis.shortcut is None
    assert "Colours are not judged with fewer than 5 photos of a class, on average." in diagnosis.remarks


def test_it_is_told_how_far_the_examination_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "AT_ONCE", 1)
    told: list[int] = []
    photos = extraction()
    photos = replace(photos, photos=tuple(replace(photo, gone=False) for photo in photos.photos))
    module.diagnose(photos, None, 32, observe=told.append)
    assert told == sorted(told) and told[-1] == len(photos.photos)
    assert len(set(told)) > 20 and told[len(photos.photos) - 1] < len(photos.photos)  # looks are not all of it
