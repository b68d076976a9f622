"""Whether the files of an export's folder are of one training: else labels of one would name what another answers.

A folder that is copied is of two trainings for a while, and stays so where the copy breaks off.
"""

from pathlib import Path
from typing import Any

from label_image.appended_zip import embedded_manifest
from label_image.errors import ModelError, first_line
from label_image.manifest import MANIFEST, Manifest
from label_image.strangers import import_tensorflow

PROVENANCE = "provenance"  # of what photos, by which options and versions: no two trainings that differ have the same
CLASSES = "classes"  # what a SavedModel answers beside the scores: the labels in their order
WHY = (
    f"the {MANIFEST} beside it: a copy of the folder is under way, or broke off. Copy it again, and let nothing stay "
    "of what was there before."
)


def are_of_one_training(one: Manifest, other: Manifest) -> bool:
    """By where they say that they come from; where either does not, by all that decides an answer."""
    if PROVENANCE in one.content and PROVENANCE in other.content:
        return bool(one.content[PROVENANCE] == other.content[PROVENANCE])
    return (one.labels, one.preprocessing, one.threshold) == (other.labels, other.preprocessing, other.threshold)


def is_tflite_of(file: Path, beside: Manifest) -> bool:
    """Whether a .tflite is of the training of a folder's manifest, or carries none. Raises ModelError."""
    inside = embedded_manifest(file)
    return inside is None or are_of_one_training(inside, beside)


def check_tflite(file: Path, beside: Manifest) -> None:
    """Raise ModelError for a .tflite of another training than the manifest of its folder."""
    if not is_tflite_of(file, beside):
        raise of_another_training(file)


def check_manifest(file: Path, inside: Manifest, beside: Manifest) -> None:
    """Raise ModelError for the manifest in a file that is of another training than that of its folder."""
    if not are_of_one_training(inside, beside):
        raise of_another_training(file)


def of_another_training(file: Path) -> ModelError:
    return ModelError(f"{file} is of another training than {WHY}")


def check_classes(folder: Path, loaded: Any, beside: Manifest) -> None:
    """Raise ModelError for a SavedModel that TensorFlow loaded if it names other classes than the folder's manifest."""
    signature = loaded.signatures["serving_default"]
    answered = signature.structured_outputs.get(CLASSES)
    tf = import_tensorflow()
    if answered is None or answered.dtype != tf.string:
        return
    try:
        black = tf.zeros([side or 1 for side in signature.structured_input_signature[1]["image"].shape])
        (named,) = signature(image=black)[CLASSES].numpy()
    except Exception as error:  # TensorFlow raises a dozen types for damaged ones
        raise ModelError(f"The SavedModel {folder} cannot be run: {first_line(error)}") from None
    if tuple(name.decode() for name in named) != beside.labels:
        raise ModelError(f"{folder / 'saved_model.pb'} names other classes than {WHY}")
