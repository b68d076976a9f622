import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrain.training.fitting.sample import Sample
from retrain.training.unknown import fit_novelty_detector


def two_classes(n: int = 200, dim: int = 20) -> Sample:
    """Photos around two directions."""
    random = np.random.default_rng(1)
    classes = np.arange(n) % 2
    centres = np.zeros((2, dim))
    centres[0, 0] = centres[1, 1] = 5
    return Sample((centres[classes] + random.normal(size=(n, dim))).astype(np.float32), classes)


def test_the_threshold_refuses_the_share_that_was_asked_for() -> None:
    known = two_classes()
    for refused in (0.02, 0.3):
        familiar = fit_novelty_detector(known, 2, refused)
        said = familiar.similarity(known.bottlenecks)
        # Compared with means that they are part of, photos look a little more familiar.
        assert (said < familiar.threshold).mean() == pytest.approx(refused, abs=0.02)
    assert familiar.photos == 200


def test_what_points_elsewhere_is_refused_and_what_is_longer_is_not() -> None:
    known = two_classes()
    familiar = fit_novelty_detector(known, 2)
    elsewhere = np.zeros((1, 20), np.float32)
    elsewhere[0, 7] = 5
    assert familiar.similarity(elsewhere)[0] < familiar.threshold
    assert familiar.similarity(100 * known.bottlenecks[:5]) == pytest.approx(familiar.similarity(known.bottlenecks[:5]))


def test_a_similarity_is_the_cosine_to_the_nearest_mean_by_hand() -> None:
    known = Sample(np.array([[3, 4], [3, 4], [0, 2], [0, 9]], np.float32), np.array([0, 0, 1, 1]))
    familiar = fit_novelty_detector(known, 2)
    assert familiar.means == pytest.approx(np.array([[0.6, 0.0], [0.8, 1.0]]))
    assert familiar.similarity(np.array([[4, 3], [-1, 0]], np.float32)) == pytest.approx([0.96, 0.0])


def test_a_photo_has_no_part_in_the_mean_it_is_compared_with() -> None:
    """A class of one photo: all that the photo can be like is the other class."""
    known = Sample(np.array([[1, 0, 0], [0, 1, 0], [0, 1, 1]], np.float32), np.array([0, 1, 1]))
    assert fit_novelty_detector(known, 2, refused=0).threshold == pytest.approx(0.0)


def test_a_class_without_photos_is_like_nothing() -> None:
    known = two_classes()
    familiar = fit_novelty_detector(known, 3)
    assert familiar.means[:, 2] == pytest.approx(np.zeros(20))
    assert familiar.similarity(np.zeros((1, 20), np.float32)) == pytest.approx([0])


@settings(deadline=None)
@given(st.integers(1, 12), st.integers(2, 4), st.integers(0, 2**32 - 1))
def test_any_photos_give_finite_means_and_a_threshold_within_the_cosines(n: int, classes: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    bottlenecks = np.maximum(0, random.normal(size=(n, 4))).astype(np.float32)
    familiar = fit_novelty_detector(Sample(bottlenecks, random.integers(0, classes, n)), classes)
    assert np.isfinite(familiar.means).all()
    assert -1 - 1e-6 <= familiar.threshold <= 1 + 1e-6


def test_in_blocks_it_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    known = two_classes()
    whole = fit_novelty_detector(known, 2)
    monkeypatch.setattr("retrain.training.fitting.sample.BLOCK_BYTES", 20 * 4 * 7)
    blocks = fit_novelty_detector(known, 2)
    assert blocks.threshold == pytest.approx(whole.threshold, abs=1e-6)
    assert blocks.means == pytest.approx(whole.means, abs=1e-6)
