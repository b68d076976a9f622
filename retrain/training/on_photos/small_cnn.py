"""A small convolutional network trained from scratch: what the photos teach without a pretrained backbone.

It is there to compare the transfer model with (`--compare scratch`): the same photos, the same split,
no ImageNet. Five convolutions with batch norms, about 1.2 million parameters, all of them trained.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from label_image.preprocessing import Preprocessing
from retrain.backbones.network import apply_arithmetic
from retrain.training.metrics import Metrics, measure
from retrain.training.on_photos.keras_training import (
    Learner,
    Observer,
    Recipe,
    Training,
    TrainingConfig,
    count_parameters,
    predict,
    train,
)
from retrain.training.on_photos.sides import DividedPhotos, check_sides

# 128 pixels: a third of the arithmetic of a backbone's 224, and breeds can still be told apart by eye; five halvings
# leave 4 x 4 cells.
SIZE = 128
FILTERS = (32, 64, 128, 256, 352)
RECIPE = Recipe("adamw", learning_rate=2e-3, epochs=40, patience=10, weight_decay=0.05)
CHECKPOINT = "scratch.npz"


@dataclass(frozen=True)
class FromScratch:
    """The network from scratch: how good it is on each side, how large it is, and how it learned."""

    validation: Metrics
    test: Metrics
    parameters_total: int
    parameters_trainable: int
    training: Training


def preprocessing(size: int = SIZE) -> Preprocessing:
    """Photos as the network from scratch sees them: -1..1, as most backbones do."""
    return Preprocessing.parse(f"decode(2)|orient|resize({size},bilinear)|value_range(-1,1)")


def build_network(classes: int, size: int = SIZE, filters: Sequence[int] = FILTERS) -> Any:
    """RGB in -1..1, float32 (n, size, size, 3) -> logits (n, classes), as a Keras model with random weights.

    Each block is a 3 x 3 convolution, batch norm, ReLU and a halving; then the average over the cells
    and one dense layer. With the default filters it has 1,202,272 + 353 * classes parameters, of
    which 1664 are the moving averages of the batch norms and not trained.
    """
    from retrain.core.keras import keras

    images = keras.Input((size, size, 3), name="images")
    tensor = images
    for number, count in enumerate(filters, start=1):
        # No bias: the batch norm that follows has one.
        tensor = keras.layers.Conv2D(count, 3, padding="same", use_bias=False, name=f"convolution_{number}")(tensor)
        # A run has few steps, so the averages must follow faster than by Keras's 0.99.
        tensor = keras.layers.BatchNormalization(momentum=0.9, name=f"norm_{number}")(tensor)
        tensor = keras.layers.MaxPooling2D(name=f"halving_{number}")(keras.layers.ReLU(name=f"relu_{number}")(tensor))
    pooled = keras.layers.GlobalAveragePooling2D(name="average")(tensor)
    return keras.Model(images, keras.layers.Dense(classes, name="logits")(pooled), name="scratch")


def train_from_scratch(
    photos: DividedPhotos,
    config: TrainingConfig = TrainingConfig(RECIPE),
    *,
    size: int = SIZE,
    observe: Observer = lambda progress: None,
) -> FromScratch:
    """Train the small network on the training photos, stop early on validation, measure on both other sides.

    Raises OptionError for a split without training or validation photos, CheckpointError for a checkpoint of
    another training, DatasetError for photos that are gone.
    """
    from retrain.core.keras import keras

    check_sides(photos.division, "`compare` scratch")
    keras.utils.set_random_seed(config.seed)
    labels = photos.labels
    network = build_network(len(labels), size)
    steps = preprocessing(size)
    arithmetic = steps.arithmetic()

    def forward(pixels: Any, training: bool) -> Any:
        return network(apply_arithmetic(pixels, arithmetic), training=training)

    validation = photos.on_side("validation", steps)
    training = train(
        Learner(forward, network.trainable_variables, network.non_trainable_variables),
        photos.on_side("training", steps),
        validation,
        config,
        checkpoint=photos.checkpoint(CHECKPOINT, config, {"training": "from scratch", "preprocessing": str(steps)}),
        observe=observe,
    )
    test = photos.on_side("testing", steps)
    groups = {side: photos.division.groups_of(photos.division.mask(side)) for side in ("validation", "testing")}
    return FromScratch(
        measure(predict(forward, validation, len(labels)), validation.classes, labels, groups["validation"]),
        measure(predict(forward, test, len(labels)), test.classes, labels, groups["testing"]),
        count_parameters(network.weights),
        count_parameters(network.trainable_weights),
        training,
    )
