"""Which networks there are, and which weights they run with. Nothing here imports TensorFlow.

An `Architecture` is an entry of the registry: how to build the network and what it expects.
A `Backbone` is an architecture with its weights at hand: all that determines a bottleneck.
`retrain.networks.network` builds the network itself, when one has to run.

The `builtin` backbone comes with the package (see retrain/builtin/README.md), so that the pipeline
works without a network. The `fake` backbone is the photo's average colour, three numbers; it needs
no TensorFlow, and is there for tests.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from retrain.errors import BackboneError, DownloadError, OptionError
from retrain.images import Preprocessing
from retrain.networks.download import Progress, download, reachable

KERAS_WEIGHTS_URL = "https://storage.googleapis.com/tensorflow/keras-applications/"
TORCHVISION_WEIGHTS_URL = "https://download.pytorch.org/models/"
KERAS_CACHE = Path("~/.keras/models")
BUILTIN_WEIGHTS = Path(__file__).parent / "builtin" / "weights.npz"
BEST = "inception_v3"  # what `auto` prefers

# What each family's authors fed it with; see keras.applications.*.preprocess_input.
MINUS_ONE_TO_ONE = "value_range(-1,1)"
IMAGENET_STATISTICS = "value_range(0,1)|standardize(0.485,0.456,0.406,0.229,0.224,0.225)"
CAFFE_BGR = "bgr|standardize(103.939,116.779,123.68,1,1,1)"


@dataclass(frozen=True)
class Architecture:
    """An entry of the registry.

    `builder` is a name in keras.applications, called with `include_top=False, pooling="avg"` and
    `arguments`. `dim` is the length of the bottleneck. `weights_file` is the published file below
    KERAS_WEIGHTS_URL, `checksum` its published MD5 or SHA-256 (None where none is published).
    The networks of `retrain.networks.torchvision_networks` have a `checkpoint` instead: the published file
    below TORCHVISION_WEIGHTS_URL, which scripts/convert_torchvision_weights.py converts.
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

    @property
    def preprocessing(self) -> Preprocessing:
        return Preprocessing.parse(f"decode(2)|orient|resize({self.input_size},bilinear)|{self.arithmetic}")


@dataclass(frozen=True)
class Backbone:
    """Everything that determines a bottleneck, apart from the photo.

    `weights_file` is None for the fake backbone and for random weights; for a TF-Hub module it is
    the folder of the SavedModel. `dim` is the length of the bottleneck vector. `choice` says why
    this one was taken, where the user left it open.
    """

    architecture: str
    preprocessing: Preprocessing
    dim: int
    weights_sha256: str
    weights_file: Path | None = None
    feature_layer: str = "avg_pool"
    compute_dtype: str = "float32"
    stored_dtype: str = "float32"
    choice: str = ""

    @property
    def input_size(self) -> int:
        """Side of the square input, in pixels."""
        return self.preprocessing.size

    def in_float32(self) -> "Backbone":
        """The same backbone as exports compute it, whatever precision its bottlenecks have."""
        return replace(self, compute_dtype="float32", stored_dtype="float32", choice="")

    def covers(self) -> dict[str, object]:
        """What the bottleneck fingerprint covers, as plain JSON."""
        return {
            "architecture": self.architecture,
            "weights_sha256": self.weights_sha256,
            "feature_layer": self.feature_layer,
            "input_size": self.input_size,
            "preprocessing": str(self.preprocessing),
            "decoder": "pillow",
            "compute_dtype": self.compute_dtype,
            "stored_dtype": self.stored_dtype,
        }


def architecture(name: str) -> Architecture:
    """Look an architecture up by name. Raises OptionError, with the nearest names, if there is none."""
    if name in ARCHITECTURES:
        return ARCHITECTURES[name]
    if name.endswith("_quantized") and name.removesuffix("_quantized") in ARCHITECTURES:
        raise OptionError(
            f"--architecture {name}: use {name.removesuffix('_quantized')}; quantisation belongs to the export."
        )
    near = get_close_matches(name, ARCHITECTURES, n=3) or ["inception_v3", "mobilenet_1.0_224", "mobilenet_v2_1.0_224"]
    raise OptionError(f"--architecture {name!r} is unknown; did you mean {', '.join(near)}?")


def find_backbone(
    name: str,
    model_dir: Path,
    weights: str | None = None,
    image_size: int | None = None,
    seed: int = 0,
    progress: Progress = lambda done, total: None,
) -> Backbone:
    """An architecture with its weights: given ones, ones at hand, or downloaded ones.

    `name` may be `auto`: Inception-V3 where its weights can be had, else the built-in backbone.
    `weights` is a file, an http(s) address, `random` (untrained, from `seed`), or None: then
    `<model_dir>/<name>.weights.h5`, the published file in `model_dir` or in Keras's cache, and at
    last a download are tried. Raises OptionError or BackboneError.
    """
    if name == "auto":
        return _choose_backbone(model_dir, weights, image_size, seed, progress)
    entry = architecture(name)
    preprocessing = entry.preprocessing if image_size is None else entry.preprocessing.with_size(image_size)
    backbone = Backbone(name, preprocessing, entry.dim, weights_sha256=f"random-{seed}")
    if name == "fake":
        return replace(backbone, weights_sha256="none", feature_layer="average_colour")
    if weights == "random":
        return backbone
    file = find_weights(entry, model_dir, weights, progress)
    return replace(backbone, weights_file=file, weights_sha256=file_sha256(file))


def find_weights(
    entry: Architecture,
    model_dir: Path,
    weights: str | None = None,
    progress: Progress = lambda done, total: None,
) -> Path:
    """The weights file of an architecture; see `find_backbone`."""
    if weights is not None and not weights.startswith(("http://", "https://")):
        path = Path(weights).expanduser()
        if not path.is_file():
            raise OptionError(f"--weights {weights}: there is no such file.")
        return path
    if entry.name == "builtin" and weights is None:
        return BUILTIN_WEIGHTS
    if weights is not None:
        # Named after the address too: another address is another file, and neither is the user's own.
        digest = hashlib.sha256(weights.encode()).hexdigest()[:12]
        url, path, checksum = weights, model_dir / f"{entry.name}-{digest}.weights.h5", None
    else:
        at_hand = weights_at_hand(entry, model_dir)
        if at_hand is not None:
            return at_hand
        if entry.checkpoint:
            raise BackboneError(
                f"The weights of {entry.name} have to be converted once: download "
                f"{TORCHVISION_WEIGHTS_URL}{entry.checkpoint}, run scripts/convert_torchvision_weights.py on it, "
                f"and put the result at {model_dir / f'{entry.name}.weights.h5'}"
            )
        url, checksum = KERAS_WEIGHTS_URL + entry.weights_file, entry.checksum
        path = model_dir / Path(entry.weights_file).name
    if not path.exists():
        download(url, path, checksum, progress)
    return path


def _choose_backbone(
    model_dir: Path, weights: str | None, image_size: int | None, seed: int, progress: Progress
) -> Backbone:
    """BEST where its weights are at hand or can be downloaded now, else the built-in backbone."""
    if weights is not None:
        raise OptionError("--weights needs --architecture: say which network the weights are for.")
    entry = architecture(BEST)
    reason = ""
    if weights_at_hand(entry, model_dir) is None and not reachable(KERAS_WEIGHTS_URL):
        reason = "cannot be downloaded now"
    else:
        try:
            return find_backbone(BEST, model_dir, None, image_size, seed, progress)
        except DownloadError as error:
            reason = f"could not be downloaded ({error})"
    choice = (
        f"Using the small built-in backbone, because the weights of {BEST} {reason}: accuracy will be lower than with "
        f"Inception-V3. To use it, put {Path(entry.weights_file).name} into {model_dir}; "
        f"it comes from {KERAS_WEIGHTS_URL}{entry.weights_file}"
    )
    return replace(find_backbone("builtin", model_dir, None, image_size, seed, progress), choice=choice)


def weights_at_hand(entry: Architecture, model_dir: Path) -> Path | None:
    """A weights file that needs no download, or None."""
    candidates = [model_dir / f"{entry.name}.weights.h5"]
    if published := Path(entry.weights_file).name:
        candidates += [model_dir / published, KERAS_CACHE.expanduser() / published]
    return next((path for path in candidates if path.is_file()), None)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, as 64 hex digits. Raises BackboneError if it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while chunk := file.read(2**20):
                digest.update(chunk)
    except OSError as error:
        raise BackboneError(f"{path} cannot be read: {error.strerror}.") from None
    return digest.hexdigest()


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
    yield Architecture("builtin", "", 640, 128, MINUS_ONE_TO_ONE)
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
        yield Architecture(name, "", dim, 224, IMAGENET_STATISTICS, checkpoint=checkpoint)


ARCHITECTURES: dict[str, Architecture] = {
    entry.name: entry for entry in (*_mobilenets(), *_mobilenets_v2(), *_others())
}
