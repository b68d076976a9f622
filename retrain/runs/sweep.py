"""Many heads over cached bottlenecks, chosen by cross-validation: `retrain sweep`.

The photos of the training and validation sides are dealt into folds by content group; each configuration
is asked about the photos that it was not trained on. The test photos are left out of all that: they
are shown to one head only, that of the configuration which was chosen, trained as `retrain` would.

Linear heads that are fitted to convergence are trained together (`training.fitting.linear_heads`), all others one
after the other; so are balanced ones. A head that is trained on several views of each photo is asked about the
photos as they are, and has seen no view of them.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress

import numpy as np
import numpy.typing as npt

from retrain.bottlenecks.executors.base import StartEngine
from retrain.core.errors import DatasetError, OptionError
from retrain.core.progress import SILENT, Progress
from retrain.photos.division import numbered, some_of
from retrain.photos.folds import deal_folds
from retrain.photos.split import testable
from retrain.runs.sweep_material import Material as Material
from retrain.runs.sweep_material import SweepConfig as SweepConfig
from retrain.runs.sweep_material import gather as gather
from retrain.training.confidence import calibration_of
from retrain.training.fitting.convergence import fit_to_convergence, refit_helps
from retrain.training.fitting.linear_heads import cross_validate
from retrain.training.fitting.sample import Classes, Rows, Sample
from retrain.training.grid import Configuration as Configuration
from retrain.training.grid import Grid as Grid
from retrain.training.grid import describe_work, fitted_together
from retrain.training.head import Fit, predict
from retrain.training.metrics import Metrics, Shares, design_effect, measure
from retrain.training.recipe import HeadRecipe
from retrain.training.train_head import INFLATION


@dataclass(frozen=True)
class Tried:
    """What the heads of a configuration make of the photos that they did not see.

    `losses` (n,) are cross-entropies in nats, infinite where a training diverged; `right` (n,) tells right answers.
    """

    configuration: Configuration
    losses: npt.NDArray[np.float32]
    right: npt.NDArray[np.bool_]
    seconds: float


@dataclass(frozen=True)
class Result:
    """What cross-validation says about a configuration.

    `cross_entropy` (nats) and `accuracy` (0..1) are means over all photos; `mean_recall` is the mean of the accuracies
    of the classes, whatever their sizes. `difference` is the cross-entropy less that of the best configuration, and the
    errors are standard errors of the differences to it (`difference_error`), which are paired: all were asked about the
    same photos. `seconds` is the time of all folds; heads that were trained together share it evenly.
    """

    configuration: Configuration
    cross_entropy: float
    difference: float
    difference_error: float
    accuracy: float
    accuracy_difference_error: float
    mean_recall: float
    seconds: float

    @property
    def diverged(self) -> bool:
        """Whether a training did: the cross-entropy is infinite, and the other figures are not numbers."""
        return not math.isfinite(self.cross_entropy)

    @property
    def hardly_different(self) -> bool:
        """Whether it may be as good as the best one: the difference is at most two of its standard errors."""
        return self.difference <= 2 * self.difference_error


@dataclass(frozen=True)
class Sweep:
    """The results, best first, and the test figures of the first.

    `features` are the numbers of bottleneck features by architecture, in the order of the grid.
    """

    results: tuple[Result, ...]
    test: Metrics
    photos: int
    folds: int
    features: Mapping[str, int]


def run_sweep(config: SweepConfig, progress: Progress = SILENT, start: StartEngine | None = None) -> Sweep:
    """Compute the bottlenecks, try all configurations of the grid, and test the best one.

    `start` makes another engine than that of `config`. Raises a RetrainError for whatever a user can cause.
    """
    grid, folds, recipes = config.grid, config.folds, config.grid.recipes()
    view_counts = grid.views or (len(config.views.chosen),)
    progress.say(describe_work(recipes, len(grid.architectures) * len(view_counts), folds))
    material = gather(config, progress, start)
    division = config.split.one_split.divide(material.photos, material.copies)
    if division.folds is not None:
        progress.say("Some classes have fewer than 3 different photos: none of theirs are among the test photos.")
    sides = np.array(division.splits)
    seed = config.split.seed
    return sweep_heads(material, sides, recipes, grid.architectures, folds, seed, progress.say, view_counts)


def sweep_heads(
    material: Material,
    sides: npt.NDArray[np.str_],
    recipes: Sequence[HeadRecipe],
    architectures: Sequence[str],
    folds: int,
    seed: int = 0,
    say: Callable[[str], None] = lambda sentence: None,
    view_counts: Sequence[int] = (1,),
) -> Sweep:
    """Cross-validate all recipes on all architectures over the photos that are not for testing; test the best one.

    `sides` (n,) holds the side of each photo, `view_counts` on how many views of each photo heads are trained.
    Raises DatasetError if there are too few photos.
    """
    chosen_from = sides != "testing"
    usable_photos = list(compress(material.photos, chosen_from))
    groups = list(compress(material.groups, chosen_from))
    fold_of = np.array(deal_folds(usable_photos, groups, f"fold {seed}", folds), np.intp)
    if len(np.unique(fold_of)) < folds:
        raise DatasetError(
            f"{int(chosen_from.sum())} photos are too few for `folds` {folds}: use fewer folds, or add photos."
        )
    told = np.array(testable(usable_photos, fold_of.tolist()), np.bool_)
    if not told.all():
        alone = sorted({photo.label for photo in compress(usable_photos, ~told)})
        say(f"Not asked about, for want of a second photo that differs: {some_of(alone)}.")
    if not told.any():
        raise DatasetError("No class has two different photos for a sweep: add photos.")
    tried: list[Tried] = []
    features: dict[str, int] = {}
    for architecture in architectures:
        # Once for all numbers of views: the views of fewer are its first rows.
        everything = material.sample(architecture, max(view_counts))
        features[architecture] = everything.dim
        for views in view_counts:
            of_views = f", {views} views of each photo" if len(view_counts) > 1 or views > 1 else ""
            say(f"{len(recipes)} heads x {folds} folds on {architecture}{of_views}, {everything.dim} features.")
            usable = everything.take(np.flatnonzero(np.tile(chosen_from, views)))
            classes = len(material.labels)
            tried += cross_validate_recipes(usable, fold_of, classes, architecture, recipes, say, views)
    tried = [replace(one, losses=one.losses[told], right=one.right[told]) for one in tried]
    results = ranked(tried, material.classes[chosen_from][told], list(compress(groups, told)))
    best = results[0].configuration
    sample = material.sample(best.architecture, best.views)
    testing, validation = (sample.take(np.flatnonzero(sides == side)) for side in ("testing", "validation"))
    training = sample.take(np.tile(sides == "training", best.views))
    everything = sample.take(np.tile(chosen_from, best.views))
    few = refit_helps(int((sides == "training").sum()), len(material.labels))
    refitted = {"everything": everything} if few and len(validation) and best.recipe.optimizer == "lbfgs" else {}
    fit = fit_recipe(training, validation, len(material.labels), best.recipe, **refitted)
    calibration = calibration_of(fit, predict(fit.before_refit or fit.head, validation), validation.classes)
    said = calibration.of_probabilities(predict(fit.head, testing))
    tested_groups = np.array(numbered(list(compress(material.groups, ~chosen_from))), np.intp)
    test = measure(said, testing.classes, material.labels, tested_groups)
    return Sweep(results, test, int(chosen_from.sum()), folds, features)


def cross_validate_recipes(
    sample: Sample,
    folds: Rows,
    classes: int,
    architecture: str,
    recipes: Sequence[HeadRecipe],
    say: Callable[[str], None] = lambda sentence: None,
    views: int = 1,
) -> list[Tried]:
    """What the heads of all recipes say on one matrix of bottlenecks, in their order.

    `folds` (n,) holds the fold of each photo, the sample `views` views of each, view by view, the photos as they
    are first.
    """
    tried: dict[HeadRecipe, Tried] = {}
    photos = len(folds)  # as they are, who alone are asked about
    linear = {recipe.l2: recipe for recipe in recipes if fitted_together(recipe) and recipe.l2 is not None}
    if linear:
        began = time.perf_counter()
        held_out = cross_validate(sample, np.tile(folds, views), classes, list(linear))
        seconds = (time.perf_counter() - began) / len(linear)
        for l2, losses, right in zip(held_out.path, held_out.cross_entropies, held_out.right, strict=True):
            configuration = Configuration(architecture, linear[l2], views)
            # Copies, for what the heads say of the views is not kept.
            tried[linear[l2]] = Tried(configuration, losses[:photos].copy(), right[:photos].copy(), seconds)
    for recipe in recipes:
        if recipe not in tried:
            configuration = Configuration(architecture, recipe, views)
            say(f"{configuration.describe()} …")
            began = time.perf_counter()
            losses, right = cross_validate_one(sample, folds, classes, recipe, views)
            tried[recipe] = Tried(configuration, losses, right, time.perf_counter() - began)
    return [tried[recipe] for recipe in recipes]


def cross_validate_one(
    sample: Sample, folds: Rows, classes: int, recipe: HeadRecipe, views: int = 1
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Cross-entropy (n,) and whether the answer is right (n,), for photos that the head did not see.

    For mini-batches, the fold after the one that is asked about is the validation side, on which training stops;
    lbfgs needs none. A fold whose training diverges has an infinite cross-entropy. `folds` and `views` as in
    `cross_validate_recipes`.
    """
    losses, right = np.zeros(len(folds), np.float32), np.zeros(len(folds), bool)
    count = int(folds.max()) + 1
    for fold in range(count):
        asked = folds == fold
        validating = folds == (fold + 1) % count if recipe.optimizer != "lbfgs" else np.zeros_like(asked)
        held_out, stopping = sample.take(np.flatnonzero(asked)), sample.take(np.flatnonzero(validating))
        try:
            fit = fit_recipe(sample.take(np.tile(~(asked | validating), views)), stopping, classes, recipe)
        except OptionError:  # the learning rate is too high
            losses[asked] = np.inf
            continue
        probabilities = predict(fit.head, held_out)
        losses[asked] = -np.log(np.maximum(probabilities[np.arange(len(held_out)), held_out.classes], 1e-12))
        right[asked] = probabilities.argmax(axis=1) == held_out.classes
    return losses, right


def fit_recipe(
    training: Sample, validation: Sample, classes: int, recipe: HeadRecipe, everything: Sample | None = None
) -> Fit:
    """One head by a recipe, as `retrain` fits it; with L-BFGS refitted to `everything` where that is given."""
    if not len(training):
        raise DatasetError("No photos are left for training: all of them are validation or test photos.")
    if recipe.optimizer == "lbfgs":
        path = None if recipe.l2 is None else (recipe.l2,)
        balanced = recipe.class_weight is not None
        return fit_to_convergence(training, validation, classes, path, balanced=balanced, everything=everything)
    # Here, and not above: it imports TensorFlow.
    from retrain.training.fitting.mini_batches import fit_mini_batches

    return fit_mini_batches(training, validation, classes, recipe)


def ranked(tried: Sequence[Tried], labels: Classes, groups: Sequence[str]) -> tuple[Result, ...]:
    """The configurations, best first, each compared with the best one photo by photo; at the end those that diverged.

    `labels` and `groups` (n,) are the classes of the photos, and which of them belong together.
    """
    # The mean of losses of which some are infinite is infinite.
    order = sorted(tried, key=lambda one: float(one.losses.mean(dtype=np.float64)))
    best, places = order[0], np.unique(groups, return_inverse=True)[1]
    return tuple(_result(one, best, labels, places) for one in order)


def _result(one: Tried, best: Tried, labels: Classes, groups: Rows) -> Result:
    unknown = float("nan")
    if not np.isfinite(one.losses).all():
        return Result(one.configuration, float("inf"), unknown, unknown, unknown, unknown, unknown, one.seconds)
    more_loss = one.losses.astype(np.float64) - best.losses
    more_right = one.right.astype(np.float64) - best.right
    return Result(
        one.configuration,
        float(one.losses.mean(dtype=np.float64)),
        float(more_loss.mean()),
        _error(more_loss, groups),
        float(one.right.mean()),
        _error(more_right, groups),
        float(np.mean([one.right[labels == label].mean() for label in np.unique(labels)])),
        one.seconds,
    )


def _error(differences: Shares, groups: Rows) -> float:
    """The standard error of the mean of paired differences (n,), on photos each asked about out of its fold."""
    variance = differences.var(ddof=1) / len(differences)
    return float(np.sqrt(INFLATION * design_effect(differences, groups) * variance))
