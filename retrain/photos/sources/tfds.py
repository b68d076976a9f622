"""Sets of tensorflow-datasets: `tfds:NAME[:split]`, the photos' bytes taken as they are.

NAME may carry a configuration and a version, as tfds writes them: `beans`, `imagenet_v2/matched-frequency:3.0.0`.
The split is anything that tfds understands, `train[:10%]` too; without one, the set's own train,
validation and test splits are kept. tfds downloads and prepares the set in TFDS_DATA_DIR
(by default ~/tensorflow_datasets).
"""

import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import numpy as np
from PIL import Image

from label_image.errors import first_line
from label_image.installing import how_to_install
from label_image.strangers import keras_apart
from retrain.core.download import reachable
from retrain.core.errors import DatasetError, OptionError
from retrain.photos.dataset import SPLIT_FOLDERS, Dataset, Skipped, Split
from retrain.photos.sources.base import Encoded, Source, Unpacking
from retrain.photos.sources.unpack import unpack

PREFIX = "tfds:"
NAME = re.compile(r"(?P<name>[A-Za-z0-9_]+(?:/[\w.+-]+)*(?::\d+\.(?:\d+|\*)\.(?:\d+|\*))?)(?::(?P<split>.+))?")


def read_tfds(source: str, unpacking: Unpacking) -> Dataset:
    """The photos of a tfds set, unpacked.

    The set's version and the content of its records identify it. Raises DatasetError, OptionError.
    """
    name_and_split = source.removeprefix(PREFIX)
    match = NAME.fullmatch(name_and_split)
    if match is None:
        raise OptionError(f"{source} names no set: write tfds:NAME or tfds:NAME:split.")
    builder = _prepared_builder(match["name"])
    splits = _splits(builder, match["split"])
    image, label = _features(builder)
    identity = {
        "tfds": builder.info.full_name,
        "splits": [[name, side or ""] for name, side in splits.items()],
        "features": [image, label],
        "records": _records(builder, unpacking),
    }

    def entries() -> Iterator[Encoded | Skipped]:
        for name, side in splits.items():
            yield from _examples(builder, name, side, image, label)

    total = sum(int(builder.info.splits[name].num_examples) for name in splits)
    return unpack(entries(), identity, source, unpacking, total)


def _tensorflow_datasets() -> Any:
    try:
        with keras_apart():
            import tensorflow_datasets as tfds
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "tensorflow_datasets":
            raise DatasetError(
                f"tensorflow-datasets lacks its package {error.name}: {how_to_install('tfds')}."
            ) from None
        raise DatasetError(f"tfds: sets need tensorflow-datasets: {how_to_install('tfds')}.") from None
    return tfds


def _prepared_builder(name: str) -> Any:
    """The builder of a set whose records are on the disk; downloads them if they are not."""
    tfds = _tensorflow_datasets()
    try:
        builder = tfds.builder(name, data_dir=os.environ.get("TFDS_DATA_DIR") or None)
    except tfds.core.DatasetNotFoundError:
        raise DatasetError(
            f"tensorflow-datasets has no set {name!r}; tensorflow.org/datasets/catalog lists them."
        ) from None
    except Exception as error:  # an unknown version or configuration: tfds raises all sorts of things
        raise DatasetError(f"tfds:{name} cannot be used: {_reason(error)}.") from None
    if builder.info.splits:
        return builder
    advice = (
        f"Prepare the set on a machine with a network and copy its folder to {builder.data_dir}, "
        "or set TFDS_DATA_DIR to where it is."
    )
    if _is_out_of_reach(builder):  # tfds itself tries for minutes
        raise DatasetError(f"The set {name} is not on this machine, and its server cannot be reached. {advice}")
    try:
        with redirect_stdout(sys.stderr):  # where tfds would say that it downloads
            builder.download_and_prepare()
    except Exception as error:  # of the network, of manual downloads, of packages that the set's own code needs
        raise DatasetError(f"The set {name} cannot be downloaded ({_reason(error)}). {advice}") from None
    return builder


def _is_out_of_reach(builder: Any) -> bool:
    """Whether no server of a set's files answers; False where that cannot be known."""
    servers = {f"{parts.scheme}://{parts.netloc}" for parts in map(urlsplit, builder.url_infos or ())}
    depth = len(Path(builder.info.full_name).parts)  # name, perhaps a configuration, version
    has_downloads = (Path(builder.data_dir).parents[depth - 1] / "downloads").exists()
    return bool(servers) and not has_downloads and not getproxies() and not any(map(reachable, servers))


def _splits(builder: Any, asked: str | None) -> dict[str, Split | None]:
    """Which splits to read, each with the side that its photos are given."""
    there = list(builder.info.splits)
    if asked is not None:
        try:
            builder.info.splits[asked]
        except Exception as error:
            raise DatasetError(
                f"{builder.info.name} has no split {asked!r} ({_reason(error)}); it has: {', '.join(there)}."
            ) from None
        return {asked: None}
    sides = {name: SPLIT_FOLDERS[name.lower()] for name in there if name.lower() in SPLIT_FOLDERS}
    if "training" not in sides.values():
        raise DatasetError(
            f"{builder.info.name} has no split named train: ask for one, tfds:NAME:split, of {', '.join(there)}."
        )
    return dict(sides) if len(set(sides.values())) > 1 else dict.fromkeys(sides)


def _features(builder: Any) -> tuple[str, str]:
    """The names of the features that hold the photo and its class."""
    tfds = _tensorflow_datasets()
    features = builder.info.features
    supervised = builder.info.supervised_keys
    names = list(supervised) if isinstance(supervised, tuple) and len(supervised) == 2 else ["image", "label"]
    if (
        not all(name in features for name in names)
        or not _holds_photos(features[names[0]])
        or not isinstance(features[names[1]], tfds.features.ClassLabel | tfds.features.Text)
    ):
        shown = ", ".join(sorted(features))
        raise DatasetError(
            f"{builder.info.name} is not a set of photos with one class each; its features are: {shown}."
        )
    dtype = features[names[0]].np_dtype
    if dtype not in (np.uint8, np.uint16):
        raise DatasetError(f"The photos of {builder.info.name} are {np.dtype(dtype)}: 8 or 16 bits are needed.")
    return names[0], names[1]


def _holds_photos(feature: Any) -> bool:
    """Encoded photos, or 8-bit pixels of shape (height, width, 1, 3 or 4)."""
    tfds = _tensorflow_datasets()
    if isinstance(feature, tfds.features.Image):
        return True
    is_pixels = isinstance(feature, tfds.features.Tensor) and feature.np_dtype == np.uint8
    return is_pixels and len(feature.shape) == 3 and feature.shape[-1] in (1, 3, 4)


def _examples(builder: Any, name: str, side: Split | None, image: str, label: str) -> Iterator[Encoded | Skipped]:
    from retrain.core.tensorflow import tf  # first: it turns TensorFlow's chatter down

    tfds = _tensorflow_datasets()
    features = builder.info.features
    encoded = isinstance(features[image], tfds.features.Image)
    records = builder.as_dataset(
        split=name,
        shuffle_files=False,
        decoders={image: tfds.decode.SkipDecoding()} if encoded else None,
    )
    where = f"tfds:{builder.info.full_name}, {name}"
    try:
        for row, example in enumerate(tfds.as_numpy(records), 1):
            photo, value = example[image], example[label]
            number = isinstance(features[label], tfds.features.ClassLabel)
            if number and value < 0:
                yield Skipped(f"{where}, row {row}", "has no class")
                continue
            text = features[label].int2str(int(value)) if number else value.decode("utf-8", "replace")
            yield Encoded(bytes(photo) if encoded else _png(photo), text, side)
    except tf.errors.OpError as error:
        raise DatasetError(f"The records of {where} cannot be read ({_reason(error)}).") from None


def _png(pixels: np.ndarray) -> bytes:
    """Pixels (height, width, 1, 3 or 4) of 8 bits as a PNG file, which loses nothing."""
    data = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(data, "PNG")
    return data.getvalue()


def _records(builder: Any, unpacking: Unpacking) -> list[str]:
    """The SHA-256 of the set's files: a set that was built again under the same version is another."""
    from retrain.photos.sources.contents import content_hashes  # it needs Arrow

    files = sorted(path for path in Path(builder.data_dir).iterdir() if path.is_file())
    return sorted(content_hashes(files, unpacking.bottleneck_dir, unpacking.paranoid))


def _reason(error: Exception) -> str:
    return first_line(error).rstrip(".")


TFDS = Source("tfds", lambda source: source.startswith(PREFIX), read_tfds)
