"""Heads of parts of the photos are those that are fitted to the parts alone."""

import numpy as np
import pytest
from overlapping import CLASSES, make_sample

from retrain.training.fitting import part_heads
from retrain.training.fitting.convergence import fit_to_convergence
from retrain.training.fitting.part_heads import PartHeads
from retrain.training.fitting.sample import Sample
from retrain.training.head import log_softmax, predict

L2 = 0.03


@pytest.fixture(autouse=True)
def to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_heads, "TOLERANCE", 1e-7)
    monkeypatch.setattr("retrain.training.fitting.convergence.TOLERANCE", 1e-7)


def wide(photos: int = 60, features: int = 200) -> Sample:
    """Fewer photos than features."""
    random = np.random.default_rng(0)
    classes = (np.arange(photos) % CLASSES).astype(np.intp)
    centres = random.normal(0, 0.3, (CLASSES, features))
    return Sample((centres[classes] + random.normal(5, 1, (photos, features))).astype(np.float32), classes)


def alone(sample: Sample) -> np.ndarray:
    """What a head says that is fitted to these photos, of all photos of the matrix."""
    nobody = sample.take(np.zeros(0, np.intp))
    fit = fit_to_convergence(sample, nobody, CLASSES, (L2,))
    return np.log(predict(fit.head, Sample(sample.matrix, np.zeros(len(sample.matrix), np.intp))))


def together(sample: Sample, counts: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
    """The same of all heads, (heads, photos, classes)."""
    heads = PartHeads(sample, CLASSES, L2)
    weights = heads.fit(counts.astype(np.float32), start)
    return log_softmax(heads.scores(weights, np.arange(len(sample))).transpose(0, 2, 1))


@pytest.mark.parametrize("sample", [make_sample(), wide()], ids=["more photos than features", "fewer"])
def test_each_head_is_the_one_of_its_part(sample: Sample) -> None:
    parts = np.random.default_rng(3).random((5, len(sample))) < np.array([[1.0], [0.8], [0.5], [0.5], [0.25]])
    for part, said in zip(parts, together(sample, parts), strict=True):
        np.testing.assert_allclose(np.exp(said), np.exp(alone(sample.take(part))), atol=0.02)


@pytest.mark.parametrize("sample", [make_sample(60), wide()], ids=["more photos than features", "fewer"])
def test_a_photo_that_counts_twice_is_two_photos(sample: Sample) -> None:
    twice = sample.classes == 1
    rows = np.concatenate([np.arange(len(sample)), np.flatnonzero(twice)])
    (said,) = together(sample, np.where(twice, 2, 1)[np.newaxis])
    np.testing.assert_allclose(np.exp(said), np.exp(alone(sample.take(rows))), atol=0.004)
    assert np.abs(np.exp(said) - np.exp(alone(sample))).max() > 0.008


def test_it_is_no_matter_from_where_a_fit_starts() -> None:
    sample = make_sample()
    halves = np.random.default_rng(3).random((2, len(sample))) < 0.5
    start = PartHeads(sample, CLASSES, L2).fit(np.ones((2, len(sample)), np.float32))
    np.testing.assert_allclose(together(sample, halves, start), together(sample, halves), atol=0.01)


def test_heads_are_fitted_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = make_sample(80)
    parts = np.random.default_rng(3).random((7, len(sample))) < 0.7
    before = together(sample, parts)
    monkeypatch.setattr(part_heads, "TOGETHER_BYTES", 1)
    np.testing.assert_allclose(together(sample, parts), before, atol=0.01)


def test_photos_that_are_all_alike_are_no_trouble() -> None:
    sample = Sample(np.ones((6, 20), np.float32), np.array([0, 0, 0, 0, 1, 2], np.intp))
    (said,) = together(sample, np.ones((1, 6)))
    np.testing.assert_allclose(np.exp(said[:, :3]).sum(axis=1), 1, atol=0.01)
    assert (said.argmax(axis=1) == 0).all()
