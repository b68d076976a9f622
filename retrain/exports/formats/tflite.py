"""The TFLite model for phones: one float32 photo of RGB 0..255 in, probabilities and familiarity out.

Labels and manifest ride along in a zip appended to the file, which every TFLite runtime ignores
and which makes a single .tflite enough for `label_image`.
"""

import io
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from label_image.errors import first_line
from label_image.files import scratch_folder
from retrain.core.errors import ExportError
from retrain.exports.formats.base import Conversion, Filling, Format, Source, Template, as_label_image_runs_it
from retrain.exports.proof.limits import FLOAT32

if TYPE_CHECKING:
    from label_image.embedding import Embed
    from label_image.runtimes import Outputs
    from retrain.exports.classifier import Classifier
    from retrain.exports.top import Top
    from retrain.training.head import Matrix

FILE = "model.tflite"


def convert(classifier: "Classifier") -> bytes:
    """A float32 TFLite model with metadata: batch 1, tensors `image`, `scores` and `similarity`.

    Raises ExportError if the converter fails.
    """
    # Here, and not above: to put another top into a model takes no TensorFlow.
    from retrain.core.tensorflow import leaving_nothing, tf
    from retrain.exports.metadata import with_metadata

    spec = tf.TensorSpec((1, classifier.size, classifier.size, 3), tf.float32, name="image")
    forward = tf.function(lambda image: classifier(image), autograph=False)
    # Of a function the converter loads what it saves once, of a SavedModel of ours twice.
    converter = tf.lite.TFLiteConverter.from_concrete_functions([forward.get_concrete_function(spec)], classifier)
    with leaving_nothing():
        try:
            model: bytes = converter.convert()
        except Exception as error:  # the converter raises whatever its passes raise
            raise ExportError(f"model.tflite cannot be made: {first_line(error)}") from error
    if not converter.saved_model_dir:  # then it took another way, in silence
        raise ExportError(
            f"model.tflite cannot be made: TensorFlow could not save the network in {tempfile.gettempdir()}. Make room "
            "there, or name another folder for temporary files in the variable TMPDIR."
        )
    check_has_weights(model)
    return with_metadata(model)


def check_has_weights(model: bytes) -> None:
    """Raises ExportError for a TFLite model that reads its weights from variables, which nothing fills.

    The converter makes one, without a word, where it is not shown whose variables a function uses; it answers
    whatever is in memory.
    """
    from ai_edge_litert import schema_py_generated as schema

    root = schema.Model.GetRootAs(model, 0)
    codes = map(root.OperatorCodes, range(root.OperatorCodesLength()))
    # The older field ends at 127.
    operations = {max(code.BuiltinCode(), code.DeprecatedBuiltinCode()) for code in codes}
    if schema.BuiltinOperator.READ_VARIABLE in operations:
        raise ExportError("The TFLite model was made without its weights: this TensorFlow's converter is not known.")


def exchange_top(model: bytes, old: "Top", new: "Top") -> bytes:
    """A TFLite model with the values of another top of the same shapes, in the same places.

    Raises ExportError if the values of the old one are not there exactly once.
    """
    from retrain.exports.top import exchanged  # here, and not above: it imports NumPy

    return exchanged(FILE, model, _turned(old), _turned(new))


def _turned(top: "Top") -> tuple["Matrix", ...]:
    """The numbers of a top as TFLite holds them: products turned around, (outputs, inputs)."""
    return tuple(array.T for array in top.arrays)


def append_files(model: bytes, files: Mapping[str, str]) -> bytes:
    """A TFLite model followed by a zip of text files, byte for byte the same every time."""
    buffer = io.BytesIO(model)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_STORED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)), text)
    return buffer.getvalue()


@contextmanager
def one_photo_model(saved_model: Path, with_embedding: bool = False) -> Iterator[Path]:
    """A SavedModel of batch 1 with `scores` and `similarity`, in a folder that is removed at the end.

    With `embedding`, too, if that is wanted: the converter makes one network of both signatures. Raises ExportError
    where there is none.
    """
    from label_image.runtimes import load_saved_model
    from retrain.core.tensorflow import quiet, save_model, tf

    loaded = load_saved_model(saved_model, trust=True)  # searched by `export_model`
    signature, embed = loaded.signatures["serving_default"], loaded.signatures.get("embed")
    if with_embedding and embed is None:
        raise ExportError(f"{saved_model} has no signature embed: train it again.")
    size = signature.structured_input_signature[1]["image"].shape[1]
    names = [name for name in signature.structured_outputs if name != "classes"]

    def answer(image: Any) -> dict[str, Any]:
        said = signature(image=image)
        return {**{name: said[name] for name in names}, **(embed(image=image) if with_embedding else {})}

    module = tf.Module()
    module.loaded = loaded
    spec = tf.TensorSpec((1, size, size, 3), tf.float32, name="image")
    function = tf.function(answer, autograph=False).get_concrete_function(spec)
    with scratch_folder() as folder:
        with quiet():
            save_model(module, str(folder), {"serving_default": function})
        yield folder


def converter_of(one_photo: Path) -> Any:
    """TensorFlow's converter of a `one_photo_model`."""
    from retrain.core.tensorflow import tf

    return tf.lite.TFLiteConverter.from_saved_model(str(one_photo), signature_keys=["serving_default"])


def converted(what: str, convert: Callable[[], bytes]) -> bytes:
    """What a converter makes, with metadata. Raises ExportError if it fails."""
    from retrain.core.tensorflow import quiet
    from retrain.exports.metadata import with_metadata

    try:
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the converter calibrates with an interpreter that it calls deprecated
            model = convert()
    except Exception as error:  # the converter raises whatever its passes raise
        reason = first_line(error)
        raise ExportError(f"TFLite ({what}) cannot be made: {reason}") from error
    check_has_weights(model)
    return with_metadata(model)


def write_with_texts(model: bytes, source: Source, path: Path) -> None:
    """With the labels and the manifest, as in the model.tflite of a training."""
    path.write_bytes(append_files(model, source.texts))


def _convert_float32(source: Source, path: Path) -> None:
    converter = converter_of(source.made(one_photo_model))
    write_with_texts(converted("tflite", converter.convert), source, path)


def _convert_with_embedding(source: Source, path: Path) -> None:
    with one_photo_model(source.export, with_embedding=True) as one_photo:
        write_with_texts(converted("tflite_embed", converter_of(one_photo).convert), source, path)


def _embeds(path: Path) -> "Embed":
    from label_image.embedding import tflite_embeds

    return tflite_embeds(path)


def make_template(classifier: "Classifier", template: Path) -> None:
    """Write a model with the `placeholder_head`, whose values another top can take the place of."""
    template.mkdir(parents=True)
    (template / FILE).write_bytes(convert(classifier))


def _fill(filling: Filling) -> list[dict[str, "Outputs"]]:
    from label_image.runtimes import tflite_runner
    from retrain.exports.top import placeholder_head

    model = exchange_top((filling.template / FILE).read_bytes(), placeholder_head(filling.top), filling.top)
    (filling.folder / FILE).write_bytes(append_files(model, filling.texts))
    run = tflite_runner(filling.folder / FILE)
    return [{"tflite": run(pixels)} for pixels in filling.groups]


FORMATS = (
    Format(
        "tflite",
        (FILE,),
        FLOAT32,
        as_label_image_runs_it,
        conversions=(Conversion(_convert_float32),),
        template=Template((FILE,), make_template, _fill),
        titles={"tflite": FILE},
    ),
    Format(
        "tflite_embed",
        ("model_embed.tflite",),
        FLOAT32,
        as_label_image_runs_it,
        conversions=(Conversion(_convert_with_embedding),),
        embeds=_embeds,
    ),
)
