from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from retrain.core.errors import CheckpointError, OptionError
from retrain.training.metrics import wilson_interval
from retrain.training.on_photos.keras_training import EpochProgress, Observer, Recipe, TrainingConfig
from retrain.training.on_photos.sides import DividedPhotos
from retrain.training.on_photos.small_cnn import CHECKPOINT, FromScratch, build_network, train_from_scratch

RECIPE = Recipe("adamw", learning_rate=2e-3, epochs=6, patience=6, batch_size=8)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, write_colour_photos: Callable) -> Callable[..., FromScratch]:
    photos, labels, division = write_colour_photos(tmp_path_factory.mktemp("photos"), 16)

    def train(observe: Observer = lambda progress: None, **options: object) -> FromScratch:
        config = TrainingConfig(**{"recipe": RECIPE, **options})
        return train_from_scratch(DividedPhotos(photos, labels, division), config, size=32, observe=observe)

    return train


@pytest.fixture(scope="module")
def trained(run: Callable[..., FromScratch]) -> FromScratch:
    return run()


@pytest.mark.parametrize("classes", [2, 12])
def test_it_has_about_1_2_million_parameters(classes: int) -> None:
    network = build_network(classes)
    assert network.count_params() == 1_202_272 + 353 * classes
    assert network.count_params() - sum(int(weight.value.shape[0]) for weight in network.non_trainable_weights) == (
        1_202_272 + 353 * classes - 1664
    )
    assert network.output_shape == (None, classes)


def test_it_learns_colours(trained: FromScratch) -> None:
    assert trained.validation.accuracy is not None and trained.validation.accuracy >= 0.75
    assert trained.validation.n == 12 and trained.test.n == 6
    assert (trained.parameters_total, trained.parameters_trainable) == (1_202_272 + 353 * 3, 1_202_272 + 353 * 3 - 1664)


def test_what_is_measured_is_the_best_epoch(trained: FromScratch) -> None:
    # The moving averages of the batch norms, too, are those of the best epoch.
    assert trained.validation.cross_entropy == pytest.approx(trained.training.best.validation_cross_entropy, rel=1e-4)
    assert trained.validation.accuracy == pytest.approx(trained.training.best.validation_accuracy)
    losses = [point.validation_cross_entropy for point in trained.training.curve]
    assert trained.training.best.validation_cross_entropy == min(losses)


def test_the_same_seed_gives_the_same_losses_and_another_does_not(
    run: Callable[..., FromScratch], trained: FromScratch
) -> None:
    def losses(one: FromScratch) -> list[float | None]:
        return [point.training_cross_entropy for point in one.training.curve[1:3]]

    assert losses(run()) == pytest.approx(losses(trained), rel=1e-6)
    assert losses(run(seed=1)) != pytest.approx(losses(trained), rel=1e-3)


def test_takes_of_one_subject_count_together(tmp_path: Path, write_colour_photos: Callable) -> None:
    """As they do for the model that it is compared with."""
    photos, labels, division = write_colour_photos(tmp_path, 16)
    takes = replace(division, groups=tuple(labels.index(photo.label) for photo in photos))
    few = TrainingConfig(replace(RECIPE, epochs=1))
    scratch = train_from_scratch(DividedPhotos(photos, labels, takes), few, size=32)
    for found in (scratch.validation, scratch.test):
        assert found.interval is not None and found.accuracy is not None and 0 < found.accuracy < 1
        low, high = wilson_interval(found.accuracy * found.n, found.n)
        assert found.interval[0] < low and high < found.interval[1]


def test_a_resumed_training_is_the_one_that_was_never_stopped(
    run: Callable[..., FromScratch], trained: FromScratch, tmp_path: Path
) -> None:
    def stop(progress: EpochProgress) -> None:
        if progress.epoch == 3 and progress.batch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(checkpoint_dir=tmp_path, observe=stop)
    resumed = run(checkpoint_dir=tmp_path)
    for one, other in zip(resumed.training.curve, trained.training.curve, strict=True):
        assert one.validation_cross_entropy == pytest.approx(other.validation_cross_entropy, rel=1e-5)
    assert resumed.test.cross_entropy == pytest.approx(trained.test.cross_entropy, rel=1e-5)


def test_a_checkpoint_of_something_else_is_refused(run: Callable[..., FromScratch], tmp_path: Path) -> None:
    run(checkpoint_dir=tmp_path, recipe=replace(RECIPE, epochs=1))
    with pytest.raises(CheckpointError, match=rf"{CHECKPOINT}.*its seed was 0, here it is 3"):
        run(checkpoint_dir=tmp_path, seed=3)


def test_a_split_without_validation_photos_is_refused(tmp_path: Path, write_colour_photos: Callable) -> None:
    photos, labels, division = write_colour_photos(tmp_path, 4)
    without = replace(division, splits=("training",) * len(photos))
    with pytest.raises(OptionError, match="`compare` scratch needs validation photos"):
        train_from_scratch(DividedPhotos(photos, labels, without))


def test_without_test_photos_there_is_no_accuracy(tmp_path: Path, write_colour_photos: Callable) -> None:
    photos, labels, division = write_colour_photos(tmp_path, 4)
    without = replace(division, splits=tuple("training" if side == "testing" else side for side in division.splits))
    scratch = train_from_scratch(
        DividedPhotos(photos, labels, without), TrainingConfig(replace(RECIPE, epochs=1)), size=32
    )
    assert scratch.test.accuracy is None and scratch.test.n == 0
