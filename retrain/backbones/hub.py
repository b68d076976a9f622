"""A TF-Hub or Kaggle handle, or a local SavedModel, as a backbone."""

import re
from pathlib import Path

from label_image.errors import ModelError
from label_image.files import sha256_of_all
from label_image.operations import check_saved_model
from label_image.preprocessing import Preprocessing
from label_image.strangers import keras_apart
from retrain.backbones.backbone import Backbone
from retrain.core.errors import BackboneError, DownloadError, OptionError

DEFAULT_SIZE = 224


def hub_backbone(handle: str, image_size: int | None = None, trust: bool = False) -> Backbone:
    """Resolve a handle or folder, load it once to learn its shapes, and describe it.

    TF-Hub image modules take RGB 0..1. The input size is the one that the model fixes, else
    `image_size`, else the number that closes the handle's name (…_224), else 224. A module that could do more than
    compute is refused before any of it runs, unless `trust`.
    Raises OptionError, DownloadError or BackboneError.
    """
    from retrain.backbones.network import SavedModelFeatures
    from retrain.core.tensorflow import tf

    folder = _resolve(handle)
    if not trust:
        try:
            check_saved_model(folder)
        except ModelError as error:
            raise BackboneError(f"`tfhub_module`: {error}") from None
    features = SavedModelFeatures(folder)
    fixed = features.input_size
    if fixed and image_size and fixed != image_size:
        raise OptionError(f"`image_size` {image_size}: the module {handle} takes photos of {fixed} pixels.")
    size = fixed or image_size or _size_in_name(handle) or DEFAULT_SIZE
    dim = int(features(tf.zeros((1, size, size, 3))).shape[-1])
    return Backbone(
        architecture="tfhub",
        preprocessing=Preprocessing.parse(f"decode(2)|orient|resize({size},bilinear)|value_range(0,1)"),
        dim=dim,
        weights_sha256=sha256_of_all(folder),
        weights_file=folder,
        feature_layer="feature_vector",
    )


def _resolve(handle: str) -> Path:
    if not handle.startswith(("http://", "https://")):
        folder = Path(handle).expanduser()
        if not (folder / "saved_model.pb").is_file():
            raise OptionError(f"`tfhub_module` {handle} is neither a web address nor a folder with a saved_model.pb.")
        return folder
    with keras_apart():  # it brings tf_keras
        import tensorflow_hub

    try:
        return Path(tensorflow_hub.resolve(handle))
    except Exception as error:  # urllib, tarfile and TensorFlow each raise their own
        raise DownloadError(
            f"`tfhub_module` {handle} cannot be fetched ({error}). "
            "Fetch and unpack it on a machine with a network and give its folder."
        ) from None


def _size_in_name(handle: str) -> int | None:
    match = re.search(r"_(\d{2,3})(?:/|$)", handle)
    return int(match.group(1)) if match else None
