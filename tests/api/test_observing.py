"""Functions that are told how far a step is, and may end it; and what is no progress."""

from collections.abc import Callable
from pathlib import Path

import pytest

from retrain import (
    Backbone,
    Bottlenecks,
    Dataset,
    ExportConfig,
    ExtractionConfig,
    HeadConfig,
    export,
    extract,
    fit_head,
)
from retrain.core.errors import OptionError, Stopped
from retrain.core.observing import METHODS, observed
from retrain.core.progress import SILENT, Silent

FAKE = Backbone.find("fake")


def test_each_step_says_how_far_it_is(bottlenecks: Bottlenecks, photos: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []

    def observe(done: int, total: int | None) -> None:
        told.append((done, total))

    extract(Dataset.open(photos), FAKE, ExtractionConfig(tmp_path / "new"), observe=observe)
    assert told[-1] == (42, 42)
    told.clear()
    trained = fit_head(bottlenecks, bottlenecks.split(), observe=observe)
    assert told[0][0] == 0 and len(told) > 2
    told.clear()
    export(trained, ExportConfig(tmp_path / "model", ["tflite"]), observe=observe)
    assert told == [(0, 1), (1, 1)]


def test_returning_false_ends_an_extraction_and_keeps_what_it_has(photos: Path, tmp_path: Path) -> None:
    kept = ExtractionConfig(tmp_path / "new")
    with pytest.raises(Stopped, match="as `observe` returned False"):
        extract(Dataset.open(photos), FAKE, kept, observe=lambda done, total: done == 0)
    again = extract(Dataset.open(photos), FAKE, kept)
    assert again.extraction.hits > 0 and len(again.photos) == 42


@pytest.mark.parametrize("config", [HeadConfig(), HeadConfig(optimizer="sgd", how_many_training_steps=40)],
                         ids=["lbfgs", "sgd"])  # fmt: skip
def test_returning_false_ends_a_training(config: HeadConfig, bottlenecks: Bottlenecks) -> None:
    steps: list[int] = []

    def observe(done: int, total: int | None) -> bool:
        steps.append(done)
        return len(steps) < 2

    with pytest.raises(Stopped):
        fit_head(bottlenecks, bottlenecks.split(), config, observe=observe)
    assert len(steps) == 2


@pytest.mark.parametrize("after", [0, 1])
def test_returning_false_leaves_an_export_as_it_was(after: int, bottlenecks: Bottlenecks, tmp_path: Path) -> None:
    trained = fit_head(bottlenecks, bottlenecks.split())
    with pytest.raises(Stopped):
        export(trained, ExportConfig(tmp_path / "model", ["tflite"]), observe=lambda done, total: done < after)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    "call",
    [
        lambda bottlenecks, wrong: fit_head(bottlenecks, bottlenecks.split(), progress=wrong),
        lambda bottlenecks, wrong: extract(bottlenecks.dataset, FAKE, progress=wrong),
        lambda bottlenecks, wrong: export(fit_head(bottlenecks, bottlenecks.split()), progress=wrong),
        lambda bottlenecks, wrong: Dataset.open(bottlenecks.dataset.source, progress=wrong),
    ],
    ids=["fit_head", "extract", "export", "Dataset.open"],
)
def test_a_function_is_no_progress(call: Callable[[Bottlenecks, object], object], bottlenecks: Bottlenecks) -> None:
    with pytest.raises(OptionError, match=r"got a function\. A function that is told how far .* `observe`"):
        call(bottlenecks, lambda *_: None)
    with pytest.raises(OptionError, match=r"`progress` takes TerminalScreen\(\), or .*; got bool"):
        call(bottlenecks, True)


def test_what_cannot_be_called_observes_nothing(bottlenecks: Bottlenecks) -> None:
    with pytest.raises(OptionError, match=r"`observe` takes a function of two numbers, .*; got int"):
        fit_head(bottlenecks, bottlenecks.split(), observe=3)  # type: ignore[arg-type]


def test_an_observed_progress_has_all_methods_of_one() -> None:
    both = observed(SILENT, lambda done, total: None)
    assert {name for name in METHODS if callable(getattr(both, name))} == set(METHODS) == {
        name for name in vars(Silent) if not name.startswith("_")
    }  # fmt: skip


def test_a_download_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def download(url: str, path: Path, checksum: str | None, observe: Callable[[int, int | None], None]) -> None:
        observe(1, 2)

    monkeypatch.setattr("retrain.backbones.weights.download", download)
    monkeypatch.setattr("retrain.backbones.weights.KERAS_CACHE", tmp_path)
    with pytest.raises(Stopped):
        Backbone.find("mobilenet_0.25_128", model_dir=tmp_path, observe=lambda done, total: False)
