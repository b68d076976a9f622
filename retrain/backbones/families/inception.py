"""Inception-V3, the network of 2017, and Xception, of Keras."""

from retrain.backbones.families.base import (
    KERAS_WEIGHTS_URL,
    KERNELS,
    MINUS_ONE_TO_ONE,
    Architecture,
    KerasApplication,
)

FAMILY = (
    Architecture(
        name="inception_v3",
        build=KerasApplication("InceptionV3"),
        dim=2048,
        input_size=299,
        arithmetic=MINUS_ONE_TO_ONE,
        licence="Apache 2.0 (Google)",
        weights_url=KERAS_WEIGHTS_URL,
        weights_file=f"inception_v3/inception_v3_{KERNELS}",
        checksum="bcbd6486424b2319ff4ef7d526e38f63",
    ),
    Architecture(
        name="xception",
        build=KerasApplication("Xception"),
        dim=2048,
        input_size=299,
        arithmetic=MINUS_ONE_TO_ONE,
        licence="MIT (Keras)",
        weights_url=KERAS_WEIGHTS_URL,
        weights_file=f"xception/xception_{KERNELS}",
        checksum="b0042744bf5b25fce3cb969f33bebb97",
    ),
)
