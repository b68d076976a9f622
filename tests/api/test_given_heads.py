"""A head of scikit-learn is measured, calibrated and exported as itself, not as the one that it takes the place of."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from schemas import check
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import LinearSVC

from label_image.model import load_model
from retrain import Bottlenecks, Division, ExportConfig, SplitConfig, TrainedHead, evaluate, export, fit_head
from retrain.core.errors import OptionError
from retrain.training.calibration import Calibration
from retrain.training.given_head import given_fit


@pytest.fixture(scope="module")
def division(bottlenecks: Bottlenecks) -> Division:
    return bottlenecks.split(SplitConfig(testing_percentage=30, validation_percentage=20))


def fitted(estimator: Any, bottlenecks: Bottlenecks, division: Division, names: bool = False) -> Any:
    known = division.mask("training")
    classes = np.array([photo.label for photo in bottlenecks.photos]) if names else bottlenecks.classes
    return estimator.fit(bottlenecks.matrix[known], classes[known])


@pytest.mark.parametrize("names", [False, True])
@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        LinearSVC(),
        SGDClassifier(random_state=0),
        make_pipeline(StandardScaler(), LogisticRegression()),
        make_pipeline(StandardScaler(with_mean=False), "passthrough", LinearSVC()),
        MLPClassifier((6, 5), activation="tanh", max_iter=2000, random_state=0),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_it_answers_as_the_estimator_does(
    estimator: Any, names: bool, bottlenecks: Bottlenecks, division: Division
) -> None:
    given = fitted(estimator, bottlenecks, division, names)
    trained = TrainedHead.of(bottlenecks, division, given)
    test = division.mask("testing")
    own = given.predict(bottlenecks.matrix)
    truth = np.array([photo.label for photo in bottlenecks.photos]) if names else bottlenecks.classes
    assert evaluate(trained).accuracy == pytest.approx((own[test] == truth[test]).mean())
    answers = trained.head.probabilities(bottlenecks.matrix).argmax(axis=1)
    assert ((np.array(trained.labels)[answers] if names else answers) == own).all()
    assert trained.description["optimizer"] == "given"
    assert trained.confidence is not None and trained.confidence.calibration.photos == division.mask("val").sum()


def test_probabilities_are_those_of_logistic_regression_but_for_the_temperature(
    bottlenecks: Bottlenecks, division: Division
) -> None:
    given = fitted(LogisticRegression(), bottlenecks, division)
    fit = given_fit(given, bottlenecks.labels, bottlenecks.matrix)
    assert fit.head.probabilities(bottlenecks.matrix) == pytest.approx(
        given.predict_proba(bottlenecks.matrix), abs=1e-5
    )
    confidence = TrainedHead.of(bottlenecks, division, given).confidence
    assert confidence is not None and isinstance(confidence.calibration, Calibration)
    assert confidence.calibration.temperature != 1


def test_numbers_as_classes_are_indices_of_the_labels_or_refused(bottlenecks: Bottlenecks, division: Division) -> None:
    """A head whose numbers mean other labels would be right, and all its answers wrong."""
    own = np.array([2, 0, 1])[bottlenecks.classes]
    given = LogisticRegression().fit(bottlenecks.matrix, own)
    why = r"its classes are numbers.*\(0 blue, 1 green, 2 red\), and for photos of blue it mostly answers 2: fit it on"
    with pytest.raises(OptionError, match=why):
        TrainedHead.of(bottlenecks, division, given)
    given = LogisticRegression().fit(bottlenecks.matrix, bottlenecks.classes.astype(np.uint8))
    assert evaluate(TrainedHead.of(bottlenecks, division, given)).accuracy == 1


def test_two_classes_have_one_score(bottlenecks: Bottlenecks, photos: Path) -> None:
    known = bottlenecks.classes < 2
    given = LogisticRegression().fit(bottlenecks.matrix[known], bottlenecks.classes[known])
    fit = given_fit(given, ("blue", "green"), bottlenecks.matrix)
    assert fit.head.probabilities(bottlenecks.matrix) == pytest.approx(
        given.predict_proba(bottlenecks.matrix), abs=1e-5
    )


def test_the_export_says_what_it_holds(bottlenecks: Bottlenecks, division: Division, tmp_path: Path) -> None:
    ours = fit_head(bottlenecks, division)
    given = TrainedHead.of(bottlenecks, division, (-ours.head.kernel, ours.head.bias))
    export(given, ExportConfig(tmp_path / "model", ["tflite"]))
    said = check("model", (tmp_path / "model/model.json").read_text())
    assert said["head"] == {"optimizer": "given", "estimator": "kernel and bias"}
    assert said["metrics"]["test"]["accuracy"] == evaluate(given).accuracy != evaluate(ours).accuracy
    photo = bottlenecks.photos[3]
    answers = load_model(tmp_path / "model").label(Path(photo.path).read_bytes()).answers
    expected = given.head.probabilities(bottlenecks.matrix[3:4])[0]
    assert {one.label: one.probability for one in answers} == pytest.approx(
        dict(zip(given.labels, map(float, expected), strict=True)), abs=1e-5
    )


@pytest.mark.parametrize(
    ("estimator", "why"),
    [
        (KNeighborsClassifier(), "KNeighborsClassifier has no weights of that kind"),
        (Ridge(), r"Ridge has no `classes_`: fit it first"),
        (MLPClassifier((4,), activation="logistic", max_iter=5000), "its `activation` is logistic: exports have relu"),
        (make_pipeline(MinMaxScaler(), LogisticRegression()), "MinMaxScaler before it is no StandardScaler"),
    ],
)
def test_what_no_export_can_hold_is_refused_in_a_sentence(
    estimator: Any, why: str, bottlenecks: Bottlenecks, division: Division
) -> None:
    with pytest.raises(OptionError, match=why):
        TrainedHead.of(bottlenecks, division, fitted(estimator, bottlenecks, division))


def test_weights_that_do_not_fit_are_refused(bottlenecks: Bottlenecks, division: Division) -> None:
    with pytest.raises(OptionError, match="its weights map 4 numbers to 3, not 3 to 3"):
        TrainedHead.of(bottlenecks, division, (np.zeros((4, 3)), np.zeros(3)))
    with pytest.raises(OptionError, match="not all of its weights are finite"):
        TrainedHead.of(bottlenecks, division, (np.full((3, 3), np.nan), np.zeros(3)))
    with pytest.raises(OptionError, match="its weights are complex numbers"):
        TrainedHead.of(bottlenecks, division, (np.ones((3, 3), complex), np.zeros(3)))
    with pytest.raises(OptionError, match="it knows 2 classes, with scores for 2, and there are 3"):
        known = bottlenecks.classes < 2
        two = LogisticRegression().fit(bottlenecks.matrix[known], bottlenecks.classes[known])
        TrainedHead.of(bottlenecks, division, two)
    with pytest.raises(OptionError, match="cannot be judged by folds"):
        TrainedHead.of(bottlenecks, bottlenecks.split(), (np.zeros((3, 3)), np.zeros(3)))
    turned = fitted(LogisticRegression(), bottlenecks, division)
    turned.classes_ = np.array([1, 2, 0])
    turned.predict = lambda values: np.zeros(len(values), int)
    with pytest.raises(OptionError, match="does not answer as its weights do"):
        TrainedHead.of(bottlenecks, division, turned)
