"""A model that is written anew while it is served."""

import asyncio
import json
import shutil
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from serving import photo, served

from label_image.errors import ModelError
from label_image.serve.metrics import Metrics
from label_image.serve.model_in_use import ModelInUse, Origin
from label_image.serve.refused import Refused
from retrain.exports.folder import replace_export


class Said(list[str]):
    """What was said, line by line."""


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def place(colours: Path, tmp_path: Path) -> Path:
    """Where the export lies that is served."""
    return Path(shutil.copytree(colours, tmp_path / "model"))


@pytest.fixture
def models(place: Path, said: Said) -> ModelInUse:
    return ModelInUse(Origin(place, "colours"), lambda model, labels: {"index.html": b""}, said.append, Metrics())


def renamed(colours: Path, folder: Path, ending: str) -> Path:
    """The export with other names for its classes."""
    copy = Path(shutil.copytree(colours, folder / f"new{ending}"))
    text = (copy / "model.json").read_text()
    for name in ("red", "green", "blue"):
        text = text.replace(f'"{name}"', f'"{name}{ending}"')
    (copy / "model.json").write_text(text)
    return copy


def of_another_training(manifest: Path) -> None:
    """As while a copy to a folder is under way: the manifest has arrived, and the network has not."""
    content = json.loads(manifest.read_text())
    content["provenance"]["dataset_digest"] = "0" * 64
    manifest.write_text(json.dumps(content))


def test_the_same_files_are_not_loaded_again(models: ModelInUse, said: Said) -> None:
    first = models.current
    models.look()
    assert models.current is first and said == []


def test_a_new_export_takes_the_place_and_requests_keep_theirs(
    models: ModelInUse, place: Path, colours: Path, tmp_path: Path, said: Said
) -> None:
    first = models.current
    replace_export(renamed(colours, tmp_path, "-2"), place)
    models.look()
    assert models.current.version == 2 and models.current.model.labels == ("blue-2", "green-2", "red-2")
    assert len(said) == 1 and "version 2" in said[0]
    red = photo((220, 30, 30))
    assert first.model.label(red).answers[0].label == "red"
    assert models.current.model.label(red).answers[0].label == "red-2"
    assert models.of("colours", "2") is models.current
    with pytest.raises(Refused):
        models.of("colours", "1")


@pytest.mark.parametrize(
    "damage",
    [
        lambda place: (place / "model.tflite").write_bytes(b"none"),
        lambda place: (place / "model.json").write_text("{"),
        lambda place: shutil.rmtree(place),
        lambda place: (place / "model.json").unlink(),
        lambda place: of_another_training(place / "model.json"),
    ],
)
def test_one_that_cannot_be_loaded_changes_nothing_and_is_said_once(
    models: ModelInUse, place: Path, colours: Path, said: Said, damage: Callable[[Path], object]
) -> None:
    first = models.current
    damage(place)
    for _ in range(3):
        models.look()
    assert models.current is first and len(said) == 1 and "stays in use" in said[0]
    assert first.model.label(photo((30, 30, 220))).answers[0].label == "blue"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(colours, place)
    models.look()
    assert models.current.version == 2 and len(said) == 2


def test_what_nobody_expected_stops_nothing_and_is_said_once(
    models: ModelInUse, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = 0

    def look() -> None:
        nonlocal looked
        looked += 1
        if looked == 5:
            raise asyncio.CancelledError
        raise ValueError("odd" if looked < 4 else "even")

    monkeypatch.setattr("label_image.serve.model_in_use.EVERY_SECONDS", 0)
    monkeypatch.setattr(models, "look", look)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(models.watch())
    assert said == [f"The model's files could not be checked: ValueError: {why}" for why in ("odd", "even")]


def test_none_to_begin_with_is_an_error(tmp_path: Path, said: Said) -> None:
    with pytest.raises(ModelError):
        ModelInUse(Origin(tmp_path / "none", "x"), lambda model, labels: {}, said.append, Metrics())


def test_no_answer_is_wrong_or_half_while_models_are_exchanged(colours: Path, place: Path, tmp_path: Path) -> None:
    """All label names of an answer end alike; no request is lost; the last model is that of the end."""
    exports = [renamed(colours, tmp_path, f"-{number}") for number in range(1, 5)]
    endings: list[str] = []
    failures: list[object] = []
    stop = threading.Event()

    def ask(url: str, colour: str, data: bytes) -> None:
        while not stop.is_set():
            try:
                with urllib.request.urlopen(urllib.request.Request(url + "label", data), timeout=60) as answer:
                    found = json.load(answer)
            except OSError as error:
                failures.append(error)
                return
            names = {label["label"].partition("-")[2] for label in found["top"]}
            if len(names) != 1 or found["label"].partition("-")[0] != colour:
                failures.append(found)
            endings.extend(names)

    with served(place) as server:
        asked = [("red", photo((220, 30, 30))), ("blue", photo((30, 30, 220)))] * 2
        threads = [threading.Thread(target=ask, args=(server.url, *each)) for each in asked]
        for thread in threads:
            thread.start()
        for number, export in enumerate(exports, 1):
            replace_export(export, place)
            deadline = time.monotonic() + 60
            while str(number) not in endings and time.monotonic() < deadline:
                time.sleep(0.02)
        stop.set()
        for thread in threads:
            thread.join()
        assert failures == []
        assert sorted(set(endings)) == ["", "1", "2", "3", "4"]
        assert server.end()[0] == 0
