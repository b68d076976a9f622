"""Load an export and label photos with it: everything needed is read from the export itself."""

import functools
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from label_image.any_photo import AnyPhoto, as_photos, batches, name_of
from label_image.appended_zip import read_appended_manifest
from label_image.errors import ForeignFileError, ModelError, PhotoError, RetrainError, first_line
from label_image.files import reason_of
from label_image.foreign_text import read_lines
from label_image.from_file import FromFile, Stamps, stamps
from label_image.manifest import FORMAT, MANIFEST, Manifest, format_of, read_manifest
from label_image.one_training import check_classes, check_manifest, check_tflite
from label_image.predictions import Predictions
from label_image.preprocessing import Preprocessing
from label_image.runtimes import (
    Outputs,
    Run,
    load_graph_def,
    load_onnx,
    load_saved_model,
    named_outputs,
    pixels_runner,
    saved_model_runner,
    tflite_runner,
)

__all__ = [
    "Answer", "AnyPhoto", "Model", "ModelError", "Outputs", "Predictions", "Verdict", "load_model",
    "load_saved_model", "named_outputs", "pixels_runner", "saved_model_runner", "tflite_runner",
]  # fmt: skip

TENSORFLOW_JS = "graph-model"  # what a model.json of its says that it is
BATCH = 32  # photos that `predict` runs at a time
ATTEMPTS = 3  # to load an export that a training or `retrain export` is replacing meanwhile


@dataclass(frozen=True)
class Answer:
    """A label with its probability in 0..1."""

    label: str
    probability: float


@dataclass(frozen=True)
class Verdict:
    """What a model says of one photo: its most probable labels, best first, or that it is none of them.

    `unknown` is decided by the `similarity` to the training photos, in -1..1, alone: where it is below the `threshold`.
    Either is None for a model that does not have it. The probabilities of an unknown photo mean nothing.
    """

    answers: tuple[Answer, ...]
    unknown: bool
    similarity: float | None = None
    threshold: float | None = None

    def __str__(self) -> str:
        best = self.answers[0].label
        if not self.unknown:
            return best
        why = ""
        if self.similarity is not None and self.threshold is not None:
            similarity, threshold = _told_apart(self.similarity, self.threshold)
            why = f" (similarity {similarity}, threshold {threshold})"
        return f"unknown: nothing like the training photos{why}; nearest {best}"


@dataclass(frozen=True)
class Model:
    """A loaded export. `run` takes uint8 RGB (n, size, size, 3).

    Any number of threads may use one; each gets the answers that a single thread would. It can be pickled: where it is
    unpickled, the same files have to lie at the same path, and are loaded again. After a fork, TensorFlow's formats
    (SavedModel and graph.pb) cannot be run: start processes by `spawn` for these.

    A photo whose similarity is below `threshold` is none of the labels; without one none is so.
    """

    labels: tuple[str, ...]
    preprocessing: Preprocessing
    run: Run
    threshold: float | None = None

    def label(self, photo: bytes, top_k: int = 5) -> Verdict:
        """The `top_k` most probable labels of an encoded photo. Raises PhotoError; RetrainError as `verdict` does."""
        if not isinstance(photo, bytes | bytearray):
            raise PhotoError(
                f"is {type(photo).__name__}, not the bytes of a file: pass open(…, 'rb').read(), or call `predict`, "
                "which takes paths, images of Pillow and arrays, too"
            )
        return self.verdict(self.run(self.preprocessing.pixels(photo)[None]), top_k)

    def predict(self, photos: AnyPhoto | Iterable[AnyPhoto]) -> Predictions:
        """What it says of photos: paths, bytes of files, images of Pillow or arrays of uint8; one is enough.

        Raises PhotoError for the first that cannot be read.
        """
        asked = as_photos(photos)
        said = [self.run(pixels) for pixels in batches(asked, self.preprocessing, BATCH)]
        nothing = Outputs(np.zeros((0, len(self.labels)), np.float32), np.zeros(0, np.float32))
        outputs = Outputs.joined(said) if said else nothing
        names = tuple(name_of(photo, place) for place, photo in enumerate(asked))
        return Predictions(names, self.labels, outputs.probabilities, outputs.similarity, self.refuses(outputs))

    def __repr__(self) -> str:
        return f"<Model of {len(self.labels)} classes, photos of {self.preprocessing.size} x {self.preprocessing.size}>"

    def verdict(self, outputs: Outputs, top_k: int = 5) -> Verdict:
        """What the outputs of one photo say. Raises RetrainError for a `top_k` that is no whole number from 1 on."""
        if not isinstance(top_k, int | np.integer) or isinstance(top_k, bool) or top_k < 1:
            raise RetrainError(f"`top_k` {top_k!r} must be a whole number, at least 1.")
        probabilities = outputs.probabilities[0]
        best = np.argsort(-probabilities, kind="stable")[:top_k]
        refused = self.refuses(outputs)
        return Verdict(
            tuple(Answer(self.labels[index], float(probabilities[index])) for index in best),
            refused is not None and bool(refused[0]),
            None if outputs.similarity is None else float(outputs.similarity[0]),
            self.threshold,
        )

    def refuses(self, outputs: Outputs) -> npt.NDArray[np.bool_] | None:
        """Which photos are none of the labels, (n,); None for a model that cannot tell."""
        if self.threshold is None or outputs.similarity is None:
            return None
        refused: npt.NDArray[np.bool_] = outputs.similarity < self.threshold
        return refused


def load_model(path: str | Path, labels: str | Path | None = None, trust: bool = False) -> Model:
    """Load an export: its directory, or its .tflite, .onnx or frozen .pb file alone.

    Of a directory the first of model.tflite (TensorFlow is not imported), the SavedModel, model.onnx and
    graph.pb is used. `labels` replaces the export's labels, line by line. A SavedModel or graph that could do more than
    compute, such as write files, is refused unless `trust`. Raises ModelError.
    """
    if not isinstance(path, str | os.PathLike):
        raise ModelError(f"load_model takes the path of an export; got {type(path).__name__}.")
    path = Path(path)
    found, run, manifest = _load_unchanged(path, trust)
    preprocessing = Preprocessing.parse(manifest.preprocessing)
    check_fit(path, run, preprocessing.size, len(manifest.labels))
    names = manifest.labels if labels is None else _other_labels(Path(labels), len(manifest.labels))
    return Model(names, preprocessing, FromFile(path.absolute(), found, trust, run, loaded_again), manifest.threshold)


@functools.lru_cache(maxsize=4)  # a process that is sent the same model with every photo loads it once
def loaded_again(path: str, sha256: str, trust: bool) -> FromFile:
    """What runs the export at `path`. Raises ModelError if it is not the one that was pickled."""
    run = load_model(path, trust=trust).run
    assert isinstance(run, FromFile)
    if run.sha256() != sha256:
        raise ModelError(f"{path} is not the model that was pickled: it was changed since, or is another here.")
    return run


def _load_unchanged(path: Path, trust: bool) -> tuple[Stamps, Run, Manifest]:
    """What runs an export, and its manifest, of files that were the same before and after.

    Else the labels may be those of one export, and what runs that of the next, which was put in its place meanwhile.
    """
    for _ in range(ATTEMPTS):
        found = stamps(path.absolute())
        try:
            run, manifest = _load(path, trust)
        except (OSError, ModelError) as error:
            if stamps(path.absolute()) != found:
                continue
            if isinstance(error, ModelError):
                raise
            # It is behind a folder that may not be entered, for one.
            raise ModelError(f"The model {path} cannot be read: {reason_of(error)}.") from None
        if stamps(path.absolute()) == found:
            return found, run, manifest
    raise ModelError(f"{path} is being replaced again and again: try once more when the run that does so has ended.")


def _load(path: Path, trust: bool) -> tuple[Run, Manifest]:
    """What runs an export, and its manifest."""
    if path.is_dir():
        if _is_run_elsewhere(path):
            raise ModelError(
                f"{path} is a part of an export that other programs run: pass the folder of the export, or its "
                ".tflite, .onnx or frozen .pb file."
            )
        manifest = read_manifest(path)
        return _run_folder(path, manifest, trust), manifest
    if path.is_file() and path.suffix.lower() == ".tflite":
        manifest = read_appended_manifest(path)
        return tflite_runner(path), manifest
    if path.is_file() and path.suffix.lower() == ".onnx":
        return load_onnx(path)
    if path.is_file() and path.suffix.lower() == ".pb" and path.name != "saved_model.pb":
        return load_graph_def(path, trust=trust)
    if path.exists():
        raise ModelError(
            f"{path} is not an export of retrain: pass its folder, or its .tflite, .onnx or frozen .pb file."
        )
    raise ModelError(f"There is no model {path}: train one with `retrain`, or pass the path of another.")


def _is_run_elsewhere(folder: Path) -> bool:
    """Whether a folder is a part of an export that is not run here: for Core ML, TensorFlow.js, or a web page."""
    found = format_of(folder)
    if found == FORMAT:
        return False
    return folder.suffix == ".mlpackage" or found == TENSORFLOW_JS or format_of(folder.parent) == FORMAT


def _run_folder(folder: Path, manifest: Manifest, trust: bool) -> Run:
    """The first of the formats of a folder, those first that are loaded fastest. Raises ModelError."""
    if (tflite := folder / "model.tflite").is_file():
        check_tflite(tflite, manifest)
        return tflite_runner(tflite)
    if not (folder / "saved_model.pb").is_file():
        if (onnx := folder / "model.onnx").is_file():
            run, inside = load_onnx(onnx)
            check_manifest(onnx, inside, manifest)
            return run
        if (graph := folder / "graph.pb").is_file():
            run, inside = load_graph_def(graph, trust=trust)
            check_manifest(graph, inside, manifest)
            return run
    loaded = load_saved_model(folder, trust)
    check_classes(folder, loaded, manifest)
    return pixels_runner(loaded)


def check_fit(path: Path, run: Run, size: int, labels: int) -> None:
    """Run one black photo: a manifest and a model that do not belong together are a ModelError."""
    try:
        said = run(np.zeros((1, size, size, 3), np.uint8))
        scores, similarity = said.probabilities, said.similarity
        if scores.ndim != 2 or scores.dtype.kind != "f" or (similarity is not None and similarity.shape != (1,)):
            raise ValueError("it does not answer with a score for each class")
    except Exception as error:  # both runtimes raise types of their own
        reason = first_line(error)
        raise ModelError(f"{path} cannot be run on photos of {size} pixels: {reason}") from None
    if scores.shape[1] != labels:
        raise ModelError(f"{path} gives {scores.shape[1]} scores, its {MANIFEST} names {labels} classes.")


def _told_apart(one: float, other: float) -> tuple[str, str]:
    """Two numbers with as many decimals as show that they differ, from 2 to 6."""
    for decimals in range(2, 7):
        texts = [f"{round(number, decimals) + 0.0:.{decimals}f}" for number in (one, other)]  # + 0.0: never -0.00
        if texts[0] != texts[1]:
            break
    return texts[0], texts[1]


def _other_labels(path: Path, count: int) -> tuple[str, ...]:
    try:
        labels = read_lines(path)
    except OSError as error:
        raise ModelError(f"--labels {path} cannot be read: {reason_of(error)}.") from None
    except ForeignFileError as error:
        raise ModelError(f"--labels {path} {error}: it must be UTF-8 text with one name per line.") from None
    nameless = next((line for line, label in enumerate(labels, 1) if not label.strip()), None)
    if nameless is not None:
        raise ModelError(f"--labels {path} has no name in line {nameless}: write one, or delete the line.")
    if len(labels) != count:
        raise ModelError(f"--labels {path} has {len(labels)} lines; the model has {count} classes.")
    return labels
