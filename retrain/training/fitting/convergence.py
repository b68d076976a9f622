"""The default head: fitted to convergence at each L2 strength of a path, the best on the validation photos kept.

The best is the one that is so once it is calibrated: a strong penalty makes a head too modest, not worse.

Where photos are so many that a pass over them takes minutes, a part that fits into memory goes along the path, and what
it has learnt is where the fit to all begins (`_fit_all`): a few passes instead of thirty.

Preconditioned L-BFGS on centred and scaled bottlenecks. It has no learning rate, no steps and no chance in it.
All passes over bottlenecks go block by block (`retrain.training.fitting.sample`), in float32 products.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, field, replace
from typing import Any

import numpy as np

from retrain.training.calibration import calibrated_loss
from retrain.training.fitting.checkpoint import Slot, State
from retrain.training.fitting.lbfgs import Memory, minimise
from retrain.training.fitting.one_head import CROSS_ENTROPY, Loss, loss_and_gradient
from retrain.training.fitting.preconditioner import Preconditioner
from retrain.training.fitting.sample import Classes, Matrix, Sample, Standardised
from retrain.training.head import Fit, Head, Observer, Progress, class_weights, fold, predict, score
from retrain.training.recipe import Description


def strength(step: int) -> float:
    """The L2 strengths that are tried, strong to weak: 1, 0.3, 0.1, 0.03 and so on."""
    return float(f"{1 if step % 2 == 0 else 3}e-{(step + 1) // 2}")


L2_PATH = tuple(strength(step) for step in range(8))  # to 0.0003; each fit starts from those before it
L2_WITHOUT_VALIDATION = 0.03
TOLERANCE = 1e-4  # of the loss; where a step promises less, the fit ends
LEAST_LOSS = 0.1  # nats; a smaller loss counts as this one there
LEAST_LOSS_OF_MANY = 1.0  # where a first fit begins on a part: the mean loss of so many is uncertain by far more
# For training, of a class on average: with fewer, the head is refitted to the validation photos too. The border lies
# between two sets, and is not proven: without a refit the flowers (64 of a class) lose 1.3 points, with a standard
# error of 1.2, and with one the cats (160) lose 0.15, with 0.4 (research/compare_heads.py).
FEW_PHOTOS = 100
MANY_BYTES = 2 << 30  # of training bottlenecks in float32; from here on a part of them chooses the strength
PART_BYTES = 512 << 20
JUDGES_BYTES = 128 << 20  # of the validation photos that choose then
LEAST_GAIN = 0.001  # nats; what a weaker penalty has to gain where all photos are fitted
PART_TOLERANCE = 0.01  # of the loss of the part, whose optimum is another one
PART = 6  # a first fit begins on one photo in so many, where these are as many as features


def fit_to_convergence(
    training: Sample,
    validation: Sample,
    classes: int,
    path: Sequence[float] | None = None,
    observe: Observer = lambda progress: None,
    *,
    label_smoothing: float = 0.0,
    balanced: bool = False,
    slot: Slot | None = None,
    everything: Sample | None = None,
    start: Head | None = None,
) -> Fit:
    """Fit at each L2 strength of the path; keep the one with the lowest calibrated validation loss.

    The loss is mean cross-entropy + l2 / 2 * ||W||^2 on centred and scaled bottlenecks; the bias is not
    penalised. The path is L2_PATH, or L2_WITHOUT_VALIDATION alone without validation photos; of a
    path that is given the last strength is kept then. `balanced` makes all classes count the same, in
    training and in the choice. The slot's state is taken after each strength; raises CheckpointError
    if it is not one of such a fit. Of photos that are very many (MANY_BYTES) a part chooses the strength, and is what
    the curve is about; then all are fitted at it, and at weaker ones while these gain.

    With `everything`, the photos for training and validation together, the head that was chosen is at last
    refitted to all of them at its strength; see `refit_helps`. The loss is a mean over photos, so the strength
    needs no rescaling. The first fit begins at `start`, where there is one: it changes the time alone.
    """
    if path is None:
        path = L2_PATH if len(validation) else (L2_WITHOUT_VALIDATION,)
    slot = slot or Slot()
    everybody, many = training, 4 * len(training) * training.dim > MANY_BYTES
    if many:
        training, validation = training.drawn(PART_BYTES), validation.drawn(JUDGES_BYTES)
    standardised = Standardised(training)
    loss = Loss(label_smoothing, class_weights(everybody.classes, classes) if balanced else None)
    fits = _Fits(standardised, training.classes, classes, loss, start)
    choice = _Choice()
    slot.restore(fits, choice)

    def state() -> State:
        return _joined(fits.state(), choice.state())

    for step, l2 in enumerate(path):
        if step < len(choice.curve) or choice.ended:
            continue  # it was fitted before the run was stopped, or is not worth it
        head = _fold(fits.fit(l2), standardised.mean, standardised.scale)
        progress = _progress(step, head, training, validation, loss.class_weights, len(path))
        observe(progress)
        choice.add(progress, l2, head, _loss_left(head, validation, loss))
        slot.offer(state)
    if many:
        _fit_all(fits, choice, everybody, validation, path, lambda: slot.offer(state))
    assert choice.head is not None
    chosen, before_refit = choice.head, None
    if everything is not None:
        if balanced:
            loss = replace(loss, class_weights=class_weights(everything.classes, classes))
        chosen, before_refit = _refitted(fits, chosen, everything, choice.l2, loss), chosen
    description = _description(choice.l2, label_smoothing, balanced, before_refit is not None)
    return Fit(chosen, description, tuple(choice.curve), before_refit)


def _joined(one: State, other: State) -> State:
    return State({**one.arrays, **other.arrays}, {**one.values, **other.values})


def _refitted(fits: "_Fits", head: Head, everything: Sample, l2: float, loss: Loss) -> Head:
    """The head for all these photos, of which some have chosen it."""
    seen = fits.bottlenecks
    whole, weights = Standardised(everything, like=seen), _unfold(head, seen.mean, seen.scale)
    return _fold(fits.refit(whole, everything.classes, weights, l2, loss), seen.mean, seen.scale)


def _fit_all(
    fits: "_Fits",
    choice: "_Choice",
    everybody: Sample,
    judges: Sample,
    path: Sequence[float],
    offer: Callable[[], None],
) -> None:
    """Fit all photos at the strength that a part has chosen, from the weights and the curvature that the part gave.

    Of more photos a weaker penalty may be the best one: those of the path are tried while they gain by the judges.
    """
    assert choice.head is not None
    part = fits.bottlenecks
    whole = Standardised(everybody, like=part)
    if choice.of_all:
        fits.exchange_photos(whole, everybody.classes)
    else:
        weights = _unfold(choice.head, part.mean, part.scale)
        fits.exchange_photos(whole, everybody.classes, (choice.l2, weights))
    while not choice.ended_of_all:
        weaker = [l2 for l2 in path if l2 < choice.l2]
        if choice.of_all and not weaker:
            return
        l2 = weaker[0] if choice.of_all else choice.l2
        head = _fold(fits.fit(l2), part.mean, part.scale)
        choice.add_of_all(l2, head, _loss_left(head, judges, fits.loss))
        offer()


def _loss_left(head: Head, judges: Sample, loss: Loss) -> float | None:
    """What a head loses on the photos that choose once it is calibrated; None if there are none."""
    return calibrated_loss(predict(head, judges), judges.classes, loss.class_weights) if len(judges) else None


def _description(l2: float, label_smoothing: float, balanced: bool, refitted: bool) -> Description:
    """What the manifest says of the fit."""
    return {
        "optimizer": "lbfgs",
        "l2": l2,
        **({"label_smoothing": label_smoothing} if label_smoothing else {}),
        **({"class_weight": "balanced"} if balanced else {}),
        **({"trained_on": "training and validation photos"} if refitted else {}),
    }


def refit_helps(photos: int, classes: int) -> bool:
    """Whether a head that was trained on so many photos should be refitted to those it was chosen on, too.

    Where photos are few, more of them should help (which is not proven: docs/sweep.md); where they are many, they
    hardly do, and the head that is exported had better be the one that was validated.
    """
    return photos < FEW_PHOTOS * classes


@dataclass
class _Choice:
    """The best head so far on a path of L2 strengths, and the curve."""

    curve: list[Progress] = field(default_factory=list)
    head: Head | None = None
    l2: float = 0.0
    loss: float = math.inf
    ended: bool = False
    of_all: int = 0  # how many strengths were fitted to all photos, after a part has chosen
    ended_of_all: bool = False

    def add(self, progress: Progress, l2: float, head: Head, loss: float | None) -> None:
        """The next head of the path, and what it loses on the validation photos once it is calibrated."""
        self.curve.append(progress)
        if self.head is None or loss is None or loss < self.loss:
            self.head, self.l2, self.loss = head, l2, loss or 0.0
        plain = [point.validation_cross_entropy for point in self.curve if point.validation_cross_entropy is not None]
        # The plain loss is least at a weaker penalty than the calibrated one, and from there on both only get worse.
        self.ended = bool(plain) and plain[-1] > 1.1 * min(plain)

    def add_of_all(self, l2: float, head: Head, loss: float | None) -> None:
        """The next head that was fitted to all photos; the first one takes the place of that of the part."""
        self.ended_of_all = loss is None or (self.of_all > 0 and loss >= self.loss - LEAST_GAIN)
        if self.of_all == 0 or not self.ended_of_all:
            self.head, self.l2, self.loss = head, l2, loss or 0.0
        self.of_all += 1

    def state(self) -> State:
        assert self.head is not None
        values = {"curve": [astuple(point) for point in self.curve], "l2": self.l2, "loss": self.loss}
        values |= {"of_all": self.of_all, "ended_of_all": self.ended_of_all} if self.of_all else {}
        return State({"kernel": self.head.kernel, "bias": self.head.bias}, {**values, "ended": self.ended})

    def restore(self, state: State) -> None:
        arrays, values = state.arrays, state.values
        self.head = Head(arrays["kernel"], arrays["bias"])
        self.curve = [Progress(*point) for point in values["curve"]]
        self.l2, self.loss, self.ended = float(values["l2"]), float(values["loss"]), bool(values["ended"])
        self.of_all, self.ended_of_all = int(values.get("of_all", 0)), bool(values.get("ended_of_all", False))


class _Fits:
    """Fits at one L2 strength after the other.

    Each knows the curvature that the one before has met, and starts where the two before it
    point to: weights are a smooth function of log(l2).
    """

    def __init__(
        self,
        bottlenecks: Standardised,
        labels: Classes,
        classes: int,
        loss: Loss = CROSS_ENTROPY,
        start: Head | None = None,
    ) -> None:
        self.bottlenecks, self._labels, self._classes, self.loss = bottlenecks, labels, classes, loss
        self._start = None if start is None else _unfold(start, bottlenecks.mean, bottlenecks.scale)
        self._preconditioner = Preconditioner(bottlenecks, classes)
        self._many = len(bottlenecks) // PART >= bottlenecks.dim
        self._memory = Memory()
        self._fitted: list[tuple[float, Matrix]] = []  # the last two

    def fit(self, l2: float) -> Matrix:
        """The weights (dim + 1, classes) at this strength, bias last."""
        weights = np.zeros((self.bottlenecks.dim + 1, self._classes), np.float32)
        if self._fitted:
            weights = self._fitted[-1][1]
            self._memory.add_penalty(l2 - self._fitted[-1][0], slice(0, -1))
        if len(self._fitted) > 1:
            (l2_before, before), (l2_last, last) = self._fitted
            weights = last + np.float32(np.log(l2 / l2_last) / np.log(l2_last / l2_before)) * (last - before)
        if not self._fitted:
            weights = self._begin_on_a_part(weights, l2) if self._start is None else self._start
        weights = self._minimise(self.bottlenecks, self._labels, weights, l2, self.loss)
        others = [one for one in self._fitted if one[0] != l2]  # what a part gave for it is not needed any more
        self._fitted = [*others, (l2, weights)][-2:]
        return weights

    def exchange_photos(
        self, bottlenecks: Standardised, labels: Classes, begin: tuple[float, Matrix] | None = None
    ) -> None:
        """Go on with other photos of the same kind, from the weights at a strength where they are given."""
        self.bottlenecks, self._labels = bottlenecks, labels
        if begin is not None:
            self._memory.add_penalty(begin[0] - self._fitted[-1][0], slice(0, -1))
            self._fitted = [begin]

    def refit(self, bottlenecks: Standardised, labels: Classes, weights: Matrix, l2: float, loss: Loss) -> Matrix:
        """The weights (dim + 1, classes) for other photos of the same kind, from weights at the same strength.

        The curvature that was met at other strengths is forgotten; nothing can follow.
        """
        self._memory = Memory()
        return self._minimise(bottlenecks, labels, weights, l2, loss)

    def _begin_on_a_part(self, weights: Matrix, l2: float) -> Matrix:
        """Go most of the way on a part of the photos, for a part of the cost; not at all where these are few.

        The photos are drawn, the same ones in every run: at even distances they could leave classes out.
        """
        count = len(self.bottlenecks)
        if not self._many:
            return weights
        drawn = np.sort(np.random.default_rng(0).permutation(count)[: count // PART])
        part, labels = self.bottlenecks.part(drawn), self._labels[drawn]
        weights = self._minimise(part, labels, weights, l2, self.loss, ends=(PART_TOLERANCE, LEAST_LOSS))
        self._memory = Memory()  # where it ends, few of the part's photos are uncertain any more, and most of all are
        return weights

    def _minimise(
        self,
        bottlenecks: Standardised,
        labels: Classes,
        start: Matrix,
        l2: float,
        loss: Loss,
        *,
        ends: tuple[float, float] | None = None,
    ) -> Matrix:
        """The weights at which the loss on these photos is least; it `ends` at a tolerance, with a least loss."""

        def objective(weights: Matrix) -> tuple[float, Matrix]:
            return loss_and_gradient(bottlenecks, labels, weights, l2, loss)

        def precondition(gradient: Matrix) -> Matrix:
            result = np.empty_like(gradient)
            result[:-1], result[-1] = self._preconditioner.solve(gradient[:-1], gradient[-1], l2)
            return result

        tolerance, least_loss = ends or (TOLERANCE, LEAST_LOSS_OF_MANY if self._many else LEAST_LOSS)
        return minimise(objective, start, precondition, self._memory, tolerance, least_loss)

    def state(self) -> State:
        """All that the next fit starts from."""
        arrays: dict[str, Any] = {f"fitted/{index}": weights for index, (_, weights) in enumerate(self._fitted)}
        for index, (step, change, _) in enumerate(self._memory.pairs):
            arrays |= {f"memory/{index}/step": step, f"memory/{index}/change": change.copy()}
        return State(
            arrays,
            {"strengths": [l2 for l2, _ in self._fitted], "curvatures": [pair[2] for pair in self._memory.pairs]},
        )

    def restore(self, state: State) -> None:
        """Put back what `state` gave."""
        arrays, values = state.arrays, state.values
        self._fitted = [(l2, arrays[f"fitted/{index}"]) for index, l2 in enumerate(values["strengths"])]
        if any(weights.shape != (self.bottlenecks.dim + 1, self._classes) for _, weights in self._fitted):
            raise ValueError("its weights have other shapes")
        self._memory = Memory(
            (arrays[f"memory/{index}/step"], arrays[f"memory/{index}/change"], curvature)
            for index, curvature in enumerate(values["curvatures"])
        )


def _fold(weights: Matrix, mean: Matrix, scale: Matrix) -> Head:
    return Head(*fold(weights[:-1], weights[-1], mean, scale))


def _unfold(head: Head, mean: Matrix, scale: Matrix) -> Matrix:
    """The weights (dim + 1, classes) for standardised bottlenecks of a linear head: what `_fold` undoes."""
    kernel = head.kernel.astype(np.float64)
    bias = head.bias + mean.astype(np.float64) @ kernel
    return np.vstack([kernel * scale.astype(np.float64)[:, np.newaxis], bias]).astype(np.float32)


def _progress(
    step: int, head: Head, training: Sample, validation: Sample, class_weights: Matrix | None, total: int
) -> Progress:
    measured = score(head, validation, class_weights) if len(validation) else (None, None)
    return Progress(step, *score(head, training, class_weights), measured[0], measured[1], total)
