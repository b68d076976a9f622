"""A head that somebody else has fitted to bottlenecks, as one of ours: by its weights, which is what exports hold.

    support = LinearSVC().fit(bottlenecks.matrix[known], bottlenecks.classes[known])
    trained = TrainedHead.of(bottlenecks, division, support)

Nothing of scikit-learn is imported: what counts is which attributes an estimator has.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from retrain.core.errors import OptionError
from retrain.training.fitting.sample import Matrix
from retrain.training.head import Fit, Head, Hidden
from retrain.training.metrics import Classes

ASKED = 1000  # bottlenecks on which an estimator and its weights have to agree, at most
AGREEMENT = 0.99  # float32 may turn an answer where two classes are equally likely
WHAT_COUNTS = (
    "a linear classifier (coef_ and intercept_, as LogisticRegression and LinearSVC have), an MLPClassifier, either of "
    "them behind StandardScaler, a pair (kernel, bias), or a Head"
)
_Values = npt.NDArray[np.float64]


def given_fit(head: object, labels: Sequence[str], bottlenecks: Matrix, classes: Classes | None = None) -> Fit:
    """A head with its description, checked on bottlenecks (n, dim). Raises OptionError for what has no such weights.

    By the true `classes` (n,) it is seen whether numbers that it calls its classes are indices of the labels.
    """
    if isinstance(head, Head):
        return Fit(_fitting(head, labels, bottlenecks), _described(head, "Head"), ())
    if isinstance(head, tuple) and len(head) == 2:
        if any(np.iscomplexobj(part) for part in head):
            raise _refused("its weights are complex numbers")
        kernel, bias = (np.atleast_1d(np.asarray(part, np.float32)) for part in head)
        ours = Head(kernel, bias)
        return Fit(_fitting(ours, labels, bottlenecks), _described(ours, "kernel and bias"), ())
    fit = _of_estimator(head, labels, bottlenecks)
    if classes is not None:
        _check_numbers(head, fit.head, labels, bottlenecks, classes)
    return fit


def _of_estimator(given: Any, labels: Sequence[str], bottlenecks: Matrix) -> Fit:
    estimator = getattr(given, "best_estimator_", given)  # of a search
    *before, last = [step for _, step in estimator.steps] if hasattr(estimator, "steps") else [estimator]
    if not hasattr(last, "classes_"):
        raise _refused(f"{type(last).__name__} has no `classes_`: fit it first")
    layers, activation = _layers(last)
    for scaler in reversed([step for step in before if step != "passthrough"]):
        layers = [_before(scaler, *layers[0]), *layers[1:]]
    layers[-1] = _by_label(*layers[-1], [_index(name, labels) for name in last.classes_], labels)
    *hidden, (kernel, bias) = [(kernel.astype(np.float32), bias.astype(np.float32)) for kernel, bias in layers]
    head = Head(kernel, bias, tuple(Hidden(*layer, activation) for layer in hidden))
    _fitting(head, labels, bottlenecks)
    some = bottlenecks[:: -(-len(bottlenecks) // ASKED)]
    said = np.array([_index(name, labels) for name in estimator.predict(some)])
    if (head.logits(some).argmax(axis=1) == said).mean() < AGREEMENT:
        raise _refused(f"{type(last).__name__} does not answer as its weights do")
    return Fit(head, _described(head, type(last).__name__), ())


def _check_numbers(given: Any, head: Head, labels: Sequence[str], bottlenecks: Matrix, classes: Classes) -> None:
    """Raise OptionError where numbers that an estimator calls its classes are the labels' in another order.

    Then most photos of some classes get each another's answer, and no two classes the same one.
    """
    if isinstance(given.classes_[0], str):
        return
    answers = head.logits(bottlenecks).argmax(axis=1)
    counts = np.zeros((len(labels), len(labels)), np.intp)
    np.add.at(counts, (classes, answers), 1)
    mostly = counts.argmax(axis=1)
    moved = np.flatnonzero(mostly != np.arange(len(labels)))
    most = 2 * counts.max(axis=1) > counts.sum(axis=1)
    if len(moved) and len(set(mostly.tolist())) == len(labels) and most[moved].all():
        order = ", ".join(f"{index} {label}" for index, label in enumerate(labels[:5]))
        raise _refused(
            f"its classes are numbers, which are indices of the labels ({order}), and for photos of "
            f"{labels[moved[0]]} it mostly answers {mostly[moved[0]]}: fit it on `classes` of the bottlenecks, or on "
            "`y`, their names"
        )


def _layers(estimator: Any) -> tuple[list[tuple[_Values, _Values]], str]:
    """Kernels (inputs, outputs) and biases of an estimator, and the activation between them."""
    if hasattr(estimator, "coefs_"):
        if len(estimator.coefs_) > 1 and estimator.activation not in ("relu", "tanh"):
            raise _refused(f"its `activation` is {estimator.activation}: exports have relu and tanh")
        pairs = zip(estimator.coefs_, estimator.intercepts_, strict=True)
        return [(np.asarray(kernel, np.float64), np.asarray(bias, np.float64)) for kernel, bias in pairs], str(
            estimator.activation
        )
    if not hasattr(estimator, "coef_") or not hasattr(estimator, "intercept_"):
        raise _refused(f"{type(estimator).__name__} has no weights of that kind")
    coefficients = estimator.coef_
    if hasattr(coefficients, "toarray"):  # after `sparsify`
        coefficients = coefficients.toarray()
    kernel = np.atleast_2d(np.asarray(coefficients, np.float64)).T
    return [(kernel, np.broadcast_to(np.asarray(estimator.intercept_, np.float64), kernel.shape[1:]).copy())], ""


def _before(scaler: Any, kernel: _Values, bias: _Values) -> tuple[_Values, _Values]:
    """A layer that takes what a StandardScaler takes."""
    if not hasattr(scaler, "scale_") or not hasattr(scaler, "mean_"):
        raise _refused(f"{type(scaler).__name__} before it is no StandardScaler")
    dim = len(kernel)
    mean = np.zeros(dim) if scaler.mean_ is None or not scaler.with_mean else np.asarray(scaler.mean_, np.float64)
    scale = np.ones(dim) if scaler.scale_ is None else np.asarray(scaler.scale_, np.float64)
    folded = kernel / scale[:, None]
    return folded, bias - mean @ folded


def _by_label(kernel: _Values, bias: _Values, order: list[int], labels: Sequence[str]) -> tuple[_Values, _Values]:
    """The last layer with a column for each label, in their order; one score for two classes is halved."""
    if len(order) == 2 and kernel.shape[1] == 1:
        kernel, bias = np.hstack([-kernel, kernel]) / 2, np.concatenate([-bias, bias]) / 2
    if sorted(order) != list(range(len(labels))) or kernel.shape[1] != len(labels):
        raise _refused(f"it knows {len(order)} classes, with scores for {kernel.shape[1]}, and there are {len(labels)}")
    columns = np.argsort(order)
    return kernel[:, columns], bias[columns]


def _index(name: object, labels: Sequence[str]) -> int:
    if isinstance(name, str):
        if name in labels:
            return labels.index(name)
    elif isinstance(name, int | np.integer) and 0 <= name < len(labels):
        return int(name)
    why = f"its class {name} is neither one of {', '.join(labels[:5])} nor the index of one"
    if str(name) in labels:
        why = f"its class {name} is a number, and the label {name} a text: fit it on `y` of the bottlenecks"
    raise _refused(why)


def _fitting(head: Head, labels: Sequence[str], bottlenecks: Matrix) -> Head:
    """The head, if it maps these bottlenecks to these labels."""
    wanted = bottlenecks.shape[1], len(labels)
    if (head.sizes[0], head.sizes[-1]) != wanted or head.kernel.shape[1:] != head.bias.shape:
        raise _refused(f"its weights map {head.sizes[0]} numbers to {head.sizes[-1]}, not {wanted[0]} to {wanted[1]}")
    if not all(np.isfinite(kernel).all() and np.isfinite(bias).all() for kernel, bias in head.layers):
        raise _refused("not all of its weights are finite")
    return head


def _described(head: Head, kind: str) -> dict[str, object]:
    hidden = {"hidden_units": list(head.sizes[1:-1]), "activation": head.activations[0]} if head.hidden else {}
    return {"optimizer": "given", "estimator": kind, **hidden}


def _refused(why: str) -> OptionError:
    return OptionError(f"This `head` cannot be taken, {why}. It may be {WHAT_COUNTS}.")
