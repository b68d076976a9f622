"""VGG-16 and VGG-19 of Keras; VGG-11 and VGG-13 are those of torchvision."""

from retrain.backbones.families.base import (
    CAFFE_BGR,
    KERAS_WEIGHTS_URL,
    KERNELS,
    Architecture,
    KerasApplication,
)

FAMILY = (
    Architecture(
        name="vgg16",
        build=KerasApplication("VGG16"),
        dim=512,
        input_size=224,
        arithmetic=CAFFE_BGR,
        licence="Creative Commons Attribution 4.0 (Visual Geometry Group, Oxford)",
        weights_url=KERAS_WEIGHTS_URL,
        weights_file=f"vgg16/vgg16_{KERNELS}",
        checksum="6d6bbae143d832006294945121d1f1fc",
    ),
    Architecture(
        name="vgg19",
        build=KerasApplication("VGG19"),
        dim=512,
        input_size=224,
        arithmetic=CAFFE_BGR,
        licence="Creative Commons Attribution 4.0 (Visual Geometry Group, Oxford)",
        weights_url=KERAS_WEIGHTS_URL,
        weights_file=f"vgg19/vgg19_{KERNELS}",
        checksum="253f8cb515780f3b799900260a226db6",
    ),
)
