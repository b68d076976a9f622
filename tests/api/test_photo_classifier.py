"""`PhotoClassifier` by scikit-learn's conventions, and by its own checks where they need no table of numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks
from sklearn.utils.validation import check_is_fitted

from label_image.errors import PhotoError
from retrain import Dataset, ExportConfig, PhotoClassifier, export
from retrain.core.errors import ExportError, OptionError

# Those of `check_estimator` that give no numbers as X, where photos are meant.
CHECKS = (
    "check_estimator_cloneable", "check_estimator_repr", "check_no_attributes_set_in_init",
    "check_get_params_invariance", "check_set_params", "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_tags_renamed", "check_valid_tag_types", "check_parameters_default_constructible",
)  # fmt: skip


@pytest.fixture(scope="module")
def plain(photos: Path) -> PhotoClassifier:
    return PhotoClassifier("fake", bottleneck_dir=photos.parent / "kept")


@pytest.fixture(scope="module")
def table(photos: Path) -> tuple[list[str], list[str]]:
    found = Dataset.open(photos)
    return [file.path for file in found], [file.label for file in found]


def test_from_a_folder_to_a_prediction(plain: PhotoClassifier, photos: Path, tmp_path: Path) -> None:
    classifier = clone(plain).fit(photos)
    path = str(next((photos / "red").iterdir()))
    assert classifier.predict(path).tolist() == ["red"] and classifier.classes_.tolist() == ["blue", "green", "red"]
    assert classifier.predict([Image.open(path), np.asarray(Image.open(path))]).tolist() == ["red", "red"]
    assert classifier.metrics_.n == 42 and classifier.metrics_.accuracy is not None
    assert export(classifier.trained_, ExportConfig(tmp_path / "model", ["tflite"])).formats == ("tflite",)


@pytest.mark.parametrize("name", CHECKS)
def test_scikit_learns_own_checks_pass(name: str) -> None:
    getattr(estimator_checks, name)("PhotoClassifier", PhotoClassifier())


def test_labels_keep_their_type(plain: PhotoClassifier, table: tuple[list[str], list[str]]) -> None:
    paths, labels = table
    numbers = [{"blue": 2, "green": 10, "red": 1}[label] for label in labels]
    classifier = clone(plain).fit(paths, numbers)
    assert classifier.classes_.tolist() == [1, 2, 10] and classifier.classes_.dtype.kind == "i"
    assert classifier.score(paths, numbers) > 0.9
    assert (classifier.predict_proba(paths).argmax(axis=1) == classifier.predict(paths).searchsorted([0])[0]).any()
    np.testing.assert_allclose(classifier.predict_proba(paths).sum(axis=1), 1, atol=1e-5)


def test_it_is_searched_and_validated(plain: PhotoClassifier, table: tuple[list[str], list[str]]) -> None:
    paths, labels = table
    assert is_classifier(plain)
    search = GridSearchCV(clone(plain), {"l2": [0.01, 1.0]}, cv=3).fit(paths, labels)
    assert search.best_score_ > 0.8 and search.predict(paths[:1]).tolist() == labels[:1]
    scores = cross_val_score(make_pipeline(FunctionTransformer(), clone(plain)), paths, labels, cv=3)
    assert scores.mean() > 0.8


def test_it_is_saved_and_goes_on_with_another_class(
    plain: PhotoClassifier, table: tuple[list[str], list[str]], tmp_path: Path
) -> None:
    paths, labels = table
    two = [row for row, label in enumerate(labels) if label != "red"]
    first = clone(plain).fit([paths[row] for row in two], [labels[row] for row in two])
    first.save(tmp_path / "kept")
    second = PhotoClassifier.load(tmp_path / "kept")
    assert second.get_params() == {**first.get_params(), "bottleneck_dir": str(first.bottleneck_dir)}
    np.testing.assert_array_equal(second.predict(paths[:20]), first.predict(paths[:20]))
    second.fit_more([paths[row] for row in range(42) if row not in two], ["red"] * 14)
    assert second.classes_.tolist() == ["blue", "green", "red"] and second.score(paths, labels) > 0.9
    with pytest.raises(ExportError, match="is no saved head"):
        PhotoClassifier.load(tmp_path)


def test_wrong_calls_get_sentences(plain: PhotoClassifier, table: tuple[list[str], list[str]]) -> None:
    paths, labels = table
    cases: list[tuple[Any, type[Exception], str]] = [
        (lambda: clone(plain).predict(paths), OptionError, "is not fitted yet"),
        (lambda: clone(plain).fit(paths), OptionError, "`y` is missing"),
        (lambda: clone(plain).set_params(depth=3), OptionError, "has no parameter depth"),
        (lambda: clone(plain).fit([*paths, b"no photo"], [*labels, "red"]), PhotoError, "in_memory"),
        (lambda: clone(plain).fit(paths, labels[:5]), OptionError, "`y` has the labels of 5 photos, and there are "),
        (
            lambda: clone(plain).set_params(hidden_units=5).fit(paths, labels),
            OptionError,
            "`hidden_units` takes a list",
        ),
        (lambda: clone(plain).set_params(hidden_units="12").fit(paths, labels), OptionError, "got str '12'"),
        (lambda: clone(plain).set_params(l2=-1).fit(paths, labels), OptionError, "`l2` -1"),
    ]
    for call, error, why in cases:
        with pytest.raises(error, match=why):
            call()
    with pytest.raises(Exception, match="not fitted"):
        check_is_fitted(clone(plain))
    assert repr(PhotoClassifier(l2=0.1)) == "PhotoClassifier(l2=0.1)"


def test_importing_it_imports_no_scikit_learn() -> None:
    import subprocess
    import sys

    code = "import sys; from retrain import PhotoClassifier; PhotoClassifier(); print('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
