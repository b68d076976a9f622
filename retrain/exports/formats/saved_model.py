"""The SavedModel: signatures for pixels, and one for encoded photos.

    serving_default   image: float32 (n, size, size, 3), RGB 0..255     -> scores, classes, similarity
    serve_bytes       image_bytes: string (n,), JPEG, PNG, WebP, GIF, BMP -> scores, classes, similarity
    numeric           image, as above                                   -> scores, similarity

The last one is for programs that take no text, as OpenVINO. All share one graph of the network, and its weights and
the top's are plain variables. A written SavedModel can therefore be given another top: `take_top_out` leaves it with
the backbone's variables alone, `attach_head` completes it with those of a top.

`serve_bytes` decodes and resizes as training does, within one grey level (six for a large JPEG, which
training decodes at a fraction of its size), with differences that TensorFlow's decoders impose: EXIF
orientation is not applied, TIFF, AVIF and animated WebP are not read, and of GIFs with transparency and
BMPs with a palette the colours are others (docs/odd_photos.md). `label_image` therefore always prepares
photos itself and feeds pixels.
"""

from pathlib import Path
from shutil import copytree
from typing import TYPE_CHECKING, Any

from label_image.plain_paths import plain_path
from retrain.core.errors import ExportError
from retrain.exports.formats.base import Filling, Format, Template
from retrain.exports.proof.limits import FLOAT32

if TYPE_CHECKING:
    from label_image.runtimes import Outputs, Run
    from retrain.exports.classifier import Classifier
    from retrain.exports.top import Top

FILES = ("saved_model.pb", "fingerprint.pb", "variables", "assets")
# Through `serve_bytes`, which differs from the other signature in its decoding only: of a new template,
# and of one that is proven, where a head, shared by both signatures, is all that is new.
BYTES_PHOTOS, BYTES_PHOTOS_OF_A_HEAD = 12, 4
NUMERIC = ("scores", "similarity")  # the outputs that are numbers
VARIABLES = Path("variables/variables")  # where TensorFlow looks for a SavedModel's variables
BACKBONE = Path("variables/backbone")
TOP = ("kernel/", "bias/", "means/", "hidden_kernels/", "hidden_biases/")  # the attributes of the Classifier


def write_saved_model(classifier: "Classifier", folder: Path) -> None:
    """Write the SavedModel files into `folder`."""
    from retrain.core.tensorflow import save_model, tf

    size = classifier.size
    labels = tf.constant(classifier.labels)
    pixels = tf.TensorSpec((None, size, size, 3), tf.float32, name="image")
    photos = tf.TensorSpec((None,), tf.string, name="image_bytes")

    def answer(image: Any) -> dict[str, Any]:
        outputs = classifier(image)
        return {**outputs, "classes": tf.tile(labels[None], [tf.shape(outputs["scores"])[0], 1])}

    # Called by the other signature, so that the network is in the file once.
    serving_default = tf.function(answer, autograph=False).get_concrete_function(pixels)

    def serve_bytes(image_bytes: Any) -> dict[str, Any]:
        signature = tf.TensorSpec((size, size, 3), tf.float32)
        decoded = tf.map_fn(lambda data: decode(data, size), image_bytes, fn_output_signature=signature)
        answers: dict[str, Any] = serving_default(image=decoded)
        return answers

    def numeric(image: Any) -> dict[str, Any]:
        answers: dict[str, Any] = serving_default(image=image)
        return {name: answers[name] for name in NUMERIC}

    signatures = {
        "serving_default": serving_default,
        "numeric": tf.function(numeric, autograph=False).get_concrete_function(pixels),
        "serve_bytes": tf.function(serve_bytes, autograph=False).get_concrete_function(photos),
    }
    folder.mkdir(parents=True, exist_ok=True)
    with plain_path(folder) as plain:
        save_model(classifier, str(plain), signatures)
    # It would be that of the first top, whichever is put in.
    (folder / "fingerprint.pb").unlink(missing_ok=True)
    (folder / "assets").rmdir()  # always empty: a flat graph has none


def take_top_out(folder: Path) -> None:
    """Leave a written SavedModel with the variables of its backbone alone, as `variables/backbone.*`.

    Raises ExportError if the top is not where `attach_head` would put one.
    """
    with plain_path(folder) as plain:
        _take_top_out(plain)


def _take_top_out(folder: Path) -> None:
    from retrain.core.tensorflow import tf

    reader = tf.train.load_checkpoint(str(folder / VARIABLES))
    names = reader.get_variable_to_shape_map()
    of_top = {name for name in names if name.startswith(TOP)}
    if not {_variable("kernel"), _variable("bias"), _variable("means")} <= of_top:
        raise ExportError(
            f"The SavedModel keeps its top elsewhere than in {_variable('kernel')}: this TensorFlow is not known."
        )
    tensors = {name: tf.constant(reader.get_tensor(name)) for name in sorted(names.keys() - of_top)}
    _save(tensors, folder / BACKBONE)
    for path in (folder / VARIABLES).parent.glob(f"{VARIABLES.name}.*"):
        path.unlink()


def attach_head(folder: Path, top: "Top") -> None:
    """Complete a SavedModel that `take_top_out` left."""
    with plain_path(folder) as plain:
        _attach_head(plain, top)


def _attach_head(folder: Path, top: "Top") -> None:
    from retrain.core.tensorflow import tf

    head = top.head
    prefix = folder / VARIABLES.with_name("top")
    values = {_variable("kernel"): head.kernel, _variable("bias"): head.bias, _variable("means"): top.means}
    for index, layer in enumerate(head.hidden):
        values |= {_variable(f"hidden_kernels/{index}"): layer.kernel, _variable(f"hidden_biases/{index}"): layer.bias}
    _save({name: tf.constant(values[name]) for name in sorted(values)}, prefix)
    # The data files are renamed, not written again; the two indices become one.
    tf.raw_ops.MergeV2Checkpoints(
        checkpoint_prefixes=[str(folder / BACKBONE), str(prefix)],
        destination_prefix=str(folder / VARIABLES),
        delete_old_dirs=False,
    )
    for left in (prefix, folder / BACKBONE):
        left.with_name(f"{left.name}.index").unlink(missing_ok=True)


def _variable(attribute: str) -> str:
    """The name of a variable in a SavedModel."""
    return f"{attribute}/.ATTRIBUTES/VARIABLE_VALUE"


def _save(tensors: dict[str, Any], prefix: Path) -> None:
    from retrain.core.tensorflow import tf

    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(tensors),
        shape_and_slices=[""] * len(tensors),
        tensors=list(tensors.values()),
    )


def decode(data: Any, size: int) -> Any:
    """TensorFlow's twin of `decode|resize(size,bilinear)`: a string scalar to float32 (size, size, 3).

    INTEGER_ACCURATE is the decoder that gives Pillow's pixels; the default one differs by up to
    7 grey levels. Transparency is laid over white, as in `label_image.preprocessing`.
    """
    from retrain.core.tensorflow import tf

    def jpeg() -> Any:
        return tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")

    def png() -> Any:
        rgba = tf.cast(tf.io.decode_png(data, channels=4), tf.float32)
        # To gray of 1, 2 or 4 bits TensorFlow adds an opacity of 1, 3 or 15; byte 24 is the bit depth.
        depth = tf.cast(tf.io.decode_raw(tf.strings.substr(data, 24, 1), tf.uint8)[0], tf.float32)
        full = 2.0 ** tf.minimum(depth, 8.0) - 1.0
        opaque = tf.where(tf.reduce_max(rgba[..., 3]) <= full, full, 255.0)
        alpha = rgba[..., 3:] / opaque
        return tf.cast(tf.round(rgba[..., :3] * alpha + 255.0 * (1.0 - alpha)), tf.uint8)

    def other() -> Any:
        return tf.io.decode_image(data, channels=3, expand_animations=False)

    is_png = tf.equal(tf.strings.substr(data, 0, 4), b"\x89PNG")
    pixels = tf.case([(tf.io.is_jpeg(data), jpeg), (is_png, png)], default=other)
    resized = tf.image.resize(tf.cast(pixels, tf.float32), (size, size), antialias=True)
    # Pillow resizes to whole grey levels.
    return tf.ensure_shape(tf.clip_by_value(tf.round(resized), 0.0, 255.0), (size, size, 3))


def make_template(classifier: "Classifier", template: Path) -> None:
    """Write a SavedModel without its top."""
    write_saved_model(classifier, template)
    take_top_out(template)


def _fill(filling: Filling) -> dict[str, "Outputs"]:
    """Complete a template, and run both signatures, `serve_bytes` on a few photos."""
    copytree(filling.template, filling.folder, dirs_exist_ok=True)
    attach_head(filling.folder, filling.top)
    # Here, and not above: their import is what takes the time.
    from label_image.runtimes import load_saved_model, pixels_runner
    from retrain.core.evenly import spread
    from retrain.exports.proof.parity import bytes_runner

    loaded, pixels = load_saved_model(filling.folder), filling.pixels
    of_bytes = BYTES_PHOTOS_OF_A_HEAD if filling.is_proven else BYTES_PHOTOS
    return {
        "saved_model": pixels_runner(loaded)(pixels),
        "saved_model_bytes": bytes_runner(loaded)(pixels[spread(len(pixels), of_bytes)]),
    }


def _load(folder: Path) -> "Run":
    from label_image.runtimes import saved_model_runner

    return saved_model_runner(folder)


FORMATS = (
    Format(
        "saved_model",
        FILES,
        FLOAT32,
        _load,
        template=Template(
            ("saved_model.pb", f"{BACKBONE}.index", f"{BACKBONE}.data-00000-of-00001"), make_template, _fill
        ),
        titles={"saved_model": "The SavedModel", "saved_model_bytes": "The SavedModel (serve_bytes)"},
    ),
)
