"""What counts as the same answers, and what an export is refused for."""

import numpy as np
import pytest

from label_image.model import Outputs
from retrain.core.errors import ParityError
from retrain.exports.proof.parity import Parity, compare, measure_parity

CLEAR = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.5, 0.3, 0.2], [0.4, 0.1, 0.5]], np.float32)


def test_export_that_answers_the_same_passes() -> None:
    proof = compare("It", Outputs(CLEAR + np.float32(5e-5)), Outputs(CLEAR))
    assert proof.greatest_difference == pytest.approx(5e-5, rel=0.01)
    assert (proof.top_1_agreement, proof.photos) == (1.0, 5)


@pytest.mark.parametrize(
    "answers",
    [
        CLEAR[:, ::-1],
        CLEAR + np.float32(2e-4),
        np.full_like(CLEAR, np.nan),
        np.where(np.eye(5, 3) > 0, np.nan, CLEAR),
        np.full_like(CLEAR, np.inf),
        np.zeros_like(CLEAR),
    ],
    ids=["classes swapped", "off by 2e-4", "all NaN", "some NaN", "infinite", "zeros"],
)
def test_export_that_answers_otherwise_is_refused(answers: np.ndarray) -> None:
    with pytest.raises(ParityError, match="It was not kept"):
        compare("It", Outputs(answers), Outputs(CLEAR))


@pytest.mark.parametrize("answers", [CLEAR[:, :2], CLEAR[:1], CLEAR[:, :1], CLEAR[0]])
def test_answers_of_another_shape_are_refused(answers: np.ndarray) -> None:
    with pytest.raises(ParityError):
        compare("It", Outputs(answers), Outputs(CLEAR))


def test_equal_scores_may_swap_places() -> None:
    tie = np.array([[0.5, 0.5 - 2e-5, 0]], np.float32)
    proof = compare("It", Outputs(tie[:, [1, 0, 2]]), Outputs(tie))
    assert proof.top_1_agreement == 0.0


def test_no_photo_proves_nothing() -> None:
    with pytest.raises(ParityError, match="no photo"):
        compare("It", Outputs(CLEAR[:0]), Outputs(CLEAR[:0]))


def test_similarities_are_compared_too() -> None:
    similarity = np.linspace(0, 1, 5, dtype=np.float32)
    proof = compare("It", Outputs(CLEAR, similarity + np.float32(5e-5)), Outputs(CLEAR, similarity))
    assert proof.similarity_difference == pytest.approx(5e-5, rel=0.01)
    for wrong in (similarity[::-1], np.full_like(similarity, np.nan)):
        with pytest.raises(ParityError, match="similarities"):
            compare("It", Outputs(CLEAR, wrong), Outputs(CLEAR, similarity))


def test_the_parity_of_groups_is_that_of_all_their_photos() -> None:
    said = Outputs(np.roll(CLEAR, 1, axis=0) * np.float32(1.00001), CLEAR[:, 0])
    expected = Outputs(np.roll(CLEAR, 1, axis=0)[[1, 0, 2, 3, 4]], CLEAR[:, 1])
    whole = measure_parity("It", said, expected)
    parts = [measure_parity("It", said.of(rows), expected.of(rows)) for rows in ([0, 2], [1, 3, 4])]
    assert Parity.joined(parts) == whole and whole.photos == 5 and whole.top_1_agreement == pytest.approx(0.6)


def test_groups_without_similarities_have_none_together() -> None:
    assert Parity.joined([Parity(0.1, 1.0, 3), Parity(0.2, 0.0, 1)]) == Parity(0.2, 0.75, 4)


def test_a_single_photo_is_no_plural() -> None:
    with pytest.raises(ParityError, match="on 1 photo its probabilities"):
        compare("It", Outputs(CLEAR[:1, ::-1]), Outputs(CLEAR[:1]))
