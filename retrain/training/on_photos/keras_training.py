"""A training loop over photos: gradient steps on a network that Keras built, with early stopping.

Used where the network itself learns (`fine_tune`, `small_cnn`); a head on cached bottlenecks needs none of this.
Imports TensorFlow.

The order of the photos and their augmentation depend on the seed and the epoch; the learning rate on
the step. So a training that goes on from its checkpoint is the one that was never stopped.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from retrain.core.tensorflow import tf
from retrain.training.metrics import Probabilities
from retrain.training.on_photos.checkpoint import TrainingCheckpoint, TrainingState, restore, values
from retrain.training.on_photos.photo_batches import Augment, Distortion, PhotoSet, batches_in_order, training_batches

EVALUATION_BATCH = 32

# float32 RGB (n, size, size, 3) 0..255, and whether this is a training step -> logits (n, classes).
Forward = Callable[[Any, bool], Any]


@dataclass(frozen=True)
class Learner:
    """A network that learns. `trained` are the variables that gradients change.

    `averages` are those that change without a gradient: the moving averages of batch norms in training.
    """

    forward: Forward
    trained: Sequence[Any]
    averages: Sequence[Any] = ()

    @property
    def variables(self) -> list[Any]:
        """All that training changes."""
        return [*self.trained, *self.averages]


@dataclass(frozen=True)
class Recipe:
    """How to train. The learning rate rises during the first tenth of the steps, then falls as a cosine to 0.

    Training ends after `epochs`, or when for `patience` epochs none had a lower validation cross-entropy
    than all epochs before it. `weight_decay` is that of AdamW, on kernels alone; momentum has none.
    """

    optimizer: Literal["adamw", "momentum"]
    learning_rate: float
    epochs: int
    patience: int
    batch_size: int = 32
    weight_decay: float = 0.0


@dataclass(frozen=True)
class TrainingConfig:
    """How to train, and where an interrupted training goes on from its last epoch: nowhere without `checkpoint_dir`.

    `origin` is what else a checkpoint belongs to, such as the options of the head (not its numbers, whose last
    digits depend on the machine).
    """

    recipe: Recipe
    augment: Augment = Distortion()
    seed: int = 0
    checkpoint_dir: Path | None = None
    origin: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True)
class Epoch:
    """One point of a learning curve; number 0 is the network before its first step.

    The training figures are means over the epoch's steps, on augmented photos, while the network
    changed (None for number 0). `seconds` is the time spent up to here, earlier sessions included.
    """

    number: int
    training_cross_entropy: float | None
    training_accuracy: float | None
    validation_cross_entropy: float
    validation_accuracy: float
    seconds: float


@dataclass(frozen=True)
class EpochProgress:
    """Where a training is: after batch `batch` of `batches` in epoch `epoch` of at most `epochs`.

    The figures are means over this epoch so far; `validation` is set with its last batch.
    `seconds_left` is an upper bound: early stopping may end it sooner.
    """

    epoch: int
    epochs: int
    batch: int
    batches: int
    training_cross_entropy: float
    training_accuracy: float
    validation: Epoch | None
    seconds_left: float


Observer = Callable[[EpochProgress], None]


@dataclass(frozen=True)
class Training:
    """A finished training; the network holds the variables of `best`, a point of `curve`.

    `stopped` says why it ended: all epochs done, no more gain, or a loss that is not finite.
    """

    curve: tuple[Epoch, ...]
    best: Epoch
    stopped: Literal["epochs", "patience", "diverged"]

    @property
    def seconds(self) -> float:
        """Time spent in all."""
        return self.curve[-1].seconds


def train(
    learner: Learner,
    training: PhotoSet,
    validation: PhotoSet,
    config: TrainingConfig,
    *,
    checkpoint: TrainingCheckpoint | None = None,
    observe: Observer = lambda progress: None,
) -> Training:
    """Train until the epochs are over or validation gets no better; the best epoch is put back at the end.

    The best epoch may be worse than the beginning, which is point 0 of the curve; it is the beginning only
    where no epoch came to its end, because the loss was not finite. With a checkpoint, training goes on
    after the last epoch that it holds, and is kept after each epoch; `epochs` may be larger than before,
    the rest then follows the longer schedule. Both sets need photos. Raises CheckpointError for one of
    something else, DatasetError for photos that are gone.
    """
    recipe = config.recipe
    steps = -(-len(training) // recipe.batch_size)
    optimizer = _optimizer(recipe, steps)
    optimizer.build(learner.trained)
    step = _step_function(learner, optimizer, training.preprocessing.size)
    evaluate = _evaluation(learner, validation)
    state = checkpoint.load() if checkpoint else None
    if state is None:
        curve, best_values = [evaluate(0, None, 0.0)], values(learner.variables)
    else:
        curve, best_values = [Epoch(**point) for point in state.record["curve"]], state.best
        restore(learner.variables, state.variables)
        restore(optimizer.variables, state.optimizer)
    diverged = False
    while _goes_on(curve, recipe):
        number, began = len(curve), time.perf_counter()
        batches = training_batches(training, recipe.batch_size, config.augment, config.seed, number)
        figures = _one_epoch(step, batches, number, steps, recipe.epochs, observe)
        if figures is None:
            diverged = True
            break
        point = evaluate(number, figures, curve[-1].seconds - began)
        diverged = not math.isfinite(point.validation_cross_entropy)
        if diverged:
            break
        curve.append(point)
        if point is _best(curve):
            best_values = values(learner.variables)
        if checkpoint:
            record = {"curve": [asdict(epoch) for epoch in curve]}
            checkpoint.save(TrainingState(values(learner.variables), best_values, values(optimizer.variables), record))
        left = (point.seconds - curve[-2].seconds) * (recipe.epochs - number)
        observe(EpochProgress(number, recipe.epochs, steps, steps, *figures, point, left))
    restore(learner.variables, best_values)
    stopped: Literal["epochs", "patience", "diverged"]
    stopped = "diverged" if diverged else "epochs" if len(curve) > recipe.epochs else "patience"
    return Training(tuple(curve), _best(curve), stopped)


def _one_epoch(
    step: Any, batches: Iterable[tuple[Any, Any]], number: int, steps: int, epochs: int, observe: Observer
) -> tuple[float, float] | None:
    """Train on each batch once: the mean loss and accuracy, or None where the loss is not finite any more."""
    began = time.perf_counter()
    loss = right = photos = 0.0
    for batch, (pixels, classes) in enumerate(batches, start=1):
        batch_loss, batch_right = step(pixels, classes)
        loss, right, photos = loss + float(batch_loss), right + float(batch_right), photos + len(classes)
        if not math.isfinite(loss):
            return None
        if batch < steps:
            left = (time.perf_counter() - began) * (steps * (epochs - number + 1) / batch - 1)
            observe(EpochProgress(number, epochs, batch, steps, loss / photos, right / photos, None, left))
    return loss / photos, right / photos


def predict(forward: Forward, photos: PhotoSet, classes: int) -> Probabilities:
    """Class probabilities (n, classes), float32, of all photos in order."""
    if not len(photos):
        return np.zeros((0, classes), np.float32)
    logits = _logits(_forward_function(forward, photos), photos)
    return np.asarray(tf.nn.softmax(logits).numpy(), np.float32)


def count_parameters(variables: Iterable[Any]) -> int:
    """How many numbers Keras variables hold."""
    return sum(math.prod(variable.shape) for variable in variables)


def _goes_on(curve: Sequence[Epoch], recipe: Recipe) -> bool:
    without_gain = curve[-1].number - _best(curve).number
    return curve[-1].number < recipe.epochs and without_gain < recipe.patience


def _best(curve: Sequence[Epoch]) -> Epoch:
    """The best epoch. The beginning is none: a converged head gets worse at first, and better as the rate falls."""
    return min(curve[1:] or curve, key=lambda point: point.validation_cross_entropy)


def _optimizer(recipe: Recipe, steps_per_epoch: int) -> Any:
    from retrain.core.keras import keras

    steps = recipe.epochs * steps_per_epoch
    warm_up = steps // 10
    rate = keras.optimizers.schedules.CosineDecay(
        recipe.learning_rate / 20, max(1, steps - warm_up), warmup_target=recipe.learning_rate, warmup_steps=warm_up
    )
    if warm_up == 0:
        rate = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, max(1, steps))
    if recipe.optimizer == "momentum":
        return keras.optimizers.SGD(rate, momentum=0.9, nesterov=True)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def _step_function(learner: Learner, optimizer: Any, size: int) -> Callable[[Any, Any], tuple[Any, Any]]:
    """One gradient step on a batch; gives the sum of its cross-entropies and how many answers were right."""
    trained = list(learner.trained)

    signature = (tf.TensorSpec((None, size, size, 3), tf.uint8), tf.TensorSpec((None,), tf.int64))

    @tf.function(input_signature=signature, autograph=False)  # which would leave files in the temporary folder
    def step(pixels: Any, classes: Any) -> tuple[Any, Any]:
        # Layers are marked as not trainable when a backbone is loaded, so the tape is told what to watch.
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([variable.value for variable in trained])
            logits = learner.forward(tf.cast(pixels, tf.float32), True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(classes, logits)
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, [variable.value for variable in trained])
        optimizer.apply(gradients, trained)
        right = tf.reduce_sum(tf.cast(tf.argmax(logits, axis=1) == classes, tf.float32))
        return tf.reduce_sum(losses), right

    run: Callable[[Any, Any], tuple[Any, Any]] = step
    return run


def _evaluation(learner: Learner, photos: PhotoSet) -> Callable[[int, tuple[float, float] | None, float], Epoch]:
    """A function that measures the network on the photos and makes a point of the curve of it."""
    run = _forward_function(learner.forward, photos)

    def evaluate(number: int, training: tuple[float, float] | None, clock_offset: float) -> Epoch:
        began = time.perf_counter()
        logits = _logits(run, photos)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(photos.classes, logits).numpy()
        accuracy = float((logits.argmax(axis=1) == photos.classes).mean())
        now = time.perf_counter()
        seconds = now - began if number == 0 else now + clock_offset
        training_loss, training_accuracy = training or (None, None)
        return Epoch(number, training_loss, training_accuracy, float(losses.mean()), accuracy, seconds)

    return evaluate


def _forward_function(forward: Forward, photos: PhotoSet) -> Callable[[npt.NDArray[np.uint8]], Any]:
    size = photos.preprocessing.size
    function: Callable[[npt.NDArray[np.uint8]], Any] = tf.function(
        lambda pixels: forward(tf.cast(pixels, tf.float32), False),
        input_signature=(tf.TensorSpec((None, size, size, 3), tf.uint8),),
        autograph=False,
    )
    return function


def _logits(run: Callable[[npt.NDArray[np.uint8]], Any], photos: PhotoSet) -> npt.NDArray[np.float32]:
    return np.concatenate([run(pixels).numpy() for pixels in batches_in_order(photos, EVALUATION_BATCH)])
