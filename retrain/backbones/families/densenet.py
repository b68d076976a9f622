"""DenseNet-121 of Keras."""

from retrain.backbones.families.base import (
    IMAGENET_STATISTICS,
    KERAS_WEIGHTS_URL,
    KERNELS,
    Architecture,
    KerasApplication,
)

FAMILY = (
    Architecture(
        name="densenet121",
        build=KerasApplication("DenseNet121"),
        dim=1024,
        input_size=224,
        arithmetic=IMAGENET_STATISTICS,
        licence="BSD 3-clause",
        weights_url=KERAS_WEIGHTS_URL,
        weights_file=f"densenet/densenet121_{KERNELS}",
        checksum="30ee3e1110167f948a6b9946edeeb738",
    ),
)
