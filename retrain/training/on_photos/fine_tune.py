"""Fine-tuning: once the head has converged, the last layers of the backbone are trained too, in small steps.

It begins with the pretrained backbone, and keeps what the batch norms have learned (their statistics come
from a million photos; ours are few). The converged head stays as it is meanwhile: it would only lose the L2
penalty that holds it, and a new one is fitted at the end anyway (docs/fine_tuning.md has the figures). The
result is a backbone like any other, with a weights file of its own: its bottlenecks are cached under its own
fingerprint, and a head is fitted to them as always. Which of the two models is kept is up to
`retrain.training.on_photos.choice`.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from label_image.files import temporary_folder
from label_image.plain_paths import plain_path
from retrain.backbones.backbone import Backbone
from retrain.backbones.network import apply_arithmetic, load_network
from retrain.backbones.weights import file_sha256
from retrain.core.errors import BackboneError, OptionError
from retrain.photos.division import Division
from retrain.training.head import Head
from retrain.training.on_photos.keras_training import (
    Epoch,
    Learner,
    Observer,
    Recipe,
    Training,
    TrainingConfig,
    count_parameters,
    train,
)
from retrain.training.on_photos.sides import DividedPhotos, check_sides

Layers = int | Literal["all"]

CHECKPOINT = "fine_tune.npz"
RECIPE = Recipe("adamw", learning_rate=1e-4, epochs=8, patience=4, weight_decay=1e-4)


@dataclass(frozen=True)
class FineTuned:
    """A fine-tuned backbone, and how it came about.

    `layers` are the names of the layers that learned, from the input to the output. `training` is measured with
    the head that it began with; whether the result is better than the beginning is decided with a head fitted
    to its bottlenecks, see `choice`. Where the training diverged at once (`changed` is false),
    `backbone` is the one it began with.
    """

    backbone: Backbone
    layers: tuple[str, ...]
    parameters_total: int
    parameters_trainable: int
    training: Training

    @property
    def changed(self) -> bool:
        """Whether there is a new backbone at all."""
        return self.training.best.number > 0

    @property
    def before(self) -> Epoch:
        """The beginning, on the validation photos."""
        return self.training.curve[0]

    @property
    def after(self) -> Epoch:
        """The best epoch."""
        return self.training.best

    def description(self) -> dict[str, object]:
        """What the manifest says about it, as plain JSON, without times."""
        return {
            "layers": list(self.layers),
            "parameters_trainable": self.parameters_trainable,
            "epochs": self.training.curve[-1].number,
            "best_epoch": self.after.number,
            "validation_cross_entropy": [self.before.validation_cross_entropy, self.after.validation_cross_entropy],
            "validation_accuracy": [self.before.validation_accuracy, self.after.validation_accuracy],
        }


def check_fine_tuning(backbone: Backbone, division: Division | None = None) -> None:
    """Refuse what cannot be fine-tuned; a call before any work is done spares that work. Raises OptionError."""
    if backbone.parts:
        raise OptionError(
            f"`fine_tune_layers` tunes one backbone, and {backbone.architecture} is {len(backbone.parts)}: "
            "choose one of them as `architecture`."
        )
    if not backbone.has_weights:
        raise OptionError(f"`fine_tune_layers`: {backbone.architecture} has no layers; choose another `architecture`.")
    if backbone.weights_file is not None and backbone.weights_file.is_dir():
        raise OptionError(
            "`fine_tune_layers` tunes a network of the registry: use `architecture` instead of `tfhub_module`."
        )
    if division is not None:
        check_sides(division, "`fine_tune_layers`")


def fine_tune(
    backbone: Backbone,
    head: Head,
    photos: DividedPhotos,
    layers: Layers,
    *,
    weights_dir: Path,
    config: TrainingConfig = TrainingConfig(RECIPE),
    observe: Observer = lambda progress: None,
) -> FineTuned:
    """Train the last `layers` layers with weights below a head that stays as it is, on the training photos.

    `layers` counts Keras layers that have weights, other than batch norms, from the output backwards
    (a convolution is one, so is a depthwise one); `all` takes them all. The new weights are written to
    `<weights_dir>/<their SHA-256>.weights.h5`. Raises OptionError, CheckpointError, BackboneError, DatasetError.
    """
    check_fine_tuning(backbone, photos.division)
    network = load_network(backbone)
    network.model.trainable = True  # so that its layers say which of their weights can learn
    chosen = last_layers(network.model, layers, backbone.architecture)
    top = _keras_head(head)
    trained = [variable for layer in chosen for variable in layer.trainable_weights]
    arithmetic = backbone.preprocessing.arithmetic()

    def forward(pixels: Any, training: bool) -> Any:
        # training=False in a training step too: batch norms keep their statistics.
        return top(network.model(apply_arithmetic(pixels, arithmetic), training=False))

    training = train(
        Learner(forward, trained),
        photos.on_side("training", backbone.preprocessing),
        photos.on_side("validation", backbone.preprocessing),
        config,
        checkpoint=photos.checkpoint(CHECKPOINT, config, _identity(backbone, len(chosen), head)),
        observe=observe,
    )
    total, trainable = count_parameters([*network.model.weights, *top.weights]), count_parameters(trained)
    names = tuple(layer.name for layer in chosen)
    if training.best.number == 0:
        return FineTuned(backbone, names, total, trainable, training)
    tuned = write_weights(network.model, backbone, weights_dir)
    return FineTuned(tuned, names, total, trainable, training)


def _identity(backbone: Backbone, layers: int, head: Head) -> dict[str, str | int | float]:
    """What a checkpoint belongs to, as far as the model goes."""
    return {
        "training": "fine-tuning",
        "backbone": backbone.architecture,
        "weights": backbone.weights_sha256,
        "preprocessing": str(backbone.preprocessing),
        "layers": layers,
        "units of the head": "-".join(map(str, head.sizes)),
    }


def last_layers(model: Any, layers: Layers, name: str) -> list[Any]:
    """The last `layers` layers of a trainable Keras model with weights that learn, without batch norms.

    Raises OptionError if it has fewer.
    """
    candidates = [layer for layer in _layers_in(model) if _can_learn(layer)]
    if layers == "all":
        return candidates
    if layers > len(candidates):
        raise OptionError(f"`fine_tune_layers` {layers}: {name} has {len(candidates)} layers with weights; use all.")
    return candidates[len(candidates) - layers :]


def write_weights(model: Any, backbone: Backbone, folder: Path) -> Backbone:
    """Write the weights of a backbone's network and name them by their content; gives the backbone with them."""
    try:
        with temporary_folder(folder) as temporary:
            new = temporary / "tuned.weights.h5"
            with plain_path(new) as plain:
                model.save_weights(str(plain))
            sha256 = file_sha256(new)
            file = folder / f"{sha256}.weights.h5"
            os.replace(new, file)
    except OSError as error:
        raise BackboneError(f"The fine-tuned weights cannot be written to {folder}: {error}.") from None
    return replace(backbone, weights_file=file, weights_sha256=sha256)


def _layers_in(model: Any) -> Iterable[Any]:
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _layers_in(layer)
        else:
            yield layer


def _can_learn(layer: Any) -> bool:
    from retrain.core.keras import keras

    return bool(layer.trainable_weights) and not isinstance(layer, keras.layers.BatchNormalization)


def _keras_head(head: Head) -> Any:
    """The head as Keras layers, without the softmax."""
    from retrain.core.keras import keras

    sizes = zip(head.sizes[1:], (*head.activations, None), strict=True)
    top = keras.Sequential([keras.layers.Dense(units, activation) for units, activation in sizes], name="head")
    top.build((None, head.sizes[0]))
    top.set_weights([array for layer in head.layers for array in layer])
    return top
