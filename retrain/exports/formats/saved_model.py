"""The SavedModel: signatures for pixels, and one for encoded photos.

    serving_default   image: float32 (n, size, size, 3), RGB 0..255     -> scores, classes, similarity
    serve_bytes       image_bytes: string (n,), JPEG, PNG, WebP, GIF, BMP -> scores, classes, similarity
    numeric           image, as above                                   -> scores, similarity
    embed             image, as above                                   -> embedding: float32 (n, dim), the bottleneck

`numeric` is for programs that take no text, as OpenVINO. What `tf.saved_model.load` gives can be called with float32 or
uint8 pixels, and answers as serving_default. All share one graph of the network, whose weights are plain
variables. The top's numbers are constants in `saved_model.pb`, once: those of another top take their place byte for
byte, without TensorFlow, and all else of a proven template stays as it is.

`serve_bytes` decodes and resizes as training does, within one grey level (six for a large JPEG, which
training decodes at a fraction of its size), with differences that TensorFlow's decoders impose: EXIF
orientation is not applied, TIFF, AVIF and animated WebP are not read, and of GIFs with transparency and
BMPs with a palette the colours are others (docs/odd_photos.md). `label_image` therefore always prepares
photos itself and feeds pixels.
"""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import TYPE_CHECKING, Any

from label_image.plain_paths import plain_path
from retrain.core.errors import ParityError
from retrain.core.evenly import spread
from retrain.exports.formats.base import Filling, Format, Template
from retrain.exports.proof.limits import FLOAT32

if TYPE_CHECKING:
    from label_image.preprocessing import Pixels
    from label_image.runtimes import Outputs, Run
    from retrain.exports.classifier import Classifier
    from retrain.exports.top import Top

GRAPH, VARIABLES = "saved_model.pb", "variables"
FILES = (GRAPH, "fingerprint.pb", VARIABLES, "assets")
INDEX = f"{VARIABLES}/variables.index"
DATA = re.compile(r"variables\.data-\d{5}-of-(\d{5})")  # the variables themselves: one file here, two of older versions
# One of so many photos is run through `serve_bytes`, and no fewer than these: what is new there is the decoding.
BYTES_OF, BYTES_PHOTOS = 4, 4
EMBED_PHOTOS = 12  # that are run through `embed`, of a new template
EMBEDDING = "embedding"
SIGNATURES = "signatures.json"  # beside a template: what the tensors of each signature are called


def write_saved_model(classifier: "Classifier", folder: Path) -> None:
    """Write the SavedModel files into `folder`."""
    from label_image.runtimes import ANSWERS
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
        return {name: answers[name] for name in ANSWERS}

    def embed(image: Any) -> dict[str, Any]:
        return {EMBEDDING: classifier.features(image)}

    def call(image: Any) -> dict[str, Any]:
        answers: dict[str, Any] = serving_default(image=tf.cast(image, tf.float32))
        return answers

    # What is loaded can be called, with whole numbers as well, which photos are.
    called = tf.function(call, autograph=False)
    for kind in (tf.float32, tf.uint8):
        called.get_concrete_function(tf.TensorSpec((None, size, size, 3), kind, name="image"))
    classifier.__call__ = called  # type: ignore[method-assign]
    signatures = {
        "serving_default": serving_default,
        "numeric": tf.function(numeric, autograph=False).get_concrete_function(pixels),
        "embed": tf.function(embed, autograph=False).get_concrete_function(pixels),
        "serve_bytes": tf.function(serve_bytes, autograph=False).get_concrete_function(photos),
    }
    folder.mkdir(parents=True, exist_ok=True)
    with plain_path(folder) as plain:
        save_model(classifier, str(plain), signatures)
    # It would be that of the first top, whichever is put in.
    (folder / "fingerprint.pb").unlink(missing_ok=True)
    (folder / "assets").rmdir()  # always empty: a flat graph has none


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
    """Write a SavedModel with the `placeholder_head`, and beside it the names of its tensors."""
    write_saved_model(classifier, template)
    (template / SIGNATURES).write_text(json.dumps(_signatures(template)), encoding="utf-8")


def _signatures(folder: Path) -> dict[str, dict[str, str]]:
    """What the inputs and outputs of each signature of a SavedModel are called in its graph."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    import retrain.core.tensorflow  # noqa: F401  before any part of it

    signatures = SavedModel.FromString((folder / GRAPH).read_bytes()).meta_graphs[0].signature_def
    return {
        name: {key: tensor.name for tensors in (found.inputs, found.outputs) for key, tensor in tensors.items()}
        for name, found in signatures.items()
    }


def put_top_in(template: Path, folder: Path, old: "Top", new: "Top") -> None:
    """Write the SavedModel of a template with another top. Raises ExportError if the old one is not there once."""
    from retrain.exports.top import exchanged  # here, and not above: it imports NumPy

    copytree(template, folder, ignore=ignore_patterns(GRAPH, SIGNATURES), dirs_exist_ok=True)
    graph = exchanged(GRAPH, (template / GRAPH).read_bytes(), old.arrays, new.arrays)
    (folder / GRAPH).write_bytes(graph)


def _fill(filling: Filling) -> list[dict[str, "Outputs"]]:
    """Complete a template, and run both signatures, `serve_bytes` on some of the photos.

    A template that is proven was run by Python's TensorFlow, as users run it. With a top put in it is run by
    TensorFlow's C library, where that can be had: its import is a tenth. `embed` has nothing of the top, so that it is
    proven with the template.
    """
    from retrain.exports.proof.c_library import c_library, c_session
    from retrain.exports.proof.parity import bytes_runner, c_bytes_runner, c_pixels_runner
    from retrain.exports.top import placeholder_head

    put_top_in(filling.template, filling.folder, placeholder_head(filling.top), filling.top)
    if filling.is_proven and (library := c_library()) is not None:
        signatures = json.loads((filling.template / SIGNATURES).read_bytes())
        with c_session(library, filling.folder) as session, ThreadPoolExecutor(1) as thread:
            run = c_pixels_runner(session, signatures["serving_default"])
            run_bytes = c_bytes_runner(session, signatures["serve_bytes"])
            # An interrupt while a pool starts its thread leaves that alone: it must not have the session by then.
            thread.submit(int).result()
            # At once: what takes time is that each prepares its graph, on one core.
            encoded = [thread.submit(run_bytes, _some(pixels)) for pixels in filling.groups]
            said = [run(pixels) for pixels in filling.groups]
            return [_answers(*both) for both in zip(said, (future.result() for future in encoded), strict=True)]
    import numpy as np

    from label_image.runtimes import Outputs, load_saved_model, pixels_runner

    loaded = load_saved_model(filling.folder)
    run, run_bytes = pixels_runner(loaded), bytes_runner(loaded)
    said = [run(pixels) for pixels in filling.groups]
    _check_classes(loaded, filling.groups[0][:1], filling.texts["labels.txt"])
    _check_embed(loaded, np.concatenate(filling.groups), filling.top, Outputs.joined(said))
    return [_answers(one, run_bytes(_some(pixels))) for one, pixels in zip(said, filling.groups, strict=True)]


def _some(pixels: "Pixels") -> "Pixels":
    return pixels[spread(len(pixels), max(BYTES_PHOTOS, len(pixels) // BYTES_OF))]


def _answers(said: "Outputs", to_bytes: "Outputs") -> dict[str, "Outputs"]:
    return {"saved_model": said, "saved_model_bytes": to_bytes}


def _check_classes(loaded: Any, pixels: "Pixels", labels: str) -> None:
    """Raises ParityError unless `serving_default` names the lines of labels.txt, which programs read off it."""
    from retrain.core.tensorflow import tf

    (named,) = loaded.signatures["serving_default"](image=tf.constant(pixels, tf.float32))["classes"].numpy()
    if "".join(f"{name.decode()}\n" for name in named) != labels:
        raise ParityError("The SavedModel was not kept: the classes that it names are not the labels in their order.")


def _check_embed(loaded: Any, pixels: "Pixels", top: "Top", said: "Outputs") -> None:
    """Raises ParityError unless the top says of photos' embeddings what `serving_default` said of the photos."""
    from retrain.core.tensorflow import tf
    from retrain.exports.proof.parity import compare

    rows = spread(len(pixels), EMBED_PHOTOS)
    found = loaded.signatures["embed"](image=tf.constant(pixels[rows], tf.float32))[EMBEDDING].numpy()
    compare("The SavedModel (embed)", top.outputs(found), said.of(rows))


def parts(*files_of_variables: int) -> tuple[str, ...]:
    """The files of a SavedModel whose variables lie in so many."""
    data = (
        f"{VARIABLES}/variables.data-{number:05}-of-{count:05}"
        for count in files_of_variables
        for number in range(count)
    )
    return (GRAPH, INDEX, *data)


def _parts_there(export: Path) -> Iterator[str]:
    """By the names that are there: each says how many there have to be."""
    counts = {int(found[1]) for file in (export / VARIABLES).glob("*") if (found := DATA.fullmatch(file.name))}
    return iter(parts(*sorted(counts or {1})))


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
            (*parts(1), SIGNATURES),
            make_template,
            _fill,
        ),
        titles={"saved_model": "The SavedModel", "saved_model_bytes": "The SavedModel (serve_bytes)"},
        parts=_parts_there,
    ),
)
