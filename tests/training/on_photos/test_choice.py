import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from retrain.backbones.backbone import find_backbone
from retrain.training.head import Fit, Head
from retrain.training.metrics import Metrics, measure
from retrain.training.on_photos.choice import Candidate, best_candidate, choice_json, describe_choice

FIT = Fit(Head(np.zeros((3, 2), np.float32), np.zeros(2, np.float32)), {}, ())
BACKBONE = find_backbone("fake", Path("x"))


def metrics(*right: float) -> Metrics:
    """Of photos of class 0 that got these probabilities for it."""
    of_right = np.array(right, np.float32)
    return measure(np.stack([of_right, 1 - of_right], axis=1), np.zeros(len(right), np.intp), ("a", "b"))


def candidate(name: str, validation: Metrics, test: Metrics) -> Candidate:
    return Candidate(name, replace(BACKBONE, weights_sha256=name), FIT, validation, test)


BEFORE = candidate("the model before", metrics(0.9, 0.4), metrics(0.9, 0.8, 0.3, 0.3))
BETTER = candidate("the tuned model", metrics(0.9, 0.8), metrics(0.9, 0.8, 0.7, 0.3))
WORSE = candidate("the tuned model", metrics(0.9, 0.1), metrics(0.9, 0.9, 0.9, 0.9))


def test_the_lowest_validation_loss_is_kept_whatever_the_test_says() -> None:
    assert best_candidate([BEFORE, BETTER]) == 1
    assert best_candidate([BEFORE, WORSE]) == 0
    assert best_candidate([BEFORE, BEFORE]) == 0


def test_the_run_says_by_how_much() -> None:
    text = describe_choice([BEFORE, BETTER], 1)
    assert text.startswith("Kept: the tuned model, by validation cross-entropy.")
    assert "the model before: validation accuracy 50.0%, cross-entropy 0.511; test accuracy 50.0%" in text
    assert "the tuned model: validation accuracy 100.0%, cross-entropy 0.164; test accuracy 75.0%" in text
    assert text.endswith("Gain on 4 test photos: +25.0 points of accuracy.")


def test_what_was_not_kept_is_told_too() -> None:
    text = describe_choice([BEFORE, WORSE], 0)
    assert text.startswith("Kept: the model before") and "test accuracy 100.0%" in text and "Gain" not in text


def test_without_photos_the_first_is_kept() -> None:
    nothing = measure(np.zeros((0, 2), np.float32), np.zeros(0, np.intp), ("a", "b"))
    candidates = [candidate("one", nothing, nothing), candidate("two", nothing, nothing)]
    assert best_candidate(candidates) == 0
    assert "one: validation no photos; test no photos." in describe_choice(candidates, 0)


def test_the_manifest_gets_the_same() -> None:
    written = json.loads(json.dumps(choice_json([BEFORE, BETTER], 1)))
    assert written["kept"] == "the tuned model"
    assert [one["weights_sha256"] for one in written["candidates"]] == ["the model before", "the tuned model"]
    assert written["candidates"][1]["test"]["accuracy"] == 0.75
    assert written["candidates"][1]["validation"]["cross_entropy"] == pytest.approx(0.1643, abs=1e-3)
