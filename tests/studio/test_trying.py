"""A photo tried on the studio's model, before any export is there."""

import base64
import io
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from painting import COLOURS, paint
from PIL import Image
from studios import seen_in, studio_in, trained_on

from label_image.errors import PhotoError
from retrain.backbones.backbone import Backbone
from retrain.backbones.engines.one_photo import one_photo_engine
from retrain.studio.config import StudioConfig
from retrain.studio.seeing import Seen
from retrain.studio.trying import nearest, prepare, try_photo
from retrain.training.trained import TrainedHead


@pytest.fixture
def studio(tmp_path: Path) -> StudioConfig:
    return studio_in(tmp_path)


@pytest.fixture
def seen(studio: StudioConfig) -> Seen:
    return seen_in(studio)


@pytest.fixture
def trained(seen: Seen, studio: StudioConfig) -> TrainedHead:
    return trained_on(seen, studio)


def test_a_photo_is_answered_with_what_is_like_it(tmp_path: Path, trained: TrainedHead, seen: Seen) -> None:
    said = try_photo(paint(tmp_path / "new.png", "green").read_bytes(), trained, seen)
    labels = [one["label"] for one in said["top"]]
    assert labels[0] == "green" and sorted(labels) == ["blue", "green", "red"]
    assert sum(one["probability"] for one in said["top"]) == pytest.approx(1, abs=1e-5)
    assert said["unknown"] is False and said["similarity"] >= said["threshold"]
    assert [one["label"] for one in said["nearest"]] == ["green"] * 3
    assert all(seen.listing.by_id[one["id"]].label == "green" for one in said["nearest"])
    similarities = [one["similarity"] for one in said["nearest"]]
    assert similarities == sorted(similarities, reverse=True)


def test_a_photo_like_no_other_is_unknown(tmp_path: Path, trained: TrainedHead, seen: Seen) -> None:
    said = try_photo(paint(tmp_path / "new.png", (250, 250, 10)).read_bytes(), trained, seen)
    assert said["unknown"] is True and said["similarity"] < said["threshold"]


def test_the_map_shows_where_the_answer_is(tmp_path: Path, trained: TrainedHead, seen: Seen) -> None:
    pixels = np.full((400, 600, 3), COLOURS["green"], np.uint8)
    pixels[:, :200] = COLOURS["red"]
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    said = try_photo(file.getvalue(), trained, seen)
    assert said["top"][0]["label"] == "green"
    kind, _, data = said["heat"].partition(",")
    assert kind == "data:image/jpeg;base64"
    heat = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")).astype(float)
    assert heat.shape == (400, 600, 3)
    left, right = heat[:, :150].mean(axis=(0, 1)), heat[:, 300:].mean(axis=(0, 1))
    assert right[0] - right[2] > 50 > left[0] - left[2]  # warm on the green, gray on the red


def test_without_the_map_all_else_is_the_same(tmp_path: Path, trained: TrainedHead, seen: Seen) -> None:
    photo = paint(tmp_path / "new.png", "red", 99).read_bytes()
    assert try_photo(photo, trained, seen, heat=False) == {**try_photo(photo, trained, seen), "heat": None}


def test_what_is_no_photo_is_refused(trained: TrainedHead, seen: Seen) -> None:
    with pytest.raises(PhotoError):
        try_photo(b"no photo", trained, seen)


def test_of_copies_and_of_a_burst_one_is_near(studio: StudioConfig) -> None:
    shutil.copy(studio.folder / "red/0.png", studio.folder / "red/copy.png")
    for number in range(3):
        paint(studio.folder / f"red/webcam-1_nohash_{number}.png", (200 + number, 20, 20))
    seen = seen_in(studio)
    trained = trained_on(seen, studio)
    for tried in ("red/0.png", "red/webcam-1_nohash_0.png"):
        row = [photo.path for photo in trained.bottlenecks.photos].index(str(studio.folder / tried))
        found = nearest(trained.bottlenecks.matrix[row], trained, seen)
        names = [seen.listing.by_id[one.id].name for one in found]
        assert len(names) == 3
        assert sum(name in ("red/0.png", "red/copy.png") for name in names) <= 1
        assert sum("nohash" in name for name in names) <= 1


def test_a_photo_that_was_moved_since_is_called_what_it_is_called_now(
    studio: StudioConfig, trained: TrainedHead
) -> None:
    photo = (studio.folder / "red/0.png").read_bytes()
    shutil.move(studio.folder / "red/0.png", studio.folder / "blue/moved.png")
    (studio.folder / "red/1.png").unlink()
    now = seen_in(studio)
    said = try_photo(photo, trained, now, heat=False)
    first = said["nearest"][0]
    assert (now.listing.by_id[first["id"]].name, first["label"]) == ("blue/moved.png", "blue")
    assert first["similarity"] == pytest.approx(1, abs=1e-6)


def test_what_ends_early_is_tried_where_it_was_accepted(studio: StudioConfig) -> None:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)).save(file, "JPEG")
    cut = file.getvalue()[:-3000]
    seen = seen_in(studio)
    with pytest.raises(PhotoError):
        try_photo(cut, trained_on(seen, studio), seen)
    accepting = replace(studio, extraction=replace(studio.extraction, accept_truncated=True))
    seen = seen_in(accepting)
    assert try_photo(cut, trained_on(seen, accepting), seen)["heat"]


def test_the_network_is_built_once_by_whichever_thread_is_first(
    trained: TrainedHead, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []

    def start(backbone: Backbone) -> object:
        started.append(backbone)
        return one_photo_engine(backbone)

    monkeypatch.setattr("retrain.studio.trying.one_photo_engine", start)
    backbone = replace(trained.bottlenecks.backbone, weights_sha256="another")
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(prepare, [backbone] * 8))
    assert started == [backbone]
