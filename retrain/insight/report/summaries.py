"""TensorBoard summaries of a run, a new folder for each: curves, accuracies, confusion matrix, embedding projector."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from pathlib import Path

from label_image.files import temporary_folder
from label_image.plain_paths import plain_path
from retrain.core.errors import ExportError
from retrain.core.placing import obey_umask
from retrain.core.tensorflow import tf
from retrain.insight.report.confusion_image import draw_confusion
from retrain.insight.report.projector import write_projector
from retrain.runs.train import Run
from retrain.training.trained import TrainedHead


def write_summaries(summaries_dir: Path, run: Run) -> Path:
    """Write the summaries of a run into a new folder below `summaries_dir`; nothing there is touched.

    Returns the folder. Raises ExportError if it cannot be written.
    """
    try:
        with temporary_folder(summaries_dir) as temporary:
            new = temporary / "run"
            new.mkdir()
            with plain_path(new) as plain:
                _write_curves(plain, run.trained)
                if run.trained.test.accuracy is not None:
                    _write_test(plain / "test", run.trained)
            # The projector sees no folder without event files; the training's always has some.
            write_projector(new / "training", run)
            obey_umask(new)
            return _rename_to_now(new, summaries_dir)
    except (OSError, tf.errors.OpError) as error:
        raise ExportError(f"`summaries_dir` {summaries_dir} cannot be written to: {error}.") from None


def _write_curves(folder: Path, trained: TrainedHead) -> None:
    """Accuracy and cross-entropy at each step, of training and validation photos."""
    for name, accuracy, loss in (
        ("training", "training_accuracy", "training_cross_entropy"),
        ("validation", "validation_accuracy", "validation_cross_entropy"),
    ):
        with _writer(folder / name):
            for progress in trained.fit.curve:
                if getattr(progress, accuracy) is not None:
                    tf.summary.scalar("accuracy", getattr(progress, accuracy), step=progress.step)
                    tf.summary.scalar("cross_entropy", getattr(progress, loss), step=progress.step)


def _write_test(folder: Path, trained: TrainedHead) -> None:
    """The accuracy of the test photos, and their confusion matrix as a picture."""
    last = trained.fit.curve[-1].step
    with _writer(folder):
        tf.summary.scalar("accuracy", trained.test.accuracy, step=last)
        rows_are = "Rows are the classes, columns the answers."
        tf.summary.image("confusion", draw_confusion(trained.test)[None], step=last, description=rows_are)


@contextmanager
def _writer(folder: Path) -> Iterator[None]:
    """TensorFlow's writer of summaries into a folder; all of them are in its file at the end."""
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default():
        yield
    writer.close()


def _rename_to_now(new: Path, parent: Path) -> Path:
    """Name a finished folder after the time, and a number where another run has just done so."""
    name = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    for number in count():
        folder = parent / (f"{name}_{number}" if number else name)
        if os.path.lexists(folder):
            continue
        try:
            os.rename(new, folder)  # not over a folder that holds something
            return folder
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
    raise AssertionError("count() has no end")
