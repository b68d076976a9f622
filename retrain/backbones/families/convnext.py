"""ConvNeXt of Keras, the smallest of them."""

from retrain.backbones.families.base import (
    IMAGENET_STATISTICS,
    KERAS_WEIGHTS_URL,
    NO_PREPROCESSING,
    Architecture,
    KerasApplication,
)

FAMILY = (
    Architecture(
        name="convnext_tiny",
        build=KerasApplication("ConvNeXtTiny", NO_PREPROCESSING),
        dim=768,
        input_size=224,
        arithmetic=IMAGENET_STATISTICS,
        licence="MIT (Meta)",
        weights_url=KERAS_WEIGHTS_URL,
        weights_file="convnext/convnext_tiny_notop.h5",
        checksum="d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
    ),
)
