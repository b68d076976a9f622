"""`retrain sweep`: many heads at once are the heads that are trained alone, and the best of them is chosen."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from overlapping import CLASSES, DIM, FOLDS, make_sample
from stand_ins import bottlenecks_of

from retrain.bottlenecks.extraction import Extraction
from retrain.core.errors import DatasetError, OptionError
from retrain.photos.dataset import Photo
from retrain.photos.division import Division, numbered
from retrain.runs.sweep import Configuration, Grid, Material, Tried, ranked, sweep_heads
from retrain.training.confidence import with_confidence
from retrain.training.fitting.convergence import fit_to_convergence
from retrain.training.fitting.sample import Sample, Standardised
from retrain.training.grid import describe_work
from retrain.training.metrics import wilson_interval
from retrain.training.recipe import HeadConfig, choose_recipe
from retrain.training.train_head import train_head

# What is tried


def test_each_with_each() -> None:
    grid = Grid(("a", "a+b"), {}, l2=(0.1, 0.01), hidden_units=((), (8,)), learning_rates=(0.1, 0.2, 0.3))
    recipes = grid.recipes()
    assert [recipe.optimizer for recipe in recipes] == ["lbfgs"] * 2 + ["adam"] * 6
    assert {(recipe.l2, recipe.learning_rate) for recipe in recipes[2:]} == {
        (l2, rate) for l2 in (0.1, 0.01) for rate in (0.1, 0.2, 0.3)
    }
    assert grid.backbones() == ("a", "b")


def test_class_weights_cross_with_the_rest() -> None:
    grid = Grid(("a",), {}, l2=(0.1, 0.01), hidden_units=((), (8,)), class_weights=(None, "balanced"))
    assert [(recipe.class_weight, recipe.optimizer, recipe.l2) for recipe in grid.recipes()] == [
        (weight, optimizer, l2)
        for weight in (None, "balanced")
        for optimizer in ("lbfgs", "adam")
        for l2 in (0.1, 0.01)
    ]


def test_the_work_is_announced_by_kind() -> None:
    """Strengths cross with heads by mini-batches, too: two words on the command line, a hundred trainings."""
    linear = Grid(("a",), {}, l2=(0.1, 0.01)).recipes()
    assert describe_work(linear, 3, 5) == "6 configurations x 5 folds: 30 linear heads, all together."
    grid = Grid(("a",), {}, l2=(0.1, 0.01), hidden_units=((), (8,), (16,)), class_weights=(None, "balanced"))
    assert describe_work(grid.recipes(), 1, 5) == (
        "12 configurations x 5 folds: 10 linear heads, all together; 10 balanced linear heads, one after the other; "
        "40 heads by mini-batches, one after the other."
    )


def test_a_learning_rate_that_no_head_uses_is_refused() -> None:
    with pytest.raises(OptionError, match="`learning_rate` belongs to mini-batches"):
        Grid(("a",), {}, learning_rates=(0.1,)).recipes()


def make_material(photos: int = 240) -> Material:
    sample = make_sample(photos)
    paths = tuple(Photo(f"{n}.jpg", "abcd"[label], f"{n:064x}") for n, label in enumerate(sample.classes))
    noise = np.random.default_rng(5).normal(0, 1, (photos, 3)).astype(np.float32)
    matrices = {"good": sample.matrix, "noise": 1000 * noise}
    return Material(paths, matrices, sample.classes, ("a", "b", "c", "d"))


def with_takes(material: Material, takes: int = 3) -> Material:
    """Every photo so many times in a row, as takes of one subject."""
    rows = np.repeat(np.arange(len(material.photos)), takes)
    photos = tuple(
        Photo(f"{row}_nohash_{n}.jpg", material.photos[row].label, f"{n:064x}") for n, row in enumerate(rows)
    )
    matrices = {name: matrix[rows] for name, matrix in material.matrices.items()}
    return Material(photos, matrices, material.classes[rows], material.labels)


def test_joined_bottlenecks_count_the_same() -> None:
    material = make_material()
    sample = material.sample("good+noise")
    np.testing.assert_array_equal(sample.bottlenecks[:, :DIM], material.matrices["good"])
    np.testing.assert_array_equal(sample.bottlenecks[:, DIM:], material.matrices["noise"])
    [(_, joined)] = Standardised(sample).blocks()
    assert joined[:, :DIM].var(axis=0).mean() == pytest.approx(1, rel=1e-4)
    assert joined[:, DIM:].var(axis=0).mean() == pytest.approx(1, rel=1e-4)


def test_the_better_backbone_is_chosen_and_test_photos_have_no_part_in_it() -> None:
    material = make_material()
    sides = np.array((["training"] * 7 + ["validation", "testing", "testing"]) * 24)
    recipes = Grid((), {}, l2=(1.0, 0.1)).recipes()
    sweep = sweep_heads(material, sides, recipes, ("noise", "good", "good+noise"), FOLDS)
    losses = [result.cross_entropy for result in sweep.results]
    assert len(losses) == 6 and losses == sorted(losses)
    assert "good" in sweep.results[0].configuration.architecture
    assert sweep.results[-1].configuration.architecture == "noise"
    first, *others = sweep.results
    assert first.accuracy > 0.5 and (first.difference, first.difference_error) == (0, 0)
    assert all(one.difference == pytest.approx(one.cross_entropy - first.cross_entropy, abs=1e-6) for one in others)
    assert all(one.difference_error > 0 and one.accuracy_difference_error > 0 for one in others)
    assert (sweep.photos, sweep.test.n) == (192, 48)
    other = material.classes.copy()
    other[sides == "testing"] = 0
    matrix = material.matrices["good"].copy()
    matrix[sides == "testing"] = 7
    spoilt = replace(material, classes=other, matrices={**material.matrices, "good": matrix})
    again = sweep_heads(spoilt, sides, recipes, ("noise", "good", "good+noise"), FOLDS)
    assert [result.cross_entropy for result in again.results] == losses
    assert again.test.accuracy != sweep.test.accuracy


def tried(losses: np.ndarray, l2: float = 0.1) -> Tried:
    """What a configuration's heads lose on photos of a single class."""
    recipe = choose_recipe(HeadConfig(l2=l2))
    return Tried(Configuration("good", recipe), losses.astype(np.float32), losses < 0.7, 0.1)


def test_configurations_are_compared_photo_by_photo() -> None:
    """What is hard for all of them is no uncertainty of the difference between two."""
    random = np.random.default_rng(0)
    losses, noise = random.exponential(0.5, 1000), random.normal(0, 0.05, 1000)
    alone = [str(n) for n in range(1000)]
    worse, best = tried(losses + 0.02 + noise, 0.3), tried(losses)
    results = ranked([worse, best, tried(np.full(1000, np.inf), 9.0)], np.zeros(1000, np.intp), alone)
    first, second, last = results
    assert (first.configuration, first.difference, first.difference_error) == (best.configuration, 0, 0)
    assert second.difference == pytest.approx(0.02 + noise.mean(), abs=1e-5)
    expected = noise.std(ddof=1) / np.sqrt(1000) * np.sqrt(1.5)  # heads of different folds share photos
    assert second.difference_error == pytest.approx(expected, rel=0.05)
    assert second.difference_error < losses.std() / np.sqrt(1000) / 5
    assert [one.hardly_different for one in results] == [True, False, False] and last.diverged
    takes = [str(n // 20) for n in range(1000)]
    together = np.repeat(random.normal(0, 0.05, 50), 20)
    _, of_takes = ranked([tried(losses + 0.02 + together), tried(losses)], np.zeros(1000, np.intp), takes)
    assert of_takes.difference_error == pytest.approx(together.std() / np.sqrt(50) * np.sqrt(1.5), rel=0.05)


@pytest.mark.parametrize("recipe", [{"l2": 0.1}, {"l2": 1.0, "class_weight": "balanced"}, {"hidden_units": (6,)}])
def test_retrain_trains_the_head_that_was_tested(recipe: dict[str, Any]) -> None:
    """On bottlenecks side by side, too; calibrated, and with the interval of so many subjects."""
    material = with_takes(make_material())
    sides = np.repeat((["training"] * 7 + ["validation", "testing", "testing"]) * 24, 3)
    sweep = sweep_heads(material, sides, [choose_recipe(HeadConfig(**recipe))], ("good+noise",), FOLDS)
    matrix = np.hstack([material.matrices["good"], material.matrices["noise"]])
    extraction = Extraction(material.photos, matrix, (), 0, 0, 0, "", {}, widths=(DIM, 3))
    division = Division(tuple(sides), groups=numbered(material.groups))
    before = train_head(bottlenecks_of(extraction, material.labels), division, HeadConfig(**recipe))
    assert 0.4 < before.test.accuracy < 1
    assert sweep.test == with_confidence(before).test != before.test
    assert sweep.test.interval == pytest.approx(wilson_interval(48 * before.test.accuracy, 48))


def with_second_view(material: Material, second: np.ndarray) -> Material:
    return replace(material, matrices={"good": np.vstack([material.matrices["good"], second])})


@pytest.mark.parametrize("grid", [Grid((), {}, l2=(0.1,)), Grid((), {}, l2=(0.1,), class_weights=("balanced",))])
def test_views_that_are_the_photos_change_nothing(grid: Grid) -> None:
    """So no head has seen a view of a photo that it is asked about, and views are not asked about."""
    material = make_material()
    material = with_second_view(material, material.matrices["good"])
    sides = np.array((["training"] * 8 + ["validation", "testing"]) * 24)
    sweep = sweep_heads(material, sides, grid.recipes(), ("good",), FOLDS, view_counts=(1, 2))
    one, two = sorted(sweep.results, key=lambda result: result.configuration.views)
    assert (one.configuration.views, two.configuration.views, sweep.photos, sweep.test.n) == (1, 2, 216, 24)
    assert two.cross_entropy == pytest.approx(one.cross_entropy, abs=5e-3)
    assert two.accuracy == pytest.approx(one.accuracy, abs=0.03)


def test_heads_learn_from_views() -> None:
    """A second view with other noise is as good as more photos; one of another class is harm."""
    material, noise = make_material(80), np.random.default_rng(9).normal(0, 0.2, (80, DIM))
    centres = np.stack([make_sample(4000).bottlenecks[label::CLASSES].mean(axis=0) for label in range(CLASSES)])
    helps = with_second_view(material, (centres[material.classes] + noise).astype(np.float32))
    harms = with_second_view(material, (centres[material.classes - 1] + noise).astype(np.float32))
    recipes, sides = Grid((), {}, l2=(0.1,)).recipes(), np.array((["training"] * 9 + ["testing"]) * 8)
    alone, helped, harmed = (
        sweep_heads(one, sides, recipes, ("good",), FOLDS, view_counts=(count,)).results[0].cross_entropy
        for one, count in ((helps, 1), (helps, 2), (harms, 2))
    )
    assert helped < alone - 0.02 < alone + 0.02 < harmed


def test_photos_that_no_head_can_know_choose_nothing() -> None:
    """A class of one photo is in one fold: every head that is asked about it has seen none of it."""
    material, recipes = make_material(), Grid((), {}, l2=(1.0, 0.1, 0.01)).recipes()
    sides, said = np.array(["training"] * 200 + ["testing"] * 40), []
    plain = sweep_heads(material, sides, recipes, ("good",), FOLDS)
    rows = np.r_[np.arange(240), np.arange(3)]
    alone = tuple(Photo(f"alone {n}.jpg", "efg"[n], f"{500 + n:064x}") for n in range(3))
    with_alone = Material(
        (*material.photos, *alone), {"good": material.matrices["good"][rows]},
        np.r_[material.classes, [4, 5, 6]], (*material.labels, "e", "f", "g"),
    )  # fmt: skip
    found = sweep_heads(with_alone, np.r_[sides, ["training"] * 3], recipes, ("good",), FOLDS, 0, said.append)
    assert any("want of a second photo that differs: e, f, g." in one for one in said)
    for one, other in zip(plain.results, found.results, strict=True):
        assert one.configuration == other.configuration
        assert abs(one.cross_entropy - other.cross_entropy) < 0.1 and abs(one.mean_recall - other.mean_recall) < 0.05


def test_balanced_heads_know_small_classes_better() -> None:
    """Linear ones by mean recall, on a class with a tenth of the photos of the others."""
    material, sides = make_material(1200), np.array(["training"] * 1200)
    kept = np.flatnonzero((material.classes != 3) | (np.arange(1200) % 40 == 3))
    photos = tuple(material.photos[row] for row in kept)
    few = Material(
        photos,
        {"good": material.matrices["good"][kept]},
        material.classes[kept],
        material.labels,
    )
    recipes = Grid((), {}, l2=(0.1,), class_weights=(None, "balanced")).recipes()
    sweep = sweep_heads(few, sides[kept], recipes, ("good",), FOLDS)
    recall = {result.configuration.recipe.class_weight: result.mean_recall for result in sweep.results}
    assert recall["balanced"] > recall[None] + 0.05
    assert sweep.results[0].configuration.recipe.class_weight is None  # chosen by cross-entropy over photos


def test_too_few_photos_for_the_folds() -> None:
    with pytest.raises(DatasetError, match="too few for `folds` 9"):
        sweep_heads(make_material(8), np.array(["training"] * 8), Grid((), {}).recipes(), ("good",), 9)


def test_heads_with_hidden_layers_come_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is fitted without the fold it is asked about, and stops on another one."""
    seen: list[tuple[int, int]] = []

    def fit(training: Sample, validation: Sample, classes: int, recipe: object) -> object:
        seen.append((len(training), len(validation)))
        return fit_to_convergence(training, validation, classes, (0.1,))

    monkeypatch.setattr("retrain.runs.sweep.fit_recipe", fit)
    recipes = Grid((), {}, l2=(0.1,), hidden_units=((), (8,))).recipes()
    sweep = sweep_heads(make_material(), np.array(["training"] * 240), recipes, ("good",), FOLDS)
    assert [result.configuration.recipe.hidden_units for result in sweep.results].count((8,)) == 1
    assert seen[:FOLDS] == [(80, 80)] * FOLDS
