"""Open .tflite exports with MediaPipe's ImageClassifier, the program of phones, and compare it with label_image.

It needs MediaPipe, which is large and no dependency of this project: in an environment of its own,

    python3 -m venv mediapipe
    mediapipe/bin/pip install '.[mediapipe]'
    mediapipe/bin/python scripts/check_mediapipe.py tf_files/model/*.tflite --image_dir cats

Photos are given to both at the network's input size, since MediaPipe's own resize is another one. On
Debian MediaPipe needs the packages libegl1, libgles2 and libgl1. Ends with exit code 1 if a label, the order of
the outputs, or a first answer differs.
"""

import sys
from pathlib import Path

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # without retrain being installed there

from label_image.model import Model, Outputs, load_model
from label_image.preprocessing import Pixels, read_photo

TOLERANCE = 1e-4  # of a score; int8 answers are in steps of 1/256 on both sides
PHOTOS = (".jpg", ".jpeg", ".png", ".webp")


class Classifier:
    """A file in MediaPipe; `classify` gives the scores by label, and the similarity."""

    def __init__(self, path: Path) -> None:
        import mediapipe
        from mediapipe.tasks.python import BaseOptions, vision

        base = BaseOptions(model_asset_path=str(path))
        self._task = vision.ImageClassifier.create_from_options(vision.ImageClassifierOptions(base_options=base))
        self._image, self._format = mediapipe.Image, mediapipe.ImageFormat.SRGB

    def classify(self, pixels: Pixels) -> tuple[dict[str, float], float | None]:
        heads = self._task.classify(self._image(image_format=self._format, data=pixels)).classifications
        scores = {category.category_name: category.score for category in heads[0].categories}
        return scores, heads[1].categories[0].score if len(heads) > 1 else None

    def close(self) -> None:
        self._task.close()


@click.command()
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--image_dir", required=True, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--photos", default=50, show_default=True, help="At most so many, spread over the folder.")
def main(models: tuple[Path, ...], image_dir: Path, photos: int) -> None:
    """Compare MediaPipe's ImageClassifier with label_image on the photos of a folder."""
    files = sorted(path for path in image_dir.rglob("*") if path.suffix.lower() in PHOTOS)
    files = files[:: max(1, len(files) // photos)][:photos]
    failed = False
    for path in models:
        model = load_model(path)
        pixels = np.stack([model.preprocessing.pixels(read_photo(str(file))) for file in files])
        problem, summary = compare(path, model, pixels)
        click.echo(f"{path.name}: {summary}" + (f"; FAILED: {problem}" if problem else ""))
        failed = failed or bool(problem)
    sys.exit(1 if failed else 0)


def compare(path: Path, model: Model, pixels: Pixels) -> tuple[str, str]:
    """What is wrong, or nothing, and how far apart the two are."""
    expected: Outputs = model.run(pixels)
    classifier = Classifier(path)
    said = [classifier.classify(photo) for photo in pixels]
    classifier.close()
    if any(set(scores) != set(model.labels) for scores, _ in said):
        return f"MediaPipe knows the labels {sorted(said[0][0])}", "-"
    scores = np.array([[by_label[label] for label in model.labels] for by_label, _ in said])
    apart = float(np.abs(scores - expected.probabilities).max())
    same = float((scores.argmax(axis=1) == expected.probabilities.argmax(axis=1)).mean())
    summary = f"{len(pixels)} photos, greatest |dp| {apart:.1e}, same first answer {same:.1%}"
    if expected.similarity is not None and said[0][1] is not None:
        similarities = np.array([similarity for _, similarity in said], np.float32)
        further = float(np.abs(similarities - expected.similarity).max())
        summary += f", similarity {further:.1e}"
    else:
        further = 0.0 if expected.similarity is None else np.inf
    if not apart <= TOLERANCE or same < 1 or not further <= TOLERANCE:
        return "they answer differently", summary
    return "", summary


if __name__ == "__main__":
    main()
