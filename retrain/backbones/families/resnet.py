"""ResNet-50 and its second version, of Keras."""

from retrain.backbones.families.base import (
    CAFFE_BGR,
    KERAS_WEIGHTS_URL,
    KERNELS,
    MINUS_ONE_TO_ONE,
    Architecture,
    KerasApplication,
)

FAMILY = (
    Architecture(
        name="resnet50",
        build=KerasApplication("ResNet50"),
        dim=2048,
        input_size=224,
        arithmetic=CAFFE_BGR,
        licence="MIT (Kaiming He)",
        weights_url=KERAS_WEIGHTS_URL,
        weights_file=f"resnet/resnet50_{KERNELS}",
        checksum="4d473c1dd8becc155b73f8504c6f6626",
        namesake="resnet50_torchvision",
    ),
    Architecture(
        name="resnet50v2",
        build=KerasApplication("ResNet50V2"),
        dim=2048,
        input_size=224,
        arithmetic=MINUS_ONE_TO_ONE,
        licence="not stated",
        weights_url=KERAS_WEIGHTS_URL,
        weights_file=f"resnet/resnet50v2_{KERNELS}",
        checksum="fac2f116257151a9d068a22e544a4917",
    ),
)
