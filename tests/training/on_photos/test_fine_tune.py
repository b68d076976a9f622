import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from retrain.backbones.backbone import Backbone, find_backbone
from retrain.backbones.engines.tensorflow import tensorflow_cpu_engine
from retrain.backbones.network import load_network
from retrain.backbones.weights import file_sha256
from retrain.core.errors import BackboneError, CheckpointError, OptionError
from retrain.core.tensorflow import tf
from retrain.photos.dataset import Photo
from retrain.photos.split import Division
from retrain.training.head import Fit, Head, Hidden
from retrain.training.metrics import measure
from retrain.training.on_photos.choice import Candidate, best_candidate
from retrain.training.on_photos.fine_tune import (
    CHECKPOINT,
    FineTuned,
    check_fine_tuning,
    fine_tune,
    last_layers,
)
from retrain.training.on_photos.keras_training import EpochProgress, Observer, Recipe, TrainingConfig
from retrain.training.on_photos.photo_batches import Distortion
from retrain.training.on_photos.sides import DividedPhotos

LABELS = ("blue", "green", "red")
SIZE = 32
RECIPE = Recipe("adamw", learning_rate=0.02, epochs=2, patience=2, batch_size=4)


@dataclass(frozen=True)
class Given:
    """A run that has come as far as its head."""

    backbone: Backbone
    head: Head
    photos: list[Photo]
    division: Division

    def tune(
        self,
        folder: Path,
        layers: int | str = 2,
        recipe: Recipe = RECIPE,
        observe: Observer = lambda progress: None,
        **options: object,
    ) -> FineTuned:
        photos, config = DividedPhotos(self.photos, LABELS, self.division), TrainingConfig(recipe, **options)
        return fine_tune(self.backbone, self.head, photos, layers, weights_dir=folder, config=config, observe=observe)

    def candidate(self, name: str, backbone: Backbone, head: Head) -> Candidate:
        """Measured as a run does it: through the engine, from the weights file."""
        sides = zip(self.photos, self.division.splits, strict=True)
        chosen = [photo for photo, side in sides if side == "validation"]
        pixels = np.stack([backbone.preprocessing.pixels(Path(photo.path).read_bytes()) for photo in chosen])
        probabilities = head.probabilities(tensorflow_cpu_engine(backbone)(pixels))
        validation = measure(probabilities, np.array([LABELS.index(photo.label) for photo in chosen]), LABELS)
        return Candidate(name, backbone, Fit(head, {}, ()), validation, validation)

    def validation_loss(self, backbone: Backbone, head: Head) -> float | None:
        return self.candidate("", backbone, head).validation.cross_entropy


@pytest.fixture(scope="module")
def given(tiny_backbone: Backbone, tmp_path_factory: pytest.TempPathFactory, write_colour_photos: Callable) -> Given:
    photos, labels, division = write_colour_photos(tmp_path_factory.mktemp("photos"), 16)
    assert labels == LABELS
    # A head that knows little, so that there is something to learn.
    kernel = np.random.default_rng(0).normal(0, 0.1, (tiny_backbone.dim, len(LABELS))).astype(np.float32)
    return Given(tiny_backbone, Head(kernel, np.zeros(len(LABELS), np.float32)), photos, division)


@pytest.fixture(scope="module")
def tuned(given: Given, tmp_path_factory: pytest.TempPathFactory) -> FineTuned:
    return given.tune(tmp_path_factory.mktemp("tuned"))


@pytest.fixture(autouse=True)
def eager(tuned: FineTuned) -> Iterator[None]:
    """After the first, traced training: for a few small steps, tracing takes far longer than they do."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def weights_by_name(backbone: Backbone) -> dict[str, np.ndarray]:
    return {weight.path: np.asarray(weight.numpy()) for weight in load_network(backbone).model.weights}


def test_it_learns(given: Given, tmp_path: Path) -> None:
    tuned = given.tune(tmp_path, recipe=replace(RECIPE, learning_rate=0.05, epochs=10, patience=10))
    assert tuned.changed
    assert tuned.after.validation_cross_entropy < tuned.before.validation_cross_entropy - 0.2
    assert tuned.after.validation_accuracy >= 0.75 > tuned.before.validation_accuracy


def test_the_best_epoch_is_kept_and_training_stops_after_it(given: Given, tmp_path: Path) -> None:
    tuned = given.tune(tmp_path, recipe=replace(RECIPE, learning_rate=0.3, epochs=30, patience=2))
    losses = [point.validation_cross_entropy for point in tuned.training.curve]
    best = 1 + int(np.argmin(losses[1:]))
    assert tuned.after.number == best and tuned.training.stopped == "patience"
    assert len(losses) == best + 3 < 31
    assert given.validation_loss(tuned.backbone, given.head) == pytest.approx(losses[best], rel=1e-3)


def test_it_begins_with_the_given_backbone_and_head(given: Given, tuned: FineTuned) -> None:
    assert tuned.before.validation_cross_entropy == pytest.approx(
        given.validation_loss(given.backbone, given.head), rel=1e-3
    )


def test_the_new_backbone_is_what_was_measured(given: Given, tuned: FineTuned) -> None:
    assert given.validation_loss(tuned.backbone, given.head) == pytest.approx(
        tuned.after.validation_cross_entropy, rel=1e-3
    )


def test_the_new_backbone_has_a_weights_file_named_by_its_content(given: Given, tuned: FineTuned) -> None:
    file = tuned.backbone.weights_file
    assert file is not None and file.name == f"{tuned.backbone.weights_sha256}.weights.h5"
    assert file_sha256(file) == tuned.backbone.weights_sha256
    assert list(file.parent.iterdir()) == [file]
    assert tuned.backbone.covers() == {**given.backbone.covers(), "weights_sha256": tuned.backbone.weights_sha256}


def test_only_the_last_layers_change_and_batch_norms_never(given: Given, tuned: FineTuned) -> None:
    before, after = weights_by_name(given.backbone), weights_by_name(tuned.backbone)
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert {name.split("/")[0] for name in changed} == set(tuned.layers)
    assert tuned.layers == ("second", "third")


def test_all_layers_can_learn_without_the_batch_norms(given: Given, tmp_path: Path) -> None:
    tuned = given.tune(tmp_path, "all", replace(RECIPE, epochs=1))
    before, after = weights_by_name(given.backbone), weights_by_name(tuned.backbone)
    norms = [name for name in before if name.startswith("norm_")]
    assert len(norms) == 4 * 3 and len(tuned.layers) == 3
    assert all(np.array_equal(before[name], after[name]) for name in norms)
    assert sum(not np.array_equal(before[name], after[name]) for name in before) == 3
    head = given.head.kernel.size + given.head.bias.size
    assert tuned.parameters_total == sum(weight.size for weight in before.values()) + head
    assert tuned.parameters_trainable == tuned.parameters_total - head - sum(before[name].size for name in norms)


def test_the_same_seed_gives_the_same_losses(given: Given, tuned: FineTuned, tmp_path: Path) -> None:
    again = given.tune(tmp_path / "same")
    other = given.tune(tmp_path / "other", seed=1)

    def losses(one: FineTuned) -> list[float | None]:
        return [point.training_cross_entropy for point in one.training.curve[1:]]

    assert losses(again) == pytest.approx(losses(tuned), rel=1e-6)
    assert losses(other) != pytest.approx(losses(tuned), rel=1e-6)


def test_a_resumed_training_is_the_one_that_was_never_stopped(given: Given, tuned: FineTuned, tmp_path: Path) -> None:
    def stop(progress: EpochProgress) -> None:
        if progress.epoch == 2 and progress.batch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        given.tune(tmp_path, checkpoint_dir=tmp_path, observe=stop)
    epochs = []
    resumed = given.tune(tmp_path, checkpoint_dir=tmp_path, observe=lambda progress: epochs.append(progress.epoch))
    assert set(epochs) == {2}
    for one, other in zip(resumed.training.curve, tuned.training.curve, strict=True):
        assert one.validation_cross_entropy == pytest.approx(other.validation_cross_entropy, rel=1e-5)
    one, other = weights_by_name(resumed.backbone), weights_by_name(tuned.backbone)
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-4, atol=1e-5)


def test_a_finished_training_is_not_done_again_and_can_go_on(given: Given, tmp_path: Path) -> None:
    first = given.tune(tmp_path, checkpoint_dir=tmp_path, recipe=replace(RECIPE, epochs=1))
    again = given.tune(tmp_path, checkpoint_dir=tmp_path, recipe=replace(RECIPE, epochs=1), observe=_never)
    assert again == first
    longer = given.tune(tmp_path, checkpoint_dir=tmp_path)
    assert longer.training.curve[:2] == first.training.curve
    assert len(longer.training.curve) == 3


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"layers": 1}, "its layers was 2, here it is 1"),
        ({"origin": {"l2": 0.1}}, "its l2 was none, here it is 0.1"),
        ({"seed": 5}, "its seed was 0, here it is 5"),
        ({"augment": Distortion(crop=0.0)}, "augmentation"),
        ({"recipe": replace(RECIPE, learning_rate=0.5)}, "its learning rate was 0.02, here it is 0.5"),
    ],
)
def test_a_checkpoint_of_something_else_is_refused(change: dict, difference: str, given: Given, tmp_path: Path) -> None:
    given.tune(tmp_path, checkpoint_dir=tmp_path, recipe=replace(RECIPE, epochs=1))
    with pytest.raises(CheckpointError) as error:
        given.tune(tmp_path, checkpoint_dir=tmp_path, observe=_never, **change)
    assert difference in str(error.value) and CHECKPOINT in str(error.value)


def test_a_checkpoint_of_other_photos_is_refused(given: Given, tmp_path: Path) -> None:
    given.tune(tmp_path, checkpoint_dir=tmp_path, recipe=replace(RECIPE, epochs=1))
    moved = replace(given, division=Division((*given.division.splits[1:], given.division.splits[0])))
    with pytest.raises(CheckpointError, match="photos and split"):
        moved.tune(tmp_path, checkpoint_dir=tmp_path, observe=_never)


def test_a_checkpoint_of_another_head_is_refused(given: Given, tmp_path: Path) -> None:
    given.tune(tmp_path, checkpoint_dir=tmp_path, recipe=replace(RECIPE, epochs=1))
    hidden = Hidden(np.eye(12, dtype=np.float32), np.zeros(12, np.float32), "relu")
    deeper = replace(given, head=replace(given.head, hidden=(hidden,)))
    with pytest.raises(CheckpointError, match="its units of the head was 12-3, here it is 12-12-3"):
        deeper.tune(tmp_path, checkpoint_dir=tmp_path, observe=_never)


def test_training_that_makes_it_worse_is_not_chosen(given: Given, tuned: FineTuned, tmp_path: Path) -> None:
    good = replace(given, backbone=tuned.backbone)
    worse = good.tune(tmp_path, "all", replace(RECIPE, optimizer="momentum", learning_rate=20.0))
    assert worse.changed and worse.after.validation_cross_entropy > worse.before.validation_cross_entropy
    before = given.candidate("before", tuned.backbone, given.head)
    assert best_candidate([before, given.candidate("after", worse.backbone, given.head)]) == 0
    original = given.candidate("original", given.backbone, given.head)
    assert best_candidate([original, before]) == 1


def test_a_training_that_diverges_changes_nothing(given: Given, tmp_path: Path) -> None:
    tuned = given.tune(tmp_path / "weights", "all", replace(RECIPE, optimizer="momentum", learning_rate=1e20))
    assert not tuned.changed and tuned.training.stopped == "diverged"
    assert tuned.backbone == given.backbone
    assert not (tmp_path / "weights").exists()


def test_progress_tells_what_it_should(given: Given, tmp_path: Path) -> None:
    seen: list[EpochProgress] = []
    tuned = given.tune(tmp_path, observe=seen.append)
    assert [(one.epoch, one.batch) for one in seen] == [(e, b) for e in (1, 2) for b in range(1, 9)]
    assert {(one.epochs, one.batches) for one in seen} == {(2, 8)}
    assert [one.validation for one in seen if one.validation] == list(tuned.training.curve[1:])
    assert seen[0].seconds_left > 0 and seen[-1].seconds_left == 0
    assert all(np.isfinite(dataclasses.astuple(one)[4:6]).all() for one in seen)


@pytest.mark.parametrize("activation", ["relu", "gelu", "tanh"])
def test_below_a_head_with_hidden_layers(activation: str, given: Given, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    arrays = [random.normal(0, 0.5, shape).astype(np.float32) for shape in ((12, 5), (5,), (5, 3), (3,))]
    deep = replace(given, head=Head(arrays[2], arrays[3], (Hidden(arrays[0], arrays[1], activation),)))
    tuned = deep.tune(tmp_path, 1)
    assert tuned.before.validation_cross_entropy == pytest.approx(
        deep.validation_loss(deep.backbone, deep.head), rel=1e-3
    )
    assert tuned.after.validation_cross_entropy == pytest.approx(
        deep.validation_loss(tuned.backbone, deep.head), rel=1e-3
    )
    assert tuned.after.validation_cross_entropy != pytest.approx(tuned.before.validation_cross_entropy, rel=1e-3)


def test_more_layers_than_there_are_are_refused(given: Given) -> None:
    model = load_network(given.backbone).model
    model.trainable = True
    assert [layer.name for layer in last_layers(model, 1, "x")] == ["third"]
    with pytest.raises(OptionError, match="99: x has 3 layers with weights; use all"):
        last_layers(model, 99, "x")


def test_what_cannot_be_tuned_is_refused(given: Given, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="fake"):
        check_fine_tuning(find_backbone("fake", Path("x")))
    with pytest.raises(OptionError, match="`tfhub_module`"):
        check_fine_tuning(replace(given.backbone, weights_file=tmp_path))
    check_fine_tuning(given.backbone, given.division)
    without = Division(tuple("testing" if side == "validation" else side for side in given.division.splits))
    with pytest.raises(OptionError, match="`validation_percentage`"):
        check_fine_tuning(given.backbone, without)
    with pytest.raises(OptionError, match="three different photos"):
        check_fine_tuning(given.backbone, replace(given.division, folds=(0,) * len(given.photos)))


def test_a_folder_that_cannot_be_written_gives_a_sentence(given: Given, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(BackboneError, match="cannot be written"):
        given.tune(tmp_path / "file" / "weights", recipe=replace(RECIPE, epochs=1))


def _never(progress: EpochProgress) -> None:
    raise AssertionError("nothing was to be trained")
