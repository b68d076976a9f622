"""How a head is to be trained: what the user asks for, checked and completed.

    nothing                                  lbfgs to convergence, L2 chosen by cross-validation
    --how_many_training_steps and the like   sgd at a constant learning rate, as the 2017 script (OF_2017)
    --hidden_units, --epochs, …              adam, cosine, early stopping

Nothing here is heavy: a combination that makes no sense is refused before any work.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from retrain.core.errors import OptionError
from retrain.core.typed import check_fields

OPTIMIZERS = ("lbfgs", "sgd", "momentum", "adam", "adamw")
ACTIVATIONS = ("relu", "gelu", "tanh")
SCHEDULES = ("constant", "cosine")
CLASS_WEIGHTS = ("balanced",)

EPOCHS = 100  # at most
PATIENCE = 10
STEPS_OF_2017 = 4000
EVAL_STEP_INTERVAL = 10
BATCH_SIZE = 100
LEARNING_RATES = {"sgd": 0.01, "momentum": 0.01, "adam": 0.001, "adamw": 0.001}
WEIGHT_DECAY = 0.004  # of adamw, Keras's default
# Fields of mini-batches that the script of 2017 had, too.
OF_2017 = {
    "how_many_training_steps",
    "learning_rate",
    "train_batch_size",
    "validation_batch_size",
    "eval_step_interval",
}
# More than anybody means; what is beyond would fill the memory, or overflow.
MOST_UNITS = 16384
MOST_COUNT = 10**9
MOST_L2 = 1e6

Description = dict[str, Any]  # how a head was trained, as `head` of the manifest says it: plain JSON


@dataclass(frozen=True)
class HeadRecipe:
    """How a head is trained, nothing left open; made by `choose_recipe`.

    `l2` is a penalty l2 / 2 * ||W||^2 on the kernels, for standardised bottlenecks; None (lbfgs alone): chosen by
    cross-validation, or on the validation photos of one split. For adamw it is the decoupled weight decay. Of `epochs`
    and `steps` one is set, for lbfgs neither. Evaluations come each epoch, or every `eval_step_interval` steps where
    that is set; `early_stopping_patience` counts them (None: never stop early). `validation_batch_size`
    limits the validation photos that an evaluation looks at; -1: all.
    """

    optimizer: str = "lbfgs"
    l2: float | None = None
    label_smoothing: float = 0.0
    class_weight: str | None = None
    hidden_units: tuple[int, ...] = ()
    activation: str = "relu"
    dropout: float = 0.0
    epochs: int | None = None
    steps: int | None = None
    learning_rate: float = 0.0
    learning_rate_schedule: str = "constant"
    batch_size: int = BATCH_SIZE
    eval_step_interval: int | None = None
    validation_batch_size: int = -1
    early_stopping_patience: int | None = None
    seed: int = 0

    def total_steps(self, photos: int) -> int:
        """The optimiser's steps on so many training photos, if nothing stops it early."""
        if self.steps is not None:
            return self.steps
        return (self.epochs or 0) * self.steps_per_epoch(photos)

    def steps_per_epoch(self, photos: int) -> int:
        """Batches that cover so many photos once; the last may be smaller."""
        return max(1, math.ceil(photos / self.batch_size))

    def loss_description(self) -> Description:
        """What is special about the loss, for the manifest."""
        special: Description = {}
        if self.l2 is not None and (self.l2 or self.optimizer == "lbfgs"):
            special["l2"] = self.l2
        if self.label_smoothing:
            special["label_smoothing"] = self.label_smoothing
        if self.class_weight:
            special["class_weight"] = self.class_weight
        return special

    def identity(self) -> dict[str, str | int | float]:
        """What a training that goes on must have in common with the one that was stopped.

        Epochs, steps and patience are not in it: those may be raised.
        """
        plain = {**asdict(self), "hidden_units": ",".join(map(str, self.hidden_units)) or "none"}
        for name in ("epochs", "steps", "early_stopping_patience"):
            del plain[name]
        if not self.hidden_units:
            del plain["activation"], plain["dropout"]
        if self.optimizer == "lbfgs":
            for name in ("learning_rate", "learning_rate_schedule", "batch_size", "eval_step_interval", "seed"):
                del plain[name]
            del plain["validation_batch_size"]
        return {name: "none" if value is None else value for name, value in plain.items()}


@dataclass(frozen=True)
class HeadConfig:
    """What is asked of the training of a head; `choose_recipe` completes it.

    None stands for "not asked for", and so does the default of a batch size. `test_batch_size` photos are tested at a
    time, which changes no result; -1: as many as is good. Raises OptionError for a value out of range, and for what
    does not go together.
    """

    optimizer: str | None = None
    l2: float | None = None
    label_smoothing: float = 0.0
    class_weight: str | None = None
    hidden_units: tuple[int, ...] = ()
    activation: str | None = None
    dropout: float | None = None
    epochs: int | None = None
    how_many_training_steps: int | None = None
    learning_rate: float | None = None
    learning_rate_schedule: str | None = None
    train_batch_size: int = BATCH_SIZE
    eval_step_interval: int | None = None
    validation_batch_size: int = -1
    test_batch_size: int = -1
    early_stopping_patience: int | None = None

    def __post_init__(self) -> None:
        if isinstance(self.hidden_units, list):
            object.__setattr__(self, "hidden_units", tuple(self.hidden_units))
        check_fields(self)
        _check_names(
            {
                "optimizer": (self.optimizer, OPTIMIZERS),
                "activation": (self.activation, ACTIVATIONS),
                "learning_rate_schedule": (self.learning_rate_schedule, SCHEDULES),
                "class_weight": (self.class_weight, CLASS_WEIGHTS),
            }
        )
        _check_ranges(self)
        _check_counts(
            {
                "epochs": self.epochs,
                "how_many_training_steps": self.how_many_training_steps,
                "train_batch_size": self.train_batch_size,
                "eval_step_interval": self.eval_step_interval,
                "early_stopping_patience": self.early_stopping_patience,
            }
        )
        _check_together(self)

    @property
    def of_mini_batches(self) -> list[str]:
        """The fields that were asked for and that only training by mini-batches has."""
        values = {
            "hidden_units": self.hidden_units or None,
            "epochs": self.epochs,
            "how_many_training_steps": self.how_many_training_steps,
            "learning_rate": self.learning_rate,
            "learning_rate_schedule": self.learning_rate_schedule,
            "early_stopping_patience": self.early_stopping_patience,
            "train_batch_size": None if self.train_batch_size == BATCH_SIZE else self.train_batch_size,
            "validation_batch_size": None if self.validation_batch_size == -1 else self.validation_batch_size,
            "eval_step_interval": self.eval_step_interval,
        }
        return [field for field, value in values.items() if value is not None]

    @property
    def chosen_optimizer(self) -> str:
        """The optimizer that was asked for, or the one that goes with the rest."""
        if self.optimizer is not None:
            return self.optimizer
        if not self.of_mini_batches:
            return "lbfgs"
        return "sgd" if set(self.of_mini_batches) <= OF_2017 else "adam"

    @property
    def remark(self) -> str | None:
        """What is said where an option of mini-batches has chosen them for a linear head, and nobody named them."""
        asked = self.of_mini_batches
        if self.optimizer is not None or self.hidden_units or not asked:
            return None
        return (
            f"`{asked[0]}` asks for mini-batches, by {self.chosen_optimizer}: without it the head is fitted to "
            "convergence, by lbfgs."
        )


def _check_names(values: Mapping[str, tuple[str | None, tuple[str, ...]]]) -> None:
    for field, (value, names) in values.items():
        if value is not None and value not in names:
            raise OptionError(f"`{field}` {value} is not known; choose from {', '.join(names)}.")


def _check_counts(values: Mapping[str, int | None]) -> None:
    for field, value in values.items():
        if value is not None and value < 1:
            raise OptionError(f"`{field}` {value} must be at least 1.")
        if value is not None and value > MOST_COUNT:
            raise OptionError(f"`{field}` {value} must be at most {MOST_COUNT}.")


def _check_ranges(config: HeadConfig) -> None:
    # Written so that NaN is refused too.
    if config.l2 is not None and not 0 <= config.l2 <= MOST_L2:
        raise OptionError(f"`l2` {config.l2:g} must be a number from 0 to {MOST_L2:g}.")
    if not 0 <= config.label_smoothing < 1:
        raise OptionError(
            f"`label_smoothing` {config.label_smoothing:g} must be at least 0 and less than 1; 0.1 is usual."
        )
    if config.dropout is not None and not 0 <= config.dropout < 1:
        raise OptionError(f"`dropout` {config.dropout:g} must be at least 0 and less than 1; 0.2 is usual.")
    if config.learning_rate is not None and not 0 < config.learning_rate < math.inf:
        raise OptionError(f"`learning_rate` {config.learning_rate:g} must be a number greater than 0.")
    if any(not 1 <= units <= MOST_UNITS for units in config.hidden_units):
        shown = ",".join(map(str, config.hidden_units))
        raise OptionError(f"`hidden_units` {shown}: each layer needs from 1 to {MOST_UNITS} units.")


def _check_together(config: HeadConfig) -> None:
    for field, value in (("dropout", config.dropout), ("activation", config.activation)):
        if value is not None and not config.hidden_units:
            raise OptionError(f"`{field}` belongs to hidden layers: add `hidden_units`, or leave it out.")
    if config.epochs is not None and config.how_many_training_steps is not None:
        raise OptionError("`epochs` and `how_many_training_steps` both say how long to train: use one of them.")
    if config.chosen_optimizer == "lbfgs":
        if config.of_mini_batches:
            raise OptionError(
                f"`optimizer` lbfgs fits a linear head to convergence, without `{config.of_mini_batches[0]}`: "
                "leave one of the two out, or choose sgd, momentum, adam or adamw."
            )
        if config.l2 == 0:
            raise OptionError("`l2` 0 leaves lbfgs no optimum to converge to: use a small number, such as 0.0001.")


def choose_recipe(config: HeadConfig = HeadConfig(), seed: int = 0) -> HeadRecipe:
    """The recipe for what was asked for; `seed` is that of mini-batches."""
    optimizer = config.chosen_optimizer
    if optimizer == "lbfgs":
        return HeadRecipe(l2=config.l2, label_smoothing=config.label_smoothing, class_weight=config.class_weight)
    epochs, steps = config.epochs, config.how_many_training_steps
    if steps is None and epochs is None:
        asked = config.of_mini_batches
        if asked and set(asked) <= OF_2017 and optimizer == "sgd":
            steps = STEPS_OF_2017
        else:
            epochs = EPOCHS
    interval, patience = config.eval_step_interval, config.early_stopping_patience
    if interval is None and epochs is None:
        interval = EVAL_STEP_INTERVAL
    if patience is None and epochs is not None:
        patience = PATIENCE
    return HeadRecipe(
        optimizer,
        (WEIGHT_DECAY if optimizer == "adamw" else 0.0) if config.l2 is None else config.l2,
        config.label_smoothing,
        config.class_weight,
        tuple(config.hidden_units),
        config.activation or "relu",
        config.dropout or 0.0,
        epochs,
        steps,
        config.learning_rate or LEARNING_RATES[optimizer],
        config.learning_rate_schedule or ("constant" if optimizer == "sgd" else "cosine"),
        config.train_batch_size,
        interval,
        config.validation_batch_size,
        patience,
        seed,
    )
