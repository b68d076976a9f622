"""Proof that an export answers like the model it was made from.

Each export is loaded again from disk by its own runtime and run on real photos, prepared by the
very code that prepared the training photos; TFLite and SavedModel are loaded by `label_image`
itself, which is what will run them, but for a SavedModel of a proven template (`c_library`). The
reference is the backbone's bottlenecks in float32 with the head.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from label_image.embedding import Embeddings
from label_image.model import Outputs, named_outputs
from label_image.preprocessing import Pixels
from label_image.runtimes import ANSWERS
from retrain.core.defaults import FINAL_TENSOR_NAME
from retrain.core.errors import ParityError
from retrain.exports.proof.limits import TOLERANCE

if TYPE_CHECKING:
    from retrain.exports.proof.c_library import Session

BATCH = 16

Runner = Callable[[Pixels], Outputs]


@dataclass(frozen=True)
class Parity:
    """How far an export is from the reference: greatest |dp|, share of equal first answers, photos.

    `similarity_difference` is the greatest one of similarities; None where an export has none.
    """

    greatest_difference: float
    top_1_agreement: float
    photos: int
    similarity_difference: float | None = None

    @classmethod
    def joined(cls, parts: "Sequence[Parity]") -> "Parity":
        """That of several groups of photos together, which have similarities all, or none."""
        photos = sum(part.photos for part in parts)
        differences = [part.similarity_difference for part in parts if part.similarity_difference is not None]
        return cls(
            max(part.greatest_difference for part in parts),
            sum(part.top_1_agreement * part.photos for part in parts) / photos,
            photos,
            max(differences, default=None),
        )


def compare(name: str, said: Outputs, expected: Outputs, tolerance: float = TOLERANCE) -> Parity:
    """Compare what an export says of photos with what the model says.

    Raises ParityError if a probability or a similarity differs by more than the tolerance or is not finite,
    or if the answers have another shape. So a first answer can differ only where the first two of the model
    are within twice the tolerance, which is no disagreement.
    """
    parity = measure_parity(name, said, expected)
    if not parity.greatest_difference <= tolerance:
        raise ParityError(
            f"{name} was not kept: on {_photos(parity)} its probabilities differ from the model's by up to "
            f"{parity.greatest_difference:.2g} (allowed: {tolerance}) and {parity.top_1_agreement:.1%} of its first "
            "answers agree."
        )
    if parity.similarity_difference is not None and not parity.similarity_difference <= tolerance:
        raise ParityError(
            f"{name} was not kept: on {_photos(parity)} its similarities differ from the model's by up to "
            f"{parity.similarity_difference:.2g} (allowed: {tolerance})."
        )
    return parity


def _photos(parity: Parity) -> str:
    return "1 photo" if parity.photos == 1 else f"{parity.photos} photos"


def measure_parity(name: str, said: Outputs, expected: Outputs) -> Parity:
    """How far the answers of an export are from those of the model.

    Raises ParityError if they have another shape or are not finite: a file without its weights answers NaN.
    """
    answers, reference = said.probabilities, expected.probabilities
    if len(answers) == 0:
        raise ParityError(f"{name} cannot be checked: there is no photo to run it on.")
    if answers.shape != reference.shape:
        raise ParityError(f"{name} was not kept: it answers {answers.shape}, the model {reference.shape}.")
    if not np.isfinite(answers).all() or (said.similarity is not None and not np.isfinite(said.similarity).all()):
        raise ParityError(f"{name} was not kept: not all of its probabilities and similarities are finite.")
    difference = float(np.abs(answers - reference).max())
    agreement = float((answers.argmax(axis=1) == reference.argmax(axis=1)).mean())
    if said.similarity is None or expected.similarity is None:
        return Parity(difference, agreement, len(answers))
    return Parity(difference, agreement, len(answers), float(np.abs(said.similarity - expected.similarity).max()))


def compare_embeddings(name: str, said: Embeddings, expected: Embeddings) -> float:
    """How far bottlenecks (n, dim) that an export answers are from the SavedModel's, as a part of the largest number.

    Raises ParityError if that is more than a float32 format may differ, or if they have another shape.
    """
    if said.shape != expected.shape or len(said) == 0:
        raise ParityError(f"{name} was not kept: its embeddings are {said.shape}, the SavedModel's {expected.shape}.")
    apart = float(np.abs(said - expected).max() / max(float(np.abs(expected).max()), float(np.finfo(np.float32).tiny)))
    if not apart <= TOLERANCE:
        raise ParityError(
            f"{name} was not kept: on {len(said)} photos its embeddings differ from the SavedModel's by up to "
            f"{apart:.2g} of the largest number (allowed: {TOLERANCE})."
        )
    return apart


def bytes_runner(loaded: Any) -> Runner:
    """`serve_bytes` of a loaded SavedModel, fed with the pixels as PNG files."""
    from retrain.core.tensorflow import tf

    signature = loaded.signatures["serve_bytes"]

    def answer(batch: Pixels) -> Outputs:
        assert loaded is not None
        said = signature(image_bytes=tf.constant([_png(photo) for photo in batch]))
        return named_outputs({name: value.numpy() for name, value in said.items()})

    def run(pixels: Pixels) -> Outputs:
        return _in_batches(answer, pixels)

    return run


def c_pixels_runner(session: "Session", tensors: Mapping[str, str]) -> Runner:
    """`serving_default` of a SavedModel in TensorFlow's C library; `tensors` is what it calls its own."""

    def answer(batch: Pixels) -> Outputs:
        return _numbers(session.run(tensors["image"], batch.astype(np.float32), [tensors[name] for name in ANSWERS]))

    return lambda pixels: _in_batches(answer, pixels)


def c_bytes_runner(session: "Session", tensors: Mapping[str, str]) -> Runner:
    """`serve_bytes` there, fed with the pixels as PNG files."""

    def answer(batch: Pixels) -> Outputs:
        photos = [_png(photo) for photo in batch]
        return _numbers(session.run(tensors["image_bytes"], photos, [tensors[name] for name in ANSWERS]))

    return lambda pixels: _in_batches(answer, pixels)


def _numbers(values: list[npt.NDArray[np.float32]]) -> Outputs:
    return named_outputs(dict(zip(ANSWERS, values, strict=True)))


def graph_def_runner(path: Path, final_tensor_name: str = FINAL_TENSOR_NAME) -> Runner:
    """A frozen graph in a TensorFlow 1 session, as the 2017 label_image ran it."""
    from retrain.core.tensorflow import tf

    graph_def = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(graph_def, name="import")
    session = tf.compat.v1.Session(graph=graph)

    def answer(batch: Pixels) -> Outputs:
        feeds = {"import/input:0": batch.astype(np.float32)}
        return Outputs(session.run(f"import/{final_tensor_name}:0", feeds))

    def run(pixels: Pixels) -> Outputs:
        return _in_batches(answer, pixels)

    return run


def _in_batches(run: Runner, pixels: Pixels) -> Outputs:
    return Outputs.joined([run(pixels[start : start + BATCH]) for start in range(0, len(pixels), BATCH)])


def _png(pixels: Pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()
