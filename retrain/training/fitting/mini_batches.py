"""Training a head by mini-batches with Keras's optimisers: linear or with hidden layers.

Imports TensorFlow; imported only when such a training is asked for.

What a step does depends on the recipe, the variables and the number of the step alone: the order of
the photos comes from the seed and the epoch, dropout from the seed and the step, the learning rate from
the step. So a training that goes on from a checkpoint is the one that was never stopped.
"""

import math
from collections.abc import Iterator
from dataclasses import astuple
from itertools import count, pairwise
from typing import Any

import numpy as np

from retrain.core.errors import OptionError
from retrain.core.tensorflow import tf
from retrain.training.fitting.checkpoint import Slot, State
from retrain.training.fitting.sample import Rows, Sample, Standardised
from retrain.training.head import Fit, Head, Hidden, Matrix, Observer, Progress, class_weights, fold, score
from retrain.training.recipe import Description, HeadRecipe

MOMENTUM = 0.9


def fit_mini_batches(
    training: Sample,
    validation: Sample,
    classes: int,
    recipe: HeadRecipe,
    observe: Observer = lambda progress: None,
    slot: Slot | None = None,
    stop_after: int | None = None,
) -> Fit:
    """Train as the recipe says, on standardised bottlenecks; keep the weights that were best.

    The best are those with the lowest cross-entropy on the validation photos, at one of the
    evaluations; without validation photos, those of the last evaluation. The training figures of the curve are
    means over the batches since the evaluation before. `stop_after` ends the training after so many steps of
    its plan. Raises OptionError if the training diverges before its first evaluation, CheckpointError if
    the slot's state is not one of such a training.
    """
    slot = slot or Slot()
    if recipe.validation_batch_size > 0:
        validation = validation.take(np.arange(min(recipe.validation_batch_size, len(validation))))
    standardised = Standardised(training)
    total = recipe.total_steps(len(training))
    weights = class_weights(training.classes, classes) if recipe.class_weight else None
    trainer = _Trainer(training.dim, classes, recipe, total, weights)
    history = _History(trainer.values())
    slot.restore(trainer, history)

    def state() -> State:
        arrays, values = history.state()
        return State({**trainer.state(), **arrays}, values)

    def evaluate() -> None:
        head = _fold(trainer.values(), recipe.activation, standardised)
        progress = history.progress(last + 1, head, validation, weights)
        observe(progress)
        history.judge(progress, trainer.values())

    last = min(total, stop_after or total) - 1
    patience = recipe.early_stopping_patience if len(validation) else None
    order = _batches(len(training), recipe.batch_size, recipe.seed, history.steps)
    for positions, batch in standardised.batches(order):
        if history.steps > last or history.ended(patience):
            break
        history.count(*trainer.step(batch, training.classes[positions], history.steps), len(positions))
        if _is_evaluated(history.steps - 1, recipe, len(training)):
            evaluate()
        slot.offer(state)
    slot.offer(state, finished=True)
    if history.steps > history.evaluated_steps:
        evaluate()  # not in the checkpoint: with more steps to come there is no evaluation here
    if history.best_step is None:
        raise OptionError(
            f"`learning_rate` {recipe.learning_rate:g} is too high: the training diverges; "
            f"try {recipe.learning_rate / 10:g}."
        )
    head = _fold(history.best, recipe.activation, standardised)
    return Fit(head, _description(recipe, total, history.best_step), tuple(history.curve))


class _Trainer:
    """The variables, the optimiser and the compiled step."""

    def __init__(self, dim: int, classes: int, recipe: HeadRecipe, total: int, class_weights: Matrix | None) -> None:
        # Here, and not above: it imports TensorFlow, whose chatter retrain.core.tensorflow turns down.
        from retrain.core.keras import keras

        self._variables = [keras.Variable(value) for value in _initial(dim, classes, recipe)]
        self._optimizer = _optimizer(recipe, total, self._variables)
        self._step = self._compile(dim, classes, recipe, class_weights)

    def step(self, batch: Matrix, classes: Rows, number: int) -> tuple[float, int]:
        """One step: the sum of the batch's cross-entropies before it, and how many answers were right."""
        # Tensors, as a concrete function wants them: calling it takes half the time of calling a tf.function.
        loss, right = self._step(tf.constant(batch), tf.constant(classes, tf.int64), tf.constant(number, tf.int64))
        return float(loss), int(right)

    def values(self) -> list[Matrix]:
        """Copies of the kernel and bias of each layer."""
        return [np.array(variable.numpy()) for variable in self._variables]

    def state(self) -> dict[str, Matrix]:
        """All that a step changes."""
        return {
            **{f"variables/{index}": value for index, value in enumerate(self.values())},
            **{f"optimizer/{index}": np.array(v.numpy()) for index, v in enumerate(self._optimizer.variables)},
        }

    def restore(self, state: State) -> None:
        """Put back what `state` gave. Raises KeyError or ValueError for something else."""
        for name, variables in (("variables", self._variables), ("optimizer", self._optimizer.variables)):
            for index, variable in enumerate(variables):
                variable.assign(state.arrays[f"{name}/{index}"])

    def _compile(self, dim: int, classes: int, recipe: HeadRecipe, weights: Matrix | None) -> Any:
        variables, optimizer = self._variables, self._optimizer
        activate = getattr(tf.nn, recipe.activation)
        hidden = len(recipe.hidden_units)
        seed = int(np.random.SeedSequence([recipe.seed, 1]).generate_state(1)[0])
        smoothing = recipe.label_smoothing
        penalty = recipe.l2 if recipe.l2 and recipe.optimizer != "adamw" else 0.0

        def forward(x: Any, values: list[Any], number: Any) -> Any:
            for layer in range(hidden):
                x = activate(tf.matmul(x, values[2 * layer]) + values[2 * layer + 1])
                if recipe.dropout:
                    chance = tf.stack([tf.constant(seed, tf.int64), number * hidden + layer])
                    x = tf.nn.experimental.stateless_dropout(x, recipe.dropout, seed=chance)
            return tf.matmul(x, values[-2]) + values[-1]

        def weigh(losses: Any, labels: Any) -> Any:
            return losses if weights is None else losses * tf.gather(tf.constant(weights), labels)

        def step(batch: Any, labels: Any, number: Any) -> tuple[Any, Any]:
            values = [variable.value for variable in variables]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(values)
                logits = forward(batch, values, number)
                plain = weigh(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits), labels)
                losses = plain
                if smoothing:
                    targets = tf.one_hot(labels, classes) * (1 - smoothing) + smoothing / classes
                    losses = weigh(tf.nn.softmax_cross_entropy_with_logits(targets, logits), labels)
                loss = tf.reduce_mean(losses)
                if penalty:
                    loss += penalty * tf.add_n([tf.nn.l2_loss(kernel) for kernel in values[::2]])
            optimizer.apply(tape.gradient(loss, values), variables)
            answers = tf.argmax(logits, axis=1, output_type=labels.dtype)
            return tf.reduce_sum(plain), tf.math.count_nonzero(answers == labels)

        signature = (
            tf.TensorSpec((None, dim), tf.float32),
            tf.TensorSpec((None,), tf.int64),
            tf.TensorSpec((), tf.int64),
        )
        return tf.function(step, input_signature=signature, autograph=False).get_concrete_function()


class _History:
    """How a training has gone so far: its curve, its best weights, the sums since the last evaluation."""

    def __init__(self, initial: list[Matrix]) -> None:
        self.steps = 0
        self.curve: list[Progress] = []
        self.best = initial
        self.best_step: int | None = None
        self._best_loss = math.inf
        self._worse = 0  # evaluations since the best
        self._diverged = False
        self._loss, self._right, self._photos = 0.0, 0, 0

    @property
    def evaluated_steps(self) -> int:
        """How many steps there were when the last evaluation came."""
        return self.curve[-1].step + 1 if self.curve else 0

    def count(self, loss: float, right: int, photos: int) -> None:
        """Add a step."""
        self.steps += 1
        self._loss += loss
        self._right += right
        self._photos += photos

    def progress(self, total: int, head: Head, validation: Sample, class_weights: Matrix | None) -> Progress:
        """The next point of the curve."""
        with np.errstate(over="ignore", invalid="ignore"):  # a loss that is not finite is never the best
            measured = score(head, validation, class_weights) if len(validation) else (None, None)
        accuracy, loss = self._right / self._photos, self._loss / self._photos
        return Progress(self.steps - 1, accuracy, loss, measured[0], measured[1], total)

    def judge(self, progress: Progress, weights: list[Matrix]) -> None:
        """Take a point into the curve, and its weights if they are the best so far."""
        self.curve.append(progress)
        self._loss, self._right, self._photos = 0.0, 0, 0
        loss = progress.validation_cross_entropy
        self._diverged = not math.isfinite(progress.training_cross_entropy if loss is None else loss)
        if not self._diverged and (loss is None or loss < self._best_loss):
            self.best, self.best_step, self._worse = weights, progress.step, 0
            self._best_loss = math.inf if loss is None else loss
        else:
            self._worse += 1

    def ended(self, patience: int | None) -> bool:
        """Whether nothing better is to be expected."""
        return self._diverged or (patience is not None and self._worse >= patience)

    def state(self) -> tuple[dict[str, Matrix], dict[str, Any]]:
        """Arrays and plain values for a checkpoint."""
        values = {
            "steps": self.steps,
            "best_step": self.best_step,
            "best_loss": self._best_loss,
            "worse": self._worse,
            "diverged": self._diverged,
            "since_evaluation": [self._loss, self._right, self._photos],
            "curve": [astuple(progress) for progress in self.curve],
        }
        return {f"best/{index}": value for index, value in enumerate(self.best)}, values

    def restore(self, state: State) -> None:
        """Put back what `state` gave. Raises KeyError, TypeError or ValueError for something else."""
        values = state.values
        best = [state.arrays[f"best/{index}"] for index in range(len(self.best))]
        if [(array.shape, array.dtype) for array in best] != [(array.shape, array.dtype) for array in self.best]:
            raise ValueError("its weights have other shapes")
        self.best = best
        self.steps, self.best_step = int(values["steps"]), values["best_step"]
        self._best_loss, self._worse = float(values["best_loss"]), int(values["worse"])
        self._diverged = bool(values["diverged"])
        self._loss, self._right, self._photos = values["since_evaluation"]
        self.curve = [Progress(*point) for point in values["curve"]]


def _initial(dim: int, classes: int, recipe: HeadRecipe) -> list[Matrix]:
    """Kernel and bias of each layer: zeros for a linear head, random before and after hidden layers."""
    random = np.random.default_rng([recipe.seed, 0])
    sizes = [dim, *recipe.hidden_units, classes]
    values: list[Matrix] = []
    for inputs, outputs in pairwise(sizes):
        # Glorot's variance for tanh and for the scores, He's for those that let half of their input pass.
        halved = len(values) < 2 * len(recipe.hidden_units) and recipe.activation != "tanh"
        deviation = math.sqrt(2 / inputs if halved else 2 / (inputs + outputs)) if recipe.hidden_units else 0.0
        kernel = random.normal(0, deviation, (inputs, outputs)) if deviation else np.zeros((inputs, outputs))
        values += [kernel.astype(np.float32), np.zeros(outputs, np.float32)]
    return values


def _optimizer(recipe: HeadRecipe, total: int, variables: list[Any]) -> Any:
    """Keras's optimiser for these variables, kernels and biases in turn."""
    from retrain.core.keras import keras

    rate: Any = recipe.learning_rate
    if recipe.learning_rate_schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, max(1, total))
    if recipe.optimizer == "adamw":
        optimizer = keras.optimizers.AdamW(rate, weight_decay=recipe.l2)
        optimizer.exclude_from_weight_decay(var_list=variables[1::2])
    elif recipe.optimizer == "adam":
        optimizer = keras.optimizers.Adam(rate)
    else:
        optimizer = keras.optimizers.SGD(rate, momentum=MOMENTUM if recipe.optimizer == "momentum" else 0.0)
    optimizer.build(variables)
    return optimizer


def _fold(values: list[Matrix], activation: str, standardised: Standardised) -> Head:
    """The head for raw bottlenecks of kernels and biases in turn: the first layer takes up the scaling."""
    kernel, bias = fold(values[0], values[1], standardised.mean, standardised.scale)
    layers = [(kernel, bias), *zip(values[2::2], values[3::2], strict=True)]
    return Head(*layers[-1], tuple(Hidden(*layer, activation) for layer in layers[:-1]))


def _batches(photos: int, size: int, seed: int, first_step: int) -> Iterator[Rows]:
    """Positions of the photos of each step from `first_step` on; each epoch is another permutation."""
    skipped = first_step % math.ceil(photos / size)
    for epoch in count(first_step // math.ceil(photos / size)):
        order = np.random.default_rng([seed, epoch]).permutation(photos)
        for start in range(skipped * size, photos, size):
            yield order[start : start + size]
        skipped = 0


def _is_evaluated(step: int, recipe: HeadRecipe, photos: int) -> bool:
    if recipe.eval_step_interval is not None:
        return step % recipe.eval_step_interval == 0
    return (step + 1) % recipe.steps_per_epoch(photos) == 0


def _description(recipe: HeadRecipe, total: int, best_step: int) -> Description:
    """What the manifest says of the head: what differs from a linear head without penalty, and where it stopped."""
    description: Description = {"optimizer": recipe.optimizer}
    if recipe.hidden_units:
        description["hidden_units"] = list(recipe.hidden_units)
        description["activation"] = recipe.activation
        description["dropout"] = recipe.dropout
    if recipe.epochs is not None:
        description["epochs"] = recipe.epochs
    description |= {
        "learning_rate": recipe.learning_rate,
        "learning_rate_schedule": recipe.learning_rate_schedule,
        "steps": total,
        "best_step": best_step,
        "batch_size": recipe.batch_size,
    }
    return description | recipe.loss_description()
