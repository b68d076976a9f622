"""EfficientNet-V2 B0 to B3 of Keras."""

from retrain.backbones.families.base import (
    IMAGENET_STATISTICS,
    KERAS_WEIGHTS_URL,
    NO_PREPROCESSING,
    Architecture,
    KerasApplication,
)


def _member(version: str, dim: int, size: int, checksum: str) -> Architecture:
    return Architecture(
        name=f"efficientnet_v2_{version}",
        build=KerasApplication(f"EfficientNetV2{version.upper()}", NO_PREPROCESSING),
        dim=dim,
        input_size=size,
        arithmetic=IMAGENET_STATISTICS,
        licence="Apache 2.0 (Google)",
        weights_url=KERAS_WEIGHTS_URL,
        weights_file=f"efficientnet_v2/efficientnetv2-{version}_notop.h5",
        checksum=checksum,
    )


FAMILY = (
    _member("b0", 1280, 224, "893217f2bb855e2983157299931e43ff"),
    _member("b1", 1280, 240, "0e80663031ca32d657f9caa404b6ec37"),
    _member("b2", 1408, 260, "1dfe2e7a5d45b6632553a8961ea609eb"),
    _member("b3", 1536, 300, "f6abf7b5849ac99a89b50dd3fd532856"),
)
