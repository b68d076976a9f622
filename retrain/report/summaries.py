"""TensorBoard summaries: the training curve and the final accuracies, a new folder for each run."""

from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from retrain.errors import ExportError
from retrain.tensorflow import tf

if TYPE_CHECKING:
    from retrain.pipeline import Trained


def write_summaries(summaries_dir: Path, trained: "Trained") -> Path:
    """Write event files into a new folder below `summaries_dir`; nothing there is touched.

    Returns the folder. Raises ExportError if it cannot be written.
    """
    try:
        folder = _new_folder(summaries_dir)
        for name, accuracy, loss in (
            ("training", "training_accuracy", "training_cross_entropy"),
            ("validation", "validation_accuracy", "validation_cross_entropy"),
        ):
            with tf.summary.create_file_writer(str(folder / name)).as_default():
                for progress in trained.fit.curve:
                    if getattr(progress, accuracy) is not None:
                        tf.summary.scalar("accuracy", getattr(progress, accuracy), step=progress.step)
                        tf.summary.scalar("cross_entropy", getattr(progress, loss), step=progress.step)
        if trained.test.accuracy is not None:
            with tf.summary.create_file_writer(str(folder / "test")).as_default():
                tf.summary.scalar("accuracy", trained.test.accuracy, step=trained.fit.curve[-1].step)
    except (OSError, tf.errors.OpError) as error:
        raise ExportError(f"--summaries_dir {summaries_dir} cannot be written to: {error}.") from None
    return folder


def _new_folder(parent: Path) -> Path:
    name = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    for number in count():
        folder = parent / (f"{name}_{number}" if number else name)
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            continue
    raise AssertionError("count() has no end")
