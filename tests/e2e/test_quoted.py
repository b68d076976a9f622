"""What a training with a split quotes is what `retrain evaluate` counts of its export, exactly."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from extracting import FAKE
from painting import paint
from stand_ins import asked, evaluated

from retrain.backbones.backbone import Backbone
from retrain.photos.dataset import Photo
from retrain.runs import train

Engine = Callable[[np.ndarray], np.ndarray]


def coarse(backbone: Backbone) -> Engine:
    """The average-colour network, and in bfloat16 one that sees every third photo in the wrong colours."""

    def run(pixels: np.ndarray) -> np.ndarray:
        exact = (pixels.mean(axis=(1, 2)) / 127.5 - 1).astype(np.float32)
        wrong = pixels[:, 0, 0].astype(int).sum(axis=1) % 3 == 0
        return np.where(wrong[:, None] & (backbone.compute_dtype == "bfloat16"), exact[:, ::-1], exact)

    return run


def answers(photos: Sequence[Photo], probabilities: np.ndarray) -> dict[str, int]:
    return dict(zip((photo.path for photo in photos), probabilities.argmax(axis=1).tolist(), strict=True))


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_every_count_is_that_of_the_export(here: Path, monkeypatch: pytest.MonkeyPatch, precision: str) -> None:
    # By itself this network knows no other precision.
    monkeypatch.setattr(train, "choose_backbone", lambda *given: replace(FAKE, compute_dtype=precision))
    random = np.random.default_rng(0)
    for name, colour in {"red": (160, 90, 90), "green": (90, 160, 90), "blue": (90, 90, 160)}.items():
        for number in range(100):
            paint(here / "photos" / name / f"{number}.png", np.clip(random.normal(colour, 40), 0, 255))
    config = asked("photos", architecture="fake", folds=0, output_dir=Path("model"), bottleneck_dir=Path("b"))
    run = train.run_training(config, start=coarse)
    trained, found = run.trained, evaluated(Path("model"), "photos", Path("b"))
    assert trained.bottlenecks.backbone.compute_dtype == precision
    assert found.metrics.confusion == trained.test.confusion
    assert found.metrics.headline() == trained.test.headline() and found.metrics.top_k == trained.test.top_k
    assert 0 < trained.test.accuracy < 1  # else nothing could differ
    photos = [run.extraction.photos[row] for row in trained.test_rows]
    assert answers(found.photos, found.probabilities) == answers(photos, trained.test_probabilities)
    assert found.refused is not None and found.refused.sum() == trained.confidence.refused
