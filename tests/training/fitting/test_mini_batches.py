from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from blobs import NOBODY, assert_same, blobs, fit

from retrain.core.errors import OptionError
from retrain.training.fitting.checkpoint import State
from retrain.training.fitting.convergence import fit_to_convergence
from retrain.training.fitting.mini_batches import _batches, _fold, _Trainer, fit_mini_batches
from retrain.training.fitting.sample import Sample, Standardised
from retrain.training.head import Head, class_weights, log_softmax
from retrain.training.recipe import HeadConfig, choose_recipe

STEPS = {"how_many_training_steps": 200, "learning_rate": 0.3, "train_batch_size": 16}


def accuracy(head: Head, sample: Sample) -> float:
    return float((head.probabilities(sample.bottlenecks).argmax(axis=1) == sample.classes).mean())


# Training


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "adamw"])
@pytest.mark.parametrize("hidden_units", [(), (16,), (12, 8)])
def test_every_optimizer_learns_with_and_without_hidden_layers(optimizer: str, hidden_units: tuple[int, ...]) -> None:
    unseen = blobs(spread=0.5, seed=5)
    rate = 0.3 if optimizer == "sgd" else 0.03
    found = fit(
        blobs(spread=0.5),
        blobs(spread=0.5, seed=1),
        optimizer=optimizer,
        hidden_units=hidden_units,
        learning_rate=rate,
        epochs=40,
        train_batch_size=16,
    )
    assert found.head.sizes == (6, *hidden_units, 3)
    assert accuracy(found.head, unseen) > 0.95
    assert found.curve[-1].training_cross_entropy < 0.5 * found.curve[0].training_cross_entropy


@pytest.mark.parametrize("activation", ["relu", "gelu", "tanh"])
def test_head_in_numpy_is_the_network_that_was_trained(activation: str) -> None:
    """The layers as Keras has them, on standardised bottlenecks, against the folded head on raw ones."""
    import keras

    sample = blobs()
    recipe = choose_recipe(HeadConfig(hidden_units=(9, 5), activation=activation, epochs=1))
    trainer = _Trainer(6, 3, recipe, 1, None)
    layers = [keras.layers.Dense(units, activation=activation) for units in (9, 5)]
    model = keras.Sequential([keras.Input((6,)), *layers, keras.layers.Dense(3)])
    random = np.random.default_rng(3)
    values = [random.normal(size=value.shape).astype(np.float32) for value in trainer.values()]
    model.set_weights(values)
    trainer.restore(State({f"variables/{i}": v for i, v in enumerate(values)} | optimizer_arrays(trainer), {}))
    standardised = Standardised(sample)
    x = (sample.bottlenecks - standardised.mean) / standardised.scale
    head = _fold(trainer.values(), activation, standardised)
    assert np.allclose(head.logits(sample.bottlenecks), model(x).numpy(), atol=1e-4)


def optimizer_arrays(trainer: _Trainer) -> dict[str, np.ndarray]:
    return {name: array for name, array in trainer.state().items() if name.startswith("optimizer/")}


def test_xor_needs_a_hidden_layer() -> None:
    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    sample = Sample(np.tile(corners, (20, 1)), np.tile([0, 1, 1, 0], 20))
    linear = fit(sample, sample, 2, optimizer="adam", learning_rate=0.05, epochs=100)
    deep = fit(sample, sample, 2, hidden_units=(16,), learning_rate=0.05, epochs=100)
    assert accuracy(linear.head, sample) <= 0.75
    assert accuracy(deep.head, sample) == 1.0


def test_plain_sgd_is_the_documented_formula() -> None:
    """Three steps, written independently in float64."""
    sample = blobs(n=20)
    recipe = choose_recipe(
        HeadConfig(how_many_training_steps=3, learning_rate=0.2, train_batch_size=8, label_smoothing=0.1, l2=0.05),
        seed=4,
    )
    x = sample.bottlenecks.astype(np.float64)
    x = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0).mean())
    kernel, bias = np.zeros((6, 3)), np.zeros(3)
    order = np.random.default_rng([4, 0]).permutation(20)
    for positions in (order[:8], order[8:16], order[16:]):
        logits = x[positions] @ kernel + bias
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        error = (p - np.eye(3)[sample.classes[positions]] * 0.9 - 0.1 / 3) / len(positions)
        kernel, bias = (
            kernel - 0.2 * (x[positions].T @ error + 0.05 * kernel),
            bias - 0.2 * error.sum(axis=0),
        )
    trainer = _Trainer(6, 3, recipe, 3, None)
    for number, (positions, batch) in enumerate(Standardised(sample).batches(_batches(20, 8, 4, 0))):
        if number == 3:
            break
        trainer.step(batch, sample.classes[positions], number)
    assert np.allclose(trainer.values()[0], kernel, atol=1e-5)
    assert np.allclose(trainer.values()[1], bias, atol=1e-5)


def test_best_evaluation_is_kept_not_the_last() -> None:
    # Few noisy photos and a high learning rate: validation gets worse as training goes on.
    training, validation = blobs(n=12, spread=4.0), blobs(spread=4.0, seed=1)
    found = fit(training, validation, how_many_training_steps=300, learning_rate=2.0, train_batch_size=4)
    losses = {point.step: point.validation_cross_entropy for point in found.curve}
    assert losses[299] > losses[found.description["best_step"]] == min(losses.values())
    log_p = log_softmax(found.head.logits(validation.bottlenecks))
    assert -log_p[np.arange(60), validation.classes].mean() == pytest.approx(min(losses.values()), abs=1e-6)


def test_without_validation_photos_the_last_step_is_kept() -> None:
    found = fit(blobs(), NOBODY, **STEPS)
    assert found.description["best_step"] == 199
    assert {point.validation_accuracy for point in found.curve} == {None}


def test_training_figures_are_means_over_the_batches_since_the_last_evaluation() -> None:
    seen: list[tuple[float, int]] = []
    real = _Trainer.step

    def watched(self: _Trainer, *arguments: object) -> tuple[float, int]:
        seen.append(real(self, *arguments))
        return seen[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Trainer, "step", watched)
        found = fit(blobs(), blobs(seed=1), **{**STEPS, "how_many_training_steps": 12})
    assert [point.step for point in found.curve] == [0, 10, 11]
    losses, right = np.array(seen).T
    photos = np.array([16, 16, 16, 12] * 3)
    for point, part in zip(found.curve, (slice(0, 1), slice(1, 11), slice(11, 12)), strict=True):
        assert point.training_cross_entropy == pytest.approx(losses[part].sum() / photos[part].sum())
        assert point.training_accuracy == pytest.approx(right[part].sum() / photos[part].sum())


def test_epochs_are_evaluated_at_their_ends() -> None:
    found = fit(blobs(), blobs(seed=1), epochs=3, train_batch_size=25)
    assert [point.step for point in found.curve] == [2, 5, 8]
    assert {point.total for point in found.curve} == {9}
    found = fit(blobs(), blobs(seed=1), epochs=3, train_batch_size=25, eval_step_interval=4)
    assert [point.step for point in found.curve] == [0, 4, 8]


def test_seed_decides_the_weights_and_the_batches() -> None:
    for asked in (STEPS, {"hidden_units": (4,), "dropout": 0.2, "epochs": 3}):
        heads = [fit(blobs(), blobs(seed=1), **asked, seed=seed).head for seed in (1, 1, 2, 2**70)]
        assert_same(heads[0], heads[1])
        for other in heads[2:]:
            assert not np.array_equal(heads[0].kernel, other.kernel)


def test_every_photo_is_in_one_batch_of_an_epoch() -> None:
    batches = _batches(11, 4, 0, 0)
    epochs = [[next(batches) for _ in range(3)] for _ in range(3)]
    for epoch in epochs:
        assert [len(batch) for batch in epoch] == [4, 4, 3]
        assert sorted(np.concatenate(epoch)) == list(range(11))
    assert not np.array_equal(np.concatenate(epochs[0]), np.concatenate(epochs[1]))


@pytest.mark.parametrize("first", [0, 1, 2, 3, 7, 300])
def test_batches_of_a_step_depend_on_nothing_but_the_seed(first: int) -> None:
    whole = list(islice(_batches(11, 4, 5, 0), first + 4))
    later = list(islice(_batches(11, 4, 5, first), 4))
    assert all(np.array_equal(one, other) for one, other in zip(whole[first:], later, strict=True))


def test_batch_larger_than_the_sample_takes_all_of_it() -> None:
    few = blobs(n=5)
    heads = [fit(few, NOBODY, how_many_training_steps=5, train_batch_size=size, seed=1).head for size in (100, 5)]
    assert_same(*heads)


def test_validation_batch_size_limits_the_photos_looked_at() -> None:
    validation = blobs(seed=1)
    limited = fit(blobs(), validation, **STEPS, validation_batch_size=7)
    seven = fit(blobs(), validation.take(np.arange(7)), **STEPS)
    everything = fit(blobs(), validation, **STEPS)
    assert limited.curve == seven.curve != everything.curve


def test_a_memmap_read_batch_by_batch_gives_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = blobs(n=900, spread=2.0)
    everything.matrix.tofile(tmp_path / "matrix")
    mapped = Sample(np.memmap(tmp_path / "matrix", np.float32, "r", shape=(900, 6)), everything.classes)
    training = np.random.default_rng(0).random(900) < 0.7
    in_memory = fit(everything.take(training), everything.take(~training), **STEPS).head
    monkeypatch.setattr("retrain.training.fitting.sample.KEPT_BYTES", 0)
    assert_same(in_memory, fit(mapped.take(training), mapped.take(~training), **STEPS).head)


@pytest.mark.parametrize("rate", [1e38, 1e30])
def test_diverging_training_is_a_sentence(rate: float) -> None:
    with pytest.raises(OptionError, match="`learning_rate`"):
        fit(blobs(), blobs(seed=1), hidden_units=(8,), optimizer="sgd", learning_rate=rate, epochs=5)


def test_training_that_diverges_later_keeps_what_was_good() -> None:
    # Two photos an epoch: the first step is small, then it explodes.
    found = fit(blobs(), blobs(seed=1), optimizer="sgd", hidden_units=(64, 64), learning_rate=30.0, epochs=50, l2=0.9)
    assert np.isfinite(found.head.kernel).all()
    assert len(found.curve) < 50


def test_photos_that_are_all_alike_are_harmless() -> None:
    sample = Sample(np.ones((6, 6), np.float32), np.array([0, 0, 0, 0, 1, 1]))
    found = fit(sample, NOBODY, 2, hidden_units=(4,), learning_rate=0.1, epochs=200)
    assert np.allclose(found.head.probabilities(sample.bottlenecks), [4 / 6, 2 / 6], atol=0.02)


def test_description_says_what_was_asked_for_and_what_came_of_it() -> None:
    plain = fit(blobs(), NOBODY, **STEPS).description
    assert plain == {
        "optimizer": "sgd",
        "learning_rate": 0.3,
        "learning_rate_schedule": "constant",
        "steps": 200,
        "best_step": 199,
        "batch_size": 16,
    }
    deep = fit(
        blobs(), NOBODY, hidden_units=(4, 3), dropout=0.1, epochs=2, l2=0.01, label_smoothing=0.1,
        class_weight="balanced",
    ).description  # fmt: skip
    assert (deep["hidden_units"], deep["activation"], deep["dropout"], deep["epochs"]) == ([4, 3], "relu", 0.1, 2)
    assert (deep["l2"], deep["label_smoothing"], deep["class_weight"]) == (0.01, 0.1, "balanced")


def test_observer_sees_the_curve() -> None:
    seen: list[object] = []
    found = fit_mini_batches(blobs(), blobs(seed=1), 3, choose_recipe(HeadConfig(epochs=3)), seen.append)
    assert tuple(seen) == found.curve


# The options' effects


def test_cosine_ends_at_almost_nothing_and_constant_does_not() -> None:
    rates = {}
    for schedule in ("cosine", "constant"):
        recipe = choose_recipe(
            HeadConfig(optimizer="sgd", learning_rate=0.4, learning_rate_schedule=schedule, epochs=10)
        )
        trainer = _Trainer(6, 3, recipe, 50, None)
        rates[schedule] = []
        for step in range(50):
            rates[schedule].append(float(trainer._optimizer.learning_rate))
            trainer.step(np.ones((4, 6), np.float32), np.array([0, 1, 2, 0]), step)
    assert rates["constant"] == [pytest.approx(0.4)] * 50
    expected = 0.2 * (1 + np.cos(np.pi * np.arange(50) / 50))
    assert np.allclose(rates["cosine"], expected, atol=1e-6)
    assert rates["cosine"][-1] < 0.001


def norm(head: Head) -> float:
    return float(np.sqrt(sum((kernel**2).sum() for kernel, _ in head.layers)))


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "adamw"])
def test_l2_shrinks_the_weights(optimizer: str) -> None:
    asked = {"optimizer": optimizer, "epochs": 60, "learning_rate": 0.05}
    free, held = (fit(blobs(), NOBODY, **asked, l2=l2).head for l2 in (0.0, 0.5))
    assert norm(held) < 0.8 * norm(free)


def test_l2_reaches_the_optimum_that_lbfgs_reaches() -> None:
    sample = blobs(spread=3.0)
    exact = fit_to_convergence(sample, NOBODY, 3, path=(0.1,)).head
    found = fit(sample, NOBODY, optimizer="sgd", l2=0.1, learning_rate=0.5, how_many_training_steps=1500).head
    assert np.abs(found.probabilities(sample.bottlenecks) - exact.probabilities(sample.bottlenecks)).max() < 0.01


def test_adamw_does_not_decay_biases() -> None:
    recipe = choose_recipe(HeadConfig(optimizer="adamw", l2=0.5, epochs=1))
    trainer = _Trainer(6, 3, recipe, 100, None)
    trainer.restore(
        State(
            {"variables/0": np.ones((6, 3), np.float32), "variables/1": np.ones(3, np.float32)}
            | optimizer_arrays(trainer),
            {},
        )
    )
    # The same bottleneck in every class, and scores that are right: nothing but decay moves the kernel.
    for step in range(20):
        trainer.step(np.zeros((3, 6), np.float32), np.arange(3), step)
    kernel, bias = trainer.values()
    assert (kernel < 0.995).all()
    assert (bias > 0.999).all()


def test_label_smoothing_lowers_the_greatest_probability() -> None:
    sample = blobs(spread=0.3)
    asked = {"optimizer": "adam", "learning_rate": 0.05, "epochs": 100}
    sharp, soft = (fit(sample, NOBODY, **asked, label_smoothing=s).head for s in (0.0, 0.3))
    assert sharp.probabilities(sample.bottlenecks).max() > 0.99
    assert soft.probabilities(sample.bottlenecks).max() < 0.9
    assert accuracy(soft, sample) == 1.0


def rare_class(seed: int = 0) -> Sample:
    """Two overlapping classes, one of them with a tenth of the photos."""
    random = np.random.default_rng(seed)
    labels = (np.arange(400) % 10 == 0).astype(np.intp)
    points = random.normal(size=(400, 6)) + labels[:, np.newaxis] * 0.8
    return Sample(points.astype(np.float32), labels)


@pytest.mark.parametrize("hidden_units", [(), (8,)])
def test_balanced_class_weights_raise_the_recall_of_a_rare_class(hidden_units: tuple[int, ...]) -> None:
    unseen = rare_class(seed=2)
    rare = unseen.classes == 1
    recalls = []
    for weight in (None, "balanced"):
        found = fit(
            rare_class(), rare_class(seed=1), 2,
            hidden_units=hidden_units, class_weight=weight, learning_rate=0.02, epochs=60,
        )  # fmt: skip
        answers = found.head.probabilities(unseen.bottlenecks).argmax(axis=1)
        recalls.append((answers[rare] == 1).mean())
    assert recalls[1] > recalls[0] + 0.15


def test_balanced_weights_are_one_on_average_and_equal_by_class() -> None:
    labels = np.array([0, 0, 0, 0, 0, 0, 2, 2])
    weights = class_weights(labels, 4)
    assert weights[labels].mean() == pytest.approx(1)
    assert weights[0] * 6 == pytest.approx(weights[2] * 2)
    assert weights[1] == weights[3] == 0


def test_dropout_narrows_the_gap_between_training_and_validation() -> None:
    training, validation = blobs(spread=4.0), blobs(n=600, spread=4.0, seed=1)
    gaps = []
    for dropout in (0.0, 0.6):
        found = fit(
            training, NOBODY, hidden_units=(64,), dropout=dropout, learning_rate=0.01, epochs=100, train_batch_size=20
        )
        losses = []
        for sample in (training, validation):
            log_p = log_softmax(found.head.logits(sample.bottlenecks))
            losses.append(-log_p[np.arange(len(sample)), sample.classes].mean())
        gaps.append(losses[1] - losses[0])
    assert gaps[1] < 0.7 * gaps[0]


def test_dropout_of_a_step_is_that_of_the_seed_and_the_step() -> None:
    recipe = choose_recipe(HeadConfig(hidden_units=(50,), dropout=0.5, epochs=1, optimizer="sgd", learning_rate=1e-9))
    trainer, other = _Trainer(6, 3, recipe, 10, None), _Trainer(6, 3, replace(recipe, seed=1), 10, None)
    other.restore(State(trainer.state(), {}))
    batch, labels = np.ones((9, 6), np.float32), np.arange(9) % 3
    losses = [trainer.step(batch, labels, step)[0] for step in (0, 1, 0)]
    assert losses[0] == pytest.approx(losses[2], rel=1e-5)
    assert losses[0] != pytest.approx(losses[1], rel=1e-5)
    assert losses[0] != pytest.approx(other.step(batch, labels, 0)[0], rel=1e-5)


def test_early_stopping_stops_and_keeps_the_best() -> None:
    training, validation = blobs(n=20, dim=20, spread=6.0), blobs(n=200, dim=20, spread=6.0, seed=1)
    asked = {"hidden_units": (32,), "learning_rate": 0.02, "epochs": 80, "train_batch_size": 10}
    stopped = fit(training, validation, **asked, early_stopping_patience=4)
    patient = fit(training, validation, **asked, early_stopping_patience=80)
    losses = [point.validation_cross_entropy for point in stopped.curve]
    assert len(losses) < 80 == len(patient.curve)
    assert len(losses) - 1 - int(np.argmin(losses)) == 4
    assert stopped.curve == patient.curve[: len(losses)]
    log_p = log_softmax(stopped.head.logits(validation.bottlenecks))
    assert -log_p[np.arange(200), validation.classes].mean() == pytest.approx(min(losses), abs=1e-5)


def test_patience_without_validation_photos_stops_nothing() -> None:
    assert len(fit(blobs(), NOBODY, epochs=30, early_stopping_patience=1).curve) == 30
