"""MobileNet 1, 2 and 3 of Keras: made for phones, in many widths and sizes."""

from retrain.backbones.families.base import (
    KERAS_WEIGHTS_URL,
    MINUS_ONE_TO_ONE,
    NO_PREPROCESSING,
    Architecture,
    KerasApplication,
)

LICENCE = "Apache 2.0 (Google)"
SIZES = (224, 192, 160, 128)
SIZES_V2 = (*SIZES, 96)
WIDTHS = {"1.0": "1_0", "0.75": "7_5", "0.50": "5_0", "0.25": "2_5"}  # and how Keras's files spell them
DIMS_V2 = {"1.4": 1792, "1.3": 1664, "1.0": 1280, "0.75": 1280, "0.50": 1280, "0.35": 1280}


def _v1(width: str, size: int) -> Architecture:
    return Architecture(
        name=f"mobilenet_{width}_{size}",
        build=KerasApplication("MobileNet", (("alpha", float(width)),)),
        dim=int(1024 * float(width)),
        input_size=size,
        arithmetic=MINUS_ONE_TO_ONE,
        licence=LICENCE,
        weights_url=KERAS_WEIGHTS_URL,
        weights_file=f"mobilenet/mobilenet_{WIDTHS[width]}_{size}_tf_no_top.h5",
    )


def _v2(width: str, size: int) -> Architecture:
    return Architecture(
        name=f"mobilenet_v2_{width}_{size}",
        build=KerasApplication("MobileNetV2", (("alpha", float(width)),)),
        dim=DIMS_V2[width],
        input_size=size,
        arithmetic=MINUS_ONE_TO_ONE,
        licence=LICENCE,
        weights_url=KERAS_WEIGHTS_URL,
        weights_file=f"mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{float(width)}_{size}_no_top.h5",
        namesake="mobilenet_v2_torchvision",
    )


def _v3(variant: str, dim: int, checksum: str) -> Architecture:
    return Architecture(
        name=f"mobilenet_v3_{variant}",
        build=KerasApplication(f"MobileNetV3{variant.title()}", NO_PREPROCESSING),
        dim=dim,
        input_size=224,
        arithmetic=MINUS_ONE_TO_ONE,
        licence=LICENCE,
        weights_url=KERAS_WEIGHTS_URL,
        weights_file=f"mobilenet_v3/weights_mobilenet_v3_{variant}_224_1.0_float_no_top_v2.h5",
        checksum=checksum,
    )


FAMILY = (
    *(_v1(width, size) for width in WIDTHS for size in SIZES),
    *(_v2(width, size) for width in DIMS_V2 for size in (SIZES_V2 if float(width) <= 1 else (224,))),
    _v3("small", 576, "d3e8ec802a04aa4fc771ee12a9a9b836"),
    _v3("large", 960, "07fb09a5933dd0c8eaafa16978110389"),
)
