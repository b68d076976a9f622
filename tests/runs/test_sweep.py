"""`retrain sweep`: many heads at once are the heads that are trained alone, and the best of them is chosen."""

import csv
import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from PIL import Image
from stand_ins import bottlenecks_of

from retrain.backbones.backbone import Backbone
from retrain.backbones.engines.base import Engine
from retrain.backbones.engines.registry import start_engine
from retrain.bottlenecks.extraction import Extraction
from retrain.cli.main import main
from retrain.core.errors import DatasetError, OptionError
from retrain.photos.augmentation import Augmentation
from retrain.photos.dataset import Photo
from retrain.photos.source import SourceConfig
from retrain.photos.split import Division
from retrain.runs.sweep import Grid, Material, SweepConfig, run_sweep, sweep_heads
from retrain.training.fitting.convergence import fit_to_convergence
from retrain.training.fitting.linear_heads import cross_validate
from retrain.training.fitting.sample import Sample, Standardised
from retrain.training.grid import describe_work
from retrain.training.head import predict
from retrain.training.recipe import HeadConfig, choose_recipe
from retrain.training.train_head import train_head

CLASSES, DIM, FOLDS = 4, 12, 3
PATH = (1.0, 0.1, 0.01)


def make_sample(photos: int = 240, seed: int = 0) -> Sample:
    """Classes that overlap, features of very different strength, far off zero."""
    random = np.random.default_rng(seed)
    classes = (np.arange(photos) % CLASSES).astype(np.intp)
    centres = random.normal(0, 1, (CLASSES, DIM))
    features = (centres[classes] + random.normal(0, 1.5, (photos, DIM))) * np.geomspace(3, 0.1, DIM) + 5
    return Sample(features.astype(np.float32), classes)


def make_folds(photos: int = 240) -> np.ndarray:
    return np.random.default_rng(1).permutation(photos) % FOLDS


def alone(sample: Sample, folds: np.ndarray, fold: int, l2: float) -> tuple[float, float]:
    """Training loss with penalty, and held-out cross-entropy, of a head that is fitted alone."""
    training, held_out = sample.take(folds != fold), sample.take(folds == fold)
    fit = fit_to_convergence(training, sample.take(np.zeros(0, np.intp)), CLASSES, (l2,))
    bottlenecks = training.bottlenecks.astype(np.float64)
    scale = np.sqrt(bottlenecks.var(axis=0).mean())
    penalty = l2 / 2 * np.square(fit.head.kernel * scale).sum()
    losses = [-np.log(predict(fit.head, one)[np.arange(len(one)), one.classes]).mean() for one in (training, held_out)]
    return losses[0] + penalty, losses[1]


# Many heads together


@pytest.mark.parametrize("photos", [240, 20])
def test_heads_trained_together_are_those_trained_alone(photos: int) -> None:
    sample, folds = make_sample(photos), make_folds(photos)
    together = cross_validate(sample, folds, CLASSES, PATH)
    assert together.path == PATH
    for row, l2 in enumerate(PATH):
        for fold in range(FOLDS):
            training, held_out = alone(sample, folds, fold, l2)
            assert together.training_losses[row, fold] == pytest.approx(training, abs=1e-3)
            if photos > 100:  # of few photos, held-out losses are steep in what training hardly tells apart
                assert together.cross_entropies[row, folds == fold].mean() == pytest.approx(held_out, abs=0.01)


def test_a_head_never_sees_its_fold() -> None:
    """Other photos and other classes in a fold leave the head that is asked about it where it was."""
    sample, folds = make_sample(), make_folds()
    before = cross_validate(sample, folds, CLASSES, PATH, tolerance=1e-6)
    matrix, classes = sample.matrix.copy(), sample.classes.copy()
    matrix[folds == 0] = 2 * matrix[folds == 0][::-1] - 7
    classes[folds == 0] = 0
    after = cross_validate(Sample(matrix, classes), folds, CLASSES, PATH, tolerance=1e-6)
    np.testing.assert_allclose(after.training_losses[:, 0], before.training_losses[:, 0], atol=1e-4)
    assert np.abs(after.training_losses[:, 1:] - before.training_losses[:, 1:]).min() > 0.01


def test_more_heads_do_not_change_a_head() -> None:
    sample, folds = make_sample(), make_folds()
    few = cross_validate(sample, folds, CLASSES, PATH[:1] + PATH[2:], tolerance=1e-6)
    many = cross_validate(sample, folds, CLASSES, (1.0, 0.3, 0.1, 0.03, 0.01, 0.003), tolerance=1e-6)
    rows = [many.path.index(l2) for l2 in few.path]
    np.testing.assert_allclose(many.training_losses[rows], few.training_losses, atol=1e-4)
    np.testing.assert_allclose(many.cross_entropies[rows].mean(axis=1), few.cross_entropies.mean(axis=1), atol=1e-3)


def test_the_same_call_gives_the_same_bits() -> None:
    one, other = (cross_validate(make_sample(), make_folds(), CLASSES, PATH) for _ in range(2))
    np.testing.assert_array_equal(one.cross_entropies, other.cross_entropies)


def test_blocks_that_end_within_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = cross_validate(make_sample(), make_folds(), CLASSES, PATH)
    monkeypatch.setattr("retrain.training.fitting.sample.BLOCK_BYTES", 4 * DIM * 7)
    small = cross_validate(make_sample(), make_folds(), CLASSES, PATH)
    np.testing.assert_allclose(small.training_losses, whole.training_losses, atol=1e-3)
    np.testing.assert_allclose(small.cross_entropies.mean(), whole.cross_entropies.mean(), atol=1e-2)


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
    return Material(paths, {"good": sample.matrix, "noise": 1000 * noise}, sample.classes, ("a", "b", "c", "d"))


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
    assert sweep.results[0].accuracy > 0.5 and 0 < sweep.results[0].accuracy_error < 0.1
    assert (sweep.photos, sweep.test.n) == (192, 48)
    other = material.classes.copy()
    other[sides == "testing"] = 0
    matrix = material.matrices["good"].copy()
    matrix[sides == "testing"] = 7
    spoilt = replace(material, classes=other, matrices={**material.matrices, "good": matrix})
    again = sweep_heads(spoilt, sides, recipes, ("noise", "good", "good+noise"), FOLDS)
    assert [result.cross_entropy for result in again.results] == losses
    assert again.test.accuracy != sweep.test.accuracy


@pytest.mark.parametrize("recipe", [{"l2": 0.1}, {"l2": 1.0, "class_weight": "balanced"}, {"hidden_units": (6,)}])
def test_retrain_trains_the_head_that_was_tested(recipe: dict[str, Any]) -> None:
    """On bottlenecks side by side, too."""
    material, sides = make_material(), np.array((["training"] * 7 + ["validation", "testing", "testing"]) * 24)
    sweep = sweep_heads(material, sides, [choose_recipe(HeadConfig(**recipe))], ("good+noise",), FOLDS)
    matrix = np.hstack([material.matrices["good"], material.matrices["noise"]])
    extraction = Extraction(material.photos, matrix, (), 0, 0, 0, "", {}, widths=(DIM, 3))
    trained = train_head(bottlenecks_of(extraction, material.labels), Division(tuple(sides)), HeadConfig(**recipe))
    assert 0.4 < trained.test.accuracy < 1
    assert (trained.test.accuracy, trained.test.cross_entropy) == (sweep.test.accuracy, sweep.test.cross_entropy)


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


def test_balanced_heads_know_small_classes_better() -> None:
    """Linear ones by mean recall, on a class with a tenth of the photos of the others."""
    material, sides = make_material(1200), np.array(["training"] * 1200)
    kept = np.flatnonzero((material.classes != 3) | (np.arange(1200) % 40 == 3))
    photos = tuple(material.photos[row] for row in kept)
    few = Material(photos, {"good": material.matrices["good"][kept]}, material.classes[kept], material.labels)
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


# The command line


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(0)
    for label, shade in (("dark", 90), ("light", 140)):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(30):
            pixels = np.clip(noise.normal(shade, 10, (9, 12, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / label / f"{number}.png")
    return tmp_path


CALL = ["sweep", "--image_dir", "photos", "--architecture", "fake,fake+fake", "--l2", "0.01,1", "--folds", "3"]


def test_from_photos_to_a_table(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(CALL)
    with open("tf_files/sweep.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["rank"] for row in rows] == ["1", "2", "3", "4"]
    assert {(row["architecture"], row["l2"]) for row in rows} == {
        (name, l2) for name in ("fake", "fake+fake") for l2 in ("0.01", "1")
    }
    losses = [float(row["cross_entropy"]) for row in rows]
    assert losses == sorted(losses) and losses[0] < 0.2 < losses[-1]
    assert all(float(row["accuracy"]) > 0.9 and row["optimizer"] == "lbfgs" for row in rows)
    said = capsys.readouterr().out
    assert "test: accuracy" in said and "written: tf_files/sweep.csv" in said
    assert f"--architecture {rows[0]['architecture']} --l2 {rows[0]['l2']}" in said
    assert list(Path("tf_files").glob(".sweep*")) == []


def test_names_that_fit_no_class_are_refused(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("names.json").write_text('{"rose": "Rosa"}')
    with pytest.raises(SystemExit) as leave:
        main([*CALL, "--category_names", "names.json"])
    assert (leave.value.code, "names none of the classes 'dark', 'light'" in capsys.readouterr().err) == (
        1,
        True,
    )


def test_a_single_backbone_prints_its_command(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["sweep", "--image_dir", "photos", "--architecture", "fake", "--l2", "0.01,1"])
    assert "retrain --image_dir photos --architecture fake --l2 0.01" in capsys.readouterr().out


def test_the_command_of_joined_backbones_exports_their_head(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([*CALL[:4], "fake+fake", "--l2", "0.1"])
    said = capsys.readouterr().out
    main(shlex.split(said.splitlines()[-1])[1:])
    manifest = json.loads(Path("tf_files/model/model.json").read_text())
    assert manifest["architecture"] == "fake+fake"
    assert Path("tf_files/model/model.tflite").exists()
    assert "5-fold cross-validation" in capsys.readouterr().out


def test_views_and_class_weights_in_the_table(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([*CALL[:4], "fake", "--l2", "0.1", "--folds", "3", "--class_weight", "none,balanced",
          "--random_brightness", "20", "--views", "1,3"])  # fmt: skip
    with open("tf_files/sweep.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["views"], row["class_weight"]) for row in rows} == {
        (views, weight) for views in "13" for weight in ("", "balanced")
    }
    assert len({row["cross_entropy"] for row in rows}) >= 3 and all(0 < float(row["mean_recall"]) <= 1 for row in rows)
    captured = capsys.readouterr()
    said = " ".join(captured.err.split())
    announced = (
        "4 configurations x 3 folds: 6 linear heads, all together; 6 balanced linear heads, one after the other."
    )
    assert announced in said and "recall" in captured.out
    assert said.index(announced) < said.index("heads x 3 folds on fake, 1")


def test_views_are_computed_once_for_all_numbers_of_them(photos: Path) -> None:
    computed: list[int] = []

    def start(backbone: Backbone) -> Engine:
        engine = start_engine(backbone)

        def count(pixels: np.ndarray) -> np.ndarray:
            computed.append(len(pixels))
            return engine(pixels)

        return count

    source, augmentation = SourceConfig(Path("photos")), Augmentation(random_brightness=20)
    for grid in (Grid(("fake",), {}, (0.1,), views=(1, 2, 3)), Grid(("fake",), {}, (0.1,), views=(2,))):
        run_sweep(SweepConfig(source, grid, 3, augmentation=augmentation), start=start)
    assert 3 * 60 <= sum(computed) < 3 * 60 + 20  # and the probe's photos


def test_augmentation_alone_means_as_many_views_as_retrain_makes(photos: Path) -> None:
    main([*CALL[:4], "fake", "--l2", "0.1", "--random_brightness", "20"])
    with open("tf_files/sweep.csv", encoding="utf-8", newline="") as file:
        assert [row["views"] for row in csv.DictReader(file)] == ["4"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--views", "0"], "list of numbers of views"),
        (["--views", "8"], "--views 8 needs to know how views may differ"),
        (["--views", "1,3", "--flip_left_right"], "only 2 different views"),
        (["--views", "1", "--flip_left_right"], "leaves no view to distort"),
        (["--class_weight", "heavy"], "heavy is not known"),
        (["--l2", "0.1,x"], "list of numbers"),
        (["--l2", "0"], "greater than 0"),
        (["--hidden_units", "-4"], "list of heads"),
        (["--optimizer", "newton"], "newton is not known"),
        (["--learning_rate", "0.1"], "--learning_rate belongs to mini-batches"),
        (["--epochs", "3"], "--epochs belongs to mini-batches"),
        (["--optimizer", "lbfgs", "--hidden_units", "0,8"], "without --hidden_units"),
        (["--optimizer", "lbfgs", "--hidden_units", "8"], "without --hidden_units"),
        (["--folds", "1"], "folds"),
        (["--folds", "2", "--hidden_units", "8"], "--folds 2 leaves mini-batch training no photos"),
        (["--weights", "w.h5"], "pass NAME=FILE"),
        (["--weights", "resnet50=w.h5"], "resnet50 is not among"),
        (["--architecture", "fake,"], "empty name"),
        (["--architecture", "fake+resnet51"], "resnet51"),
        (["--output_csv", "photos"], "photos"),
        (["--testing_percentage", "60", "--validation_percentage", "40"], "less than 100"),
    ],
)
def test_wrong_calls_are_sentences(
    photos: Path, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as leave:
        main([*CALL, *arguments])
    captured = capsys.readouterr()
    assert leave.value.code == 2
    said = [line for line in captured.err.splitlines() if line.startswith("Error: ")]
    assert len(said) == 1 and says in said[0], captured.err
    assert not Path("tf_files/sweep.csv").exists()


def test_every_option_says_what_it_is() -> None:
    from retrain.cli.main import sweep

    options = [parameter for parameter in sweep.params if isinstance(parameter, click.Option)]
    assert len(options) > 15
    assert [option.name for option in options if not option.help] == []


SHARED = Path(__file__).resolve().parents[3] / "shared"
WEIGHTS = SHARED / "weights/mobilenet_0.25_128.weights.h5"


@pytest.mark.real
@pytest.mark.skipif(not WEIGHTS.exists() or not (SHARED / "data/flowers").exists(), reason=f"{SHARED} is absent")
def test_views_and_class_weights_of_real_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    main(["sweep", "--image_dir", str(SHARED / "data/flowers"), "--max_images_per_class", "20", "--architecture",
          "mobilenet_0.25_128", "--weights", f"mobilenet_0.25_128={WEIGHTS}", "--l2", "0.1,0.01",
          "--flip_left_right", "--random_crop", "10", "--views", "1,4", "--class_weight", "none,balanced"])  # fmt: skip
    with open("tf_files/sweep.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    loss = {(row["views"], row["class_weight"], row["l2"]): float(row["cross_entropy"]) for row in rows}
    assert len(loss) == 8
    assert all(loss["4", weight, l2] < loss["1", weight, l2] for weight in ("", "balanced") for l2 in ("0.1", "0.01"))


@pytest.mark.real
@pytest.mark.skipif(not WEIGHTS.exists() or not (SHARED / "data/flowers").exists(), reason=f"{SHARED} is absent")
def test_heads_and_learning_rates_of_real_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    main(["sweep", "--image_dir", str(SHARED / "data/flowers"), "--max_images_per_class", "20", "--architecture",
          "mobilenet_0.25_128", "--weights", f"mobilenet_0.25_128={WEIGHTS}", "--hidden_units", "0,32", "--optimizer",
          "sgd,adam", "--learning_rate", "0.01,0.00001", "--epochs", "10", "--folds", "3"])  # fmt: skip
    with open("tf_files/sweep.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    loss = {(row["hidden_units"], row["optimizer"], float(row["learning_rate"])): row["cross_entropy"] for row in rows}
    assert len(loss) == len(set(loss.values())) == 8  # no option is without effect
    for units, optimizer in {key[:2] for key in loss}:
        assert float(loss[units, optimizer, 0.01]) < float(loss[units, optimizer, 0.00001])  # which hardly learns
