import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from label_image.runtimes import Outputs
from retrain.core.errors import ParityError
from retrain.exports.proof.judgement import Reference, judge, paired_interval
from retrain.exports.proof.limits import FLOAT16, FLOAT32, INT8, Limits

CLEAR = np.tile(np.array([[0.7, 0.2, 0.1]], np.float32), (200, 1))
REFERENCE = Reference(Outputs(CLEAR, np.full(200, 0.5, np.float32)), np.zeros(200, np.intp))


def with_wrong(photos: int) -> Outputs:
    """Answers of which so many are wrong."""
    answers = CLEAR.copy()
    answers[:photos] = (0.2, 0.7, 0.1)
    return Outputs(answers, REFERENCE.outputs.similarity)


def judged(said: Outputs, limits: Limits, force: bool = False) -> object:
    return judge("It", said, REFERENCE, limits, 1.5, 1000, force)


def test_int8_may_lose_one_point_and_no_more() -> None:
    judgement = judged(with_wrong(2), INT8)
    assert (judgement.drop, judgement.accuracy, judgement.forced) == (0.01, 0.99, False)
    with pytest.raises(ParityError, match=r"1\.5 points lower.*--force"):
        judged(with_wrong(3), INT8)
    assert judged(with_wrong(3), INT8, force=True).forced


def test_int8_calls_about_as_many_photos_unknown() -> None:
    reference = Reference(REFERENCE.outputs, REFERENCE.classes, threshold=0.4)
    similarity = np.full(200, 0.5, np.float32)
    for unknown, holds in ((0, True), (10, True), (11, False), (200, False)):
        similarity[:unknown] = 0.3
        said = Outputs(CLEAR, similarity)
        if holds:
            judgement = judge("It", said, reference, INT8, 1.0, 1, False)
            assert judgement.plain()["test"]["called_unknown"] == unknown
        else:
            with pytest.raises(ParityError, match=f"calls {unknown} of 200 photos unknown, the SavedModel 0"):
                judge("It", said, reference, INT8, 1.0, 1, False)
            assert judge("It", said, reference, INT8, 1.0, 1, True).forced


def test_force_does_not_help_float_formats() -> None:
    for limits in (FLOAT32, FLOAT16):
        with pytest.raises(ParityError, match="probabilities differ"):
            judged(with_wrong(1), limits, force=True)


def test_float16_may_be_further_off_than_float32() -> None:
    said = Outputs(CLEAR + np.float32(0.01), REFERENCE.outputs.similarity)
    assert judged(said, FLOAT16).parity.greatest_difference == pytest.approx(0.01, rel=0.01)
    with pytest.raises(ParityError):
        judged(said, FLOAT32)


@pytest.mark.parametrize("limits", [FLOAT32, FLOAT16, INT8], ids=["float32", "float16", "int8"])
def test_answers_that_are_not_finite_are_never_kept(limits: Limits) -> None:
    nan, infinite = np.float32(np.nan), np.float32(np.inf)
    one = CLEAR.copy()
    one[7, 1] = nan
    for said in (
        Outputs(np.full_like(CLEAR, nan)),
        Outputs(one),
        Outputs(np.full_like(CLEAR, infinite)),
        Outputs(CLEAR, np.full(200, nan)),
    ):
        with pytest.raises(ParityError, match="finite"):
            judged(said, limits, force=True)


def test_a_better_format_has_a_negative_drop() -> None:
    reference = Reference(with_wrong(5), REFERENCE.classes)
    judgement = judge("It", Outputs(CLEAR), reference, INT8, 1.0, 1, False)
    assert judgement.drop == -0.025
    assert judgement.plain()["test"]["accuracy"] == 1.0


@given(st.integers(0, 40), st.integers(0, 40), st.integers(80, 2000))
def test_the_interval_of_a_drop_holds_it_and_is_the_same_from_both_sides(lost: int, won: int, photos: int) -> None:
    low, high = paired_interval(lost, won, photos)
    assert -1 <= low <= (lost - won) / photos <= high <= 1
    assert paired_interval(won, lost, photos) == pytest.approx((-high, -low))
    assert high - low > paired_interval(lost, won, photos * 2)[1] - paired_interval(lost, won, photos * 2)[0]
