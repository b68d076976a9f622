import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from label_image.runtimes import Outputs
from retrain.core.errors import ParityError
from retrain.exports.proof.judgement import Reference, judge
from retrain.exports.proof.limits import FLOAT16, FLOAT32, GREATEST_DROP, INT8, Limits
from retrain.training.metrics import measure
from retrain.training.paired import paired_interval

FLOAT16_LOSS = Limits(1.0, GREATEST_DROP)  # float16, if its probabilities might differ more
CLEAR = np.tile(np.array([[0.7, 0.2, 0.1]], np.float32), (200, 1))
REFERENCE = Reference(Outputs(CLEAR, np.full(200, 0.5, np.float32)), np.zeros(200, np.intp))


def with_wrong(photos: int) -> Outputs:
    """Answers of which so many are wrong."""
    answers = CLEAR.copy()
    answers[:photos] = (0.2, 0.7, 0.1)
    return Outputs(answers, REFERENCE.outputs.similarity)


def judged(said: Outputs, limits: Limits, force: bool = False) -> object:
    return judge("It", said, REFERENCE, limits, 1.5, 1000, force)


def reference_of(photos: int, threshold: float | None = None) -> Reference:
    """So many photos, of which all are answered rightly."""
    answers = np.tile(CLEAR[:1], (photos, 1))
    return Reference(Outputs(answers, np.full(photos, 0.5, np.float32)), np.zeros(photos, np.intp), threshold)


def lost_and_won(lost: int, won: int, photos: int, limits: Limits = INT8, force: bool = False) -> object:
    """A judgement in which so many answers become wrong, and so many others right."""
    reference, wrong = reference_of(photos), (0.2, 0.7, 0.1)
    before, now = reference.outputs.probabilities.copy(), reference.outputs.probabilities.copy()
    now[:lost] = before[lost : lost + won] = wrong
    reference = Reference(Outputs(before), reference.classes)
    return judge("It", Outputs(now), reference, limits, 1.5, 1000, force)


def test_int8_may_lose_one_point() -> None:
    judgement = lost_and_won(10, 0, 1000)
    assert (judgement.drop, judgement.accuracy, judgement.forced) == (0.01, 0.99, False)
    assert judgement.drop_interval[0] > 0, "it is shown to be worse, by no more than is allowed"


def test_a_greater_loss_is_refused_where_it_is_more_than_chance() -> None:
    with pytest.raises(ParityError, match=r"on 1,000 photos its accuracy is 1\.5 points lower.*allowed: 1\)\. `force`"):
        lost_and_won(15, 0, 1000)
    assert lost_and_won(15, 0, 1000, force=True).forced
    judgement = lost_and_won(40, 25, 1000)
    assert judgement.drop == pytest.approx(0.015) and judgement.drop_interval[0] < 0 and not judgement.forced
    with pytest.raises(ParityError, match=r"1\.5 points lower"):
        lost_and_won(15, 0, 1000, FLOAT16_LOSS)


def test_two_of_42_photos_are_no_reason_to_refuse_a_file() -> None:
    judgement = lost_and_won(2, 0, 42)
    assert judgement.drop == pytest.approx(2 / 42) and not judgement.forced
    low, high = judgement.drop_interval
    assert low < 0 < 0.1 < high, "so few photos exclude no loss that matters"


def test_a_tenth_lost_is_refused_however_few_photos_say_so() -> None:
    assert paired_interval(2, 0, 15)[0] < 0  # chance alone would be no reason
    for lost, photos, holds in ((1, 3, True), (2, 20, True), (2, 15, False), (3, 20, False), (100, 1000, False)):
        if holds:
            assert not lost_and_won(lost, 0, photos).forced
        else:
            with pytest.raises(ParityError, match="points lower"):
                lost_and_won(lost, 0, photos)


def test_int8_calls_about_as_many_photos_unknown() -> None:
    """Fewer are as bad as more: then strangers are answered."""
    for before, now, photos, holds in (
        (0, 10, 200, True), (0, 11, 200, False), (11, 0, 200, False), (200, 0, 200, False), (3, 0, 42, True),
        (0, 1, 4, True), (0, 2, 4, False),
    ):  # fmt: skip
        reference = reference_of(photos, threshold=0.4)
        similarity = np.array([[0.5] * photos, [0.5] * photos], np.float32)
        similarity[0, :before] = similarity[1, :now] = 0.3
        answers = reference.outputs.probabilities
        reference = Reference(Outputs(answers, similarity[0]), reference.classes, reference.threshold)
        said = Outputs(answers, similarity[1])
        if holds:
            judgement = judge("It", said, reference, INT8, 1.0, 1, False)
            assert judgement.plain()["test"]["called_unknown"] == now
        else:
            why = f"calls {now} of {photos} photos unknown, the SavedModel {before}"
            with pytest.raises(ParityError, match=why):
                judge("It", said, reference, INT8, 1.0, 1, False)
            assert judge("It", said, reference, INT8, 1.0, 1, True).forced


def test_the_accuracy_is_that_of_the_tested_photos_and_the_comparison_that_of_all() -> None:
    reference = reference_of(1000)
    answers = reference.outputs.probabilities.copy()
    answers[:5] = answers[500:503] = (0.2, 0.7, 0.1)
    reference = Reference(reference.outputs, reference.classes, tested=100)
    found = judge("It", Outputs(answers), reference, INT8, 1.0, 1, False)
    assert (found.accuracy, found.tested, found.drop) == (0.95, 100, 0.008)
    plain = found.plain()
    assert (plain["photos"], plain["test"]["n"], plain["top_1_agreement"]) == (1000, 100, pytest.approx(0.992))


def test_photos_are_called_unknown_of_the_tested_ones() -> None:
    reference = reference_of(300, threshold=0.4)
    similarity = reference.outputs.similarity.copy()
    similarity[[0, 150, 200]] = 0.3
    reference = Reference(reference.outputs, reference.classes, reference.threshold, tested=100)
    found = judge("It", Outputs(reference.outputs.probabilities, similarity), reference, INT8, 1.0, 1, False)
    assert found.plain()["test"]["called_unknown"] == 1


def test_takes_of_one_subject_are_no_independent_photos() -> None:
    groups = np.arange(200) // 10
    reference = Reference(REFERENCE.outputs, REFERENCE.classes, groups=groups)
    alone, together = (judge("It", with_wrong(20), one, FLOAT16_LOSS, 1.0, 1, True) for one in (REFERENCE, reference))
    assert together.accuracy == alone.accuracy == 0.9
    as_trained = measure(with_wrong(20).probabilities, REFERENCE.classes, "abc", groups).interval
    assert together.interval == pytest.approx(as_trained)
    assert together.interval[0] < alone.interval[0] - 0.05


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
