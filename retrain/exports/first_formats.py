"""The SavedModel and the TFLite file of an export, made from their templates and run at once.

One thread makes and runs the TFLite file while this one imports TensorFlow and does the same with
the SavedModel: the converter and LiteRT use one core, and an import another.
"""

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import copytree
from typing import TYPE_CHECKING

from label_image.model import Outputs, load_saved_model, pixels_runner, tflite_runner
from label_image.preprocessing import Pixels
from retrain.exports.formats.tflite import append_files, convert, exchange_top
from retrain.exports.names import SAVED_MODEL, TFLITE
from retrain.exports.proof.parity import bytes_runner
from retrain.exports.proof.reference import spread
from retrain.exports.template import TFLITE_FILE
from retrain.exports.top import Top, known_top

if TYPE_CHECKING:
    from retrain.exports.classifier import Classifier

# Through `serve_bytes`, which differs from the other signature in its decoding only: of a new template,
# and of one that is proven, where a head, shared by both signatures, is all that is new.
BYTES_PHOTOS, BYTES_PHOTOS_OF_A_HEAD = 12, 4


def write_formats(
    formats: Collection[str],
    folder: Path,
    templates: Path,
    top: Top,
    texts: dict[str, str],
    pixels: Pixels,
    new: Collection[str],
    make: Callable[[], "Classifier"],
    reference: Callable[[], Outputs],
) -> tuple[dict[str, Outputs], Outputs]:
    """Write the formats with this top into `folder`; returns what each, loaded again, answers, and the reference.

    The answers are to `pixels`, those of `serve_bytes` to a `spread` of them. `templates` holds a
    folder for each format. Those of the formats in `new` are written first, from the classifier with
    `known_top` that `make` makes. `texts` are appended to the TFLite file. `reference` is called
    while the thread is still at work. The SavedModel is always written. Raises ExportError.
    """
    classifier = make() if new else None
    if classifier is not None and SAVED_MODEL in new:
        write_saved_model_template(classifier, templates / SAVED_MODEL)
    with ThreadPoolExecutor(1, thread_name_prefix="tflite") as thread:
        if TFLITE in formats:
            template, converted = templates / TFLITE / TFLITE_FILE, classifier if TFLITE in new else None
            tflite = thread.submit(write_tflite, folder / TFLITE_FILE, template, top, texts, pixels, converted)
        of_bytes = BYTES_PHOTOS if new else BYTES_PHOTOS_OF_A_HEAD
        answers = write_saved_model(folder, templates / SAVED_MODEL, top, pixels, of_bytes)
        expected = reference()
        if TFLITE in formats:
            answers["tflite"] = tflite.result()
    return answers, expected


def write_saved_model_template(classifier: "Classifier", template: Path) -> None:
    """Write a SavedModel without its top."""
    from retrain.exports.formats import saved_model

    saved_model.write_saved_model(classifier, template)
    saved_model.take_top_out(template)


def write_saved_model(folder: Path, template: Path, top: Top, pixels: Pixels, of_bytes: int) -> dict[str, Outputs]:
    """Write the SavedModel from its template and run both its signatures, `serve_bytes` on `of_bytes` photos."""
    copytree(template, folder, dirs_exist_ok=True)
    # Here, and not above: its import is what takes the time.
    from retrain.exports.formats.saved_model import put_top_in

    put_top_in(folder, top)
    loaded = load_saved_model(folder)
    return {
        "saved_model": pixels_runner(loaded)(pixels),
        "saved_model_bytes": bytes_runner(loaded)(pixels[spread(len(pixels), of_bytes)]),
    }


def write_tflite(
    path: Path, template: Path, top: Top, texts: dict[str, str], pixels: Pixels, classifier: "Classifier | None"
) -> Outputs:
    """Write the TFLite file from its template, which is made of `classifier` where one is given, and run it."""
    if classifier is not None:
        template.parent.mkdir(parents=True)
        template.write_bytes(convert(classifier))
    model = exchange_top(template.read_bytes(), known_top(top), top)
    path.write_bytes(append_files(model, texts))
    return tflite_runner(path)(pixels)
