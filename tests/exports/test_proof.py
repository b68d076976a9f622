"""What a training hands over is proven, and so is the template that it keeps."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from colour_runs import Train, manifest

from label_image.model import Outputs
from retrain.exports import writer
from retrain.exports.formats import saved_model
from retrain.exports.formats.base import Filling
from retrain.exports.formats.saved_model import write_saved_model
from retrain.exports.from_templates import write_formats
from retrain.exports.proof import c_library, parity
from retrain.exports.proof.parity import Parity, compare


def test_what_comes_of_a_new_template_is_written_once_and_proves_it_on_more_photos(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[list[str], list[str], list[int]]] = []

    def noted(formats: list[str], filling: Filling, new: list[str], *others: Any) -> Any:
        written.append((list(formats), list(new), [len(pixels) for pixels in filling.groups]))
        return write_formats(formats, filling, new, *others)

    monkeypatch.setattr(writer, "write_formats", noted)
    assert [train("--formats", formats)[0] for formats in ("tflite", "saved_model,tflite", "tflite")] == [0, 0, 0]
    assert written == [
        (["tflite"], ["tflite"], [16, 8]),
        (["saved_model"], ["saved_model"], [16, 8]),
        (["tflite"], [], [16]),
        (["tflite"], [], [16]),
    ]
    assert manifest()["parity"]["tflite"]["photos"] == 16 and manifest()["template"]["parity"]["tflite"]["photos"] == 24


def test_template_is_kept_only_when_it_is_proven(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(name: str, said: Outputs, expected: Outputs) -> Parity:
        return compare(name, Outputs(said.probabilities[:, ::-1]), expected)

    monkeypatch.setattr(writer, "compare", wrong)
    code, said = train()
    assert code == 1
    assert "The SavedModel was not kept" in said
    assert not Path("tf_files/bottlenecks/templates").exists()


class Otherwise:
    """Features that are others when they are asked for again, as for the signature `embed`."""

    def __init__(self, features: Callable[[Any], Any]) -> None:
        self.features = features
        self.calls = 0

    def __call__(self, pixels: Any) -> Any:
        self.calls += 1
        return self.features(pixels) * (1 if self.calls == 1 else -1)


def with_other_features(classifier: Any) -> None:
    classifier.still_saved = classifier.features
    classifier.features = Otherwise(classifier.features)


def with_other_classes(classifier: Any) -> None:
    classifier.labels = classifier.labels[::-1]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (with_other_features, "(embed) was not kept: on 12 photos"),
        (with_other_classes, "the classes that it names are"),
    ],
)
def test_what_is_wrong_beside_the_scores_is_not_handed_over_either(
    change: Callable[[Any], None], says: str, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(classifier: Any, folder: Path) -> None:
        change(classifier)
        write_saved_model(classifier, folder)

    monkeypatch.setattr(saved_model, "write_saved_model", write)
    code, said = train("--formats", "saved_model")
    assert (code, says in said) == (1, True), said
    assert not Path("tf_files/model").exists() and not Path("tf_files/bottlenecks/templates").exists()


def test_bottlenecks_of_another_machine_do_not_fail_the_export(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other kernels differ by more than the tolerance: the network of this machine is then the reference."""
    asked = []
    cached, engine = writer.float32_rows, writer.network_engine
    monkeypatch.setattr(writer, "float32_rows", lambda *arguments: cached(*arguments) * np.float32(1.01))
    monkeypatch.setattr(writer, "network_engine", lambda network: asked.append(1) or engine(network))
    assert train("--how_many_training_steps", "20")[0] == 0
    assert asked


def test_an_interrupt_while_a_thread_starts_leaves_none_alone_with_a_session(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TensorFlow's C library would end the process where a thread runs what another one has freed."""
    assert train("--formats", "saved_model")[0] == 0
    closed, runs = threading.Event(), []
    start = threading.Thread.start

    @contextmanager
    def session(*arguments: Any) -> Iterator[c_library.Session]:
        try:
            with c_session(*arguments) as opened:
                yield opened
        finally:
            closed.set()

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        if thread.name.startswith("ThreadPoolExecutor"):
            raise KeyboardInterrupt

    c_session = c_library.c_session
    monkeypatch.setattr(c_library, "c_session", session)
    monkeypatch.setattr(parity, "c_bytes_runner", lambda *_: lambda pixels: runs.append(closed.wait(1)))
    monkeypatch.setattr(threading.Thread, "start", interrupted)
    code, said = train("--formats", "saved_model")
    assert (code, closed.is_set()) == (130, True), said
    time.sleep(0.2)
    assert runs == []
