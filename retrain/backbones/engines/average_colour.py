"""The engine of the `fake` backbone: the average colour of each photo, by NumPy alone."""

from typing import TYPE_CHECKING

from retrain.backbones.engines.kind import EngineKind

if TYPE_CHECKING:
    from label_image.preprocessing import Pixels
    from retrain.backbones.backbone import Backbone
    from retrain.backbones.engines.base import Engine, Vectors


def average_colour(backbone: "Backbone") -> "Engine":
    """The average of each channel, after the arithmetic of the backbone's preprocessing."""
    import numpy as np

    arithmetic = backbone.preprocessing.arithmetic()
    scale, offset = np.array(arithmetic.scale, np.float32), np.array(arithmetic.offset, np.float32)

    def run(pixels: "Pixels") -> "Vectors":
        if arithmetic.bgr:
            pixels = pixels[..., ::-1]
        means: Vectors = (pixels.astype(np.float32) * scale + offset).mean(axis=(1, 2), dtype=np.float32)
        return means

    return run


ENGINE = EngineKind("average_colour", average_colour, precisions=("float32",), architecture="fake")
