"""The learning curve of a run: its two charts, the point that was chosen, and why that one."""

import math
from collections.abc import Mapping, Sequence

from retrain.core.language import figure, translatable, translated
from retrain.insight.report.charts import (
    QUANTITIES,
    Chart,
    Dot,
    Line,
    Quantity,
    Rule,
    Scale,
    Tick,
    across,
    plain,
    round_values,
    upwards,
)
from retrain.training.fitting.convergence import strength
from retrain.training.head import Fit
from retrain.training.trained import TrainedHead

SIDES = ("training", "validation")
LINES = {
    "training": translatable("training"),
    "validation": translatable("validation"),
    "calibrated": translatable("validation, once calibrated"),
}
ALONG_TRAINING = {
    "accuracy": translatable("The accuracy along the training"),
    "cross_entropy": translatable("The cross-entropy along the training"),
}
Points = Sequence[tuple[int, float | None]]  # a height for each step


def learning_charts(fit: Fit, calibrated: Sequence[float] = ()) -> tuple[Chart, Chart] | None:
    """Accuracy and cross-entropy along a training; None for a curve of fewer than two points.

    A fit to convergence went along the L2 strengths, which are on its axis; any other one has steps. `calibrated` are
    the cross-entropies by which a strength was chosen, where they are known.
    """
    curve = fit.curve
    if len(curve) < 2:
        return None
    steps = [point.step for point in curve]
    x = across(steps[0], steps[-1])
    chosen = chosen_step(fit)
    if converged(fit):
        labelled = steps[:: 2 if len(steps) > 5 else 1]  # there is room for so many
        x_ticks = x.ticks(labelled, [plain(strength(step)) for step in labelled])
        x_title = translated("L2 penalty, strong to weak")
    else:
        values, texts = round_values(steps[0], steps[-1])
        x_ticks, x_title = x.ticks(values, texts), translated("step")
    rule = None
    if chosen is not None:
        rule = Rule(x(chosen), translated("chosen: {what}", what=_name(fit, chosen)))

    def drawn(quantity: Quantity, more: Mapping[str, Points]) -> Chart:
        lines: dict[str, Points] = {
            side: [(point.step, getattr(point, f"{side}_{quantity}")) for point in curve] for side in SIDES
        }
        return _chart(quantity, {**lines, **more}, x, x_ticks, x_title, chosen, rule)

    decided = {"calibrated": list(zip(steps, calibrated, strict=True))} if calibrated else {}
    return drawn("accuracy", {}), drawn("cross_entropy", decided)


def _chart(
    quantity: Quantity,
    found: Mapping[str, Points],
    x: Scale,
    x_ticks: tuple[Tick, ...],
    x_title: str,
    chosen: int | None,
    rule: Rule | None,
) -> Chart:
    heights = [value for points in found.values() for _, value in points if value is not None and math.isfinite(value)]
    low, high = (min([*heights, 0.9]), 1.0) if quantity == "accuracy" else (0.0, max(heights, default=1.0))
    values, texts = round_values(low, high if high > low else low + 1)
    y = upwards(min(low, values[0]), max(high, values[-1]))
    title = translated(QUANTITIES[quantity])
    lines = []
    for side, points in found.items():
        name = translated(LINES[side])
        marked = None if side == "training" else chosen  # nothing was chosen by photos that were trained on
        dots = [
            Dot(
                x(step),
                y(value),
                5 if step == marked else 2.5,
                f"{name}: {title} {figure(value, '.3f')}",
                chosen=step == marked,
            )
            for step, value in points
            if value is not None and math.isfinite(value)
        ]
        if dots:
            lines.append(Line(name, side, tuple(dots)))
    description = f"{translated(ALONG_TRAINING[quantity])}{f', {rule.text}' if rule else ''}."
    return Chart(description, x_title, title, x_ticks, y.ticks(values, texts), tuple(lines), rule=rule)


def converged(fit: Fit) -> bool:
    """Whether each point of the curve is a head that was fitted to convergence."""
    return fit.description.get("optimizer") == "lbfgs"


def chosen_step(fit: Fit) -> int | None:
    """The point of the curve whose head was kept: that of the strength, or of the lowest validation cross-entropy."""
    if converged(fit):
        return next(
            (one.step for one in fit.curve if math.isclose(strength(one.step), float(fit.description["l2"]))), None
        )
    measured = [(one.validation_cross_entropy, one.step) for one in fit.curve]
    return min(
        ((loss, step) for loss, step in measured if loss is not None and math.isfinite(loss)), default=(0, None)
    )[1]


def calibrated_losses(trained: TrainedHead) -> tuple[float, ...]:
    """Of each point of the curve the cross-entropy on photos not seen, once calibrated; none for a single split."""
    if trained.out_of_fold is None or len(trained.out_of_fold.path) != len(trained.fit.curve):
        return ()
    out_of_fold = trained.out_of_fold
    return tuple(float(loss) for loss in out_of_fold.losses[:, :, out_of_fold.judges].mean(axis=(0, 2)))


def learning_words(trained: TrainedHead) -> str:
    """What the points of the learning curve are."""
    description = trained.fit.description
    if not converged(trained.fit):
        words = translated("The head was trained by mini-batches; each point is an evaluation of it.")
        if chosen_step(trained.fit) is None:
            return words
        kept = translated("The one with the lowest cross-entropy on validation photos was kept.")
        return f"{words} {kept}"
    words = translated(
        "Each point is a head that was fitted to convergence, from a strong penalty on large weights to a weak one. "
        "The strength with the lowest cross-entropy on photos not seen, once calibrated, was chosen: {strength}.",
        strength=plain(float(description["l2"])),
    )
    if trained.out_of_fold is not None:
        fitted = translated("The model's head was fitted to all photos with it.")
    elif "trained_on" in description:
        fitted = translated("It was then fitted to the validation photos, too.")
    else:
        return words
    return f"{words} {fitted}"


def why_chosen(trained: TrainedHead) -> str:
    """Why the chosen point is not the highest of the accuracies or the lowest of the cross-entropies that are drawn."""
    fit, chosen = trained.fit, chosen_step(trained.fit)
    measured = {
        one.step: (one.validation_accuracy, one.validation_cross_entropy)
        for one in fit.curve
        if one.validation_accuracy is not None and one.validation_cross_entropy is not None
    }
    if chosen not in measured or len(measured) < 2:
        return ""
    words = []
    accuracy, loss = measured[chosen]
    step, (highest, _) = max(measured.items(), key=lambda one: one[1][0])
    if highest > accuracy:
        words.append(
            translated(
                "Accuracy alone would choose {what}: {highest:.1%} instead of {accuracy:.1%}. Cross-entropy decides "
                "because it also counts how sure each answer is, so that chance moves it less.",
                what=_name(fit, step),
                highest=highest,
                accuracy=accuracy,
            )
        )
    step, (_, lowest) = min(measured.items(), key=lambda one: one[1][1])
    if lowest < loss and converged(fit):
        if step > chosen:
            before = translated(
                "Before calibration the cross-entropy is lowest at {what}: a stronger penalty makes answers too "
                "modest, which calibration mends, so heads are compared after it.",
                what=_name(fit, step),
            )
        else:
            before = translated(
                "Before calibration the cross-entropy is lowest at {what}: a weaker penalty makes answers too sure, "
                "which calibration mends, so heads are compared after it.",
                what=_name(fit, step),
            )
        words.append(before)
    return " ".join(words)


def _name(fit: Fit, step: int) -> str:
    return plain(strength(step)) if converged(fit) else translated("step {number:,}", number=step)
