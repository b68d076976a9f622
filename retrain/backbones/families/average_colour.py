"""The `fake` backbone, for tests: the photo's average colour, three numbers, without weights and without TensorFlow.

The engine of the same name computes it; an export holds the function that is built here.
"""

from typing import Any

from retrain.backbones.families.base import MINUS_ONE_TO_ONE, Architecture


def build_function(name: str, input_size: int) -> Any:
    """Maps float32 (n, input_size, input_size, 3) to their average (n, 3)."""
    from retrain.core.tensorflow import tf

    return lambda pixels: tf.reduce_mean(pixels, axis=[1, 2])


FAMILY = (
    Architecture(
        name="fake",
        build=build_function,
        dim=3,
        input_size=8,
        arithmetic=MINUS_ONE_TO_ONE,
        licence="it has none",
        feature_layer="average_colour",
    ),
)
