import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from retrain.core.errors import ExportError
from retrain.insight.report.confusion_image import RIGHT, draw_confusion
from retrain.insight.report.summaries import write_summaries
from retrain.runs.train import Run
from retrain.training.metrics import measure


@pytest.fixture
def run(make_run: Callable[..., Run]) -> Run:
    return make_run(["cat", "dog"], each=30, how_many_training_steps=30, learning_rate=0.1, train_batch_size=10)


def scalars(folder: Path, name: str) -> list[tuple[int, float]]:
    accumulator = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    accumulator.Reload()
    events = accumulator.Tensors(name)
    return [(event.step, float(make_ndarray(event.tensor_proto))) for event in events]


def test_the_curve_and_the_final_accuracy_are_written(tmp_path: Path, run: Run) -> None:
    folder = write_summaries(tmp_path, run)
    curve = run.trained.fit.curve
    expected = [(progress.step, pytest.approx(progress.training_accuracy)) for progress in curve]
    assert scalars(folder / "training", "accuracy") == expected
    assert [step for step, _ in scalars(folder / "validation", "cross_entropy")] == [0, 10, 20, 29]
    assert scalars(folder / "test", "accuracy") == [(29, pytest.approx(run.trained.test.accuracy))]


def test_t12_each_run_has_its_own_folder_and_nothing_is_deleted(tmp_path: Path, run: Run) -> None:
    (tmp_path / "thesis.txt").write_text("three years of work")
    first, second = (write_summaries(tmp_path, run) for _ in range(2))
    assert first != second
    assert scalars(first / "training", "accuracy") == scalars(second / "training", "accuracy")
    assert (tmp_path / "thesis.txt").read_text() == "three years of work"


def test_without_validation_and_test_photos_only_training_is_written(tmp_path: Path, run: Run) -> None:
    nothing = measure(np.zeros((0, 2), np.float32), np.zeros(0, np.intp), ("cat", "dog"))
    curve = tuple(
        replace(progress, validation_accuracy=None, validation_cross_entropy=None) for progress in run.trained.fit.curve
    )
    trained = replace(run.trained, test=nothing, fit=replace(run.trained.fit, curve=curve))
    folder = write_summaries(tmp_path, replace(run, trained=trained))
    assert not (folder / "test").exists()
    assert scalars(folder / "training", "accuracy")


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path, run: Run) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ExportError, match="`summaries_dir`"):
        write_summaries(tmp_path / "file" / "below", run)


def test_a_link_to_nowhere_is_a_sentence(tmp_path: Path, run: Run) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    for folder in (tmp_path / "link", tmp_path / "link" / "below"):
        with pytest.raises(ExportError, match="`summaries_dir`"):
            write_summaries(folder, run)


def test_the_confusion_matrix_is_a_picture(tmp_path: Path, run: Run) -> None:
    accumulator = EventAccumulator(str(write_summaries(tmp_path, run) / "test"), size_guidance={"tensors": 0})
    accumulator.Reload()
    (event,) = accumulator.Tensors("confusion")
    width, height, data = make_ndarray(event.tensor_proto)
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.size == (int(width), int(height))
        assert np.array_equal(np.asarray(picture), draw_confusion(run.trained.test))


def test_right_and_wrong_answers_have_their_colours() -> None:
    classes = np.array([0, 0, 1, 1])
    pixels = draw_confusion(measure(np.eye(2, dtype=np.float32)[[0, 0, 0, 1]], classes, ("猫", "a" * 300)))
    fields = pixels[-8 - 2 * 28 :, -8 - 2 * 28 :][3::28, 3::28][:2, :2]
    assert fields[0, 0].tolist() == RIGHT.tolist()
    assert fields[0, 1].tolist() == [255, 255, 255]
    assert fields[1, 0].argmax() == 0 and fields[1, 1].argmax() == 2  # reddish, bluish


def test_the_projector_is_in_a_folder_with_event_files(tmp_path: Path, run: Run) -> None:
    (config,) = write_summaries(tmp_path, run).rglob("projector_config.pbtxt")
    assert list(config.parent.glob("events.out.tfevents.*"))
