"""Which photos `retrain export` judges formats on."""

import json
import shutil
from pathlib import Path

import pytest
from calling import call
from export_folders import COLOURS, parity_of
from painting import paint_classes
from stand_ins import converted

from label_image.model import load_model
from retrain.cli.main import main
from retrain.core.errors import DatasetError
from retrain.exports.proof import photos as proof_photos
from retrain.exports.proof.photos import export_photos
from retrain.photos.opening import list_photos
from retrain.photos.reading import identify
from retrain.photos.seen_photos import NAME as SEEN
from retrain.photos.seen_photos import write_seen_photos
from retrain.photos.source import SourceConfig

TFLITE, TFLITE_INT8 = "tflite", "tflite_int8"


@pytest.mark.parametrize("most", [1, 20, 60])
def test_int8_is_compared_on_photos_of_all_sides_those_last_that_calibrate(
    most: int, trained: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof_photos, "TEST_PHOTOS", 25)
    monkeypatch.setattr(proof_photos, "COMPARED_PHOTOS", most)
    monkeypatch.setattr(proof_photos, "CALIBRATION_PHOTOS", 10)
    all_photos = [identify(file) for file in list_photos(str(trained / "photos"), tmp_path).files]
    write_seen_photos(model, [photo for place, photo in enumerate(all_photos) if place % 6])
    preprocessing = load_model(model).preprocessing
    photos = export_photos(model, COLOURS, preprocessing, SourceConfig(trained / "photos"), tmp_path)
    compared, test = photos.compared(), photos.tested
    assert (len(compared), test) == (max(most, 10), 10)
    assert len(photos.judged) == max(test, min(most, 25)), "filled up with others"
    assert (compared.pixels[: len(photos.judged)] == photos.judged.pixels).all()
    assert (compared.classes[: len(photos.judged)] == photos.judged.classes).all()
    calibrating = {photo.tobytes() for photo in photos.calibration()}
    others = [photo.tobytes() for photo in compared.pixels[test:]]
    assert len(set(others) & calibrating) == (10 if most == 60 else 0)
    assert set(compared.classes.tolist()) == {0, 1, 2}, "spread over the classes"


def test_of_a_model_that_has_seen_all_none_that_judge_calibrate_where_there_are_others(
    trained: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof_photos, "TEST_PHOTOS", 20)
    write_seen_photos(model, [identify(file) for file in list_photos(str(trained / "photos"), tmp_path).files])
    preprocessing = load_model(model).preprocessing
    for count, common in ((30, 0), (50, 10)):
        monkeypatch.setattr(proof_photos, "CALIBRATION_PHOTOS", count)
        photos = export_photos(model, COLOURS, preprocessing, SourceConfig(trained / "photos"), tmp_path)
        calibrating = {photo.tobytes() for photo in photos.calibration()}
        assert len(calibrating) == count
        assert len({photo.tobytes() for photo in photos.judged.pixels} & calibrating) == common


def test_large_photos_are_as_many_as_memory_has_room_for(
    trained: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof_photos, "COMPARED_BYTES", 8 * 8 * 3 * 25)
    preprocessing = load_model(model).preprocessing
    photos = export_photos(model, COLOURS, preprocessing, SourceConfig(trained / "photos"), tmp_path)
    assert len(photos.compared()) == 25


def all_seen(trained: Path, model: Path, folder: Path) -> Path:
    """A copy of the photos of the training, of which the model has seen all."""
    shutil.copytree(trained / "photos", folder)
    write_seen_photos(model, [identify(file) for file in list_photos(str(folder), folder.parent).files])
    return folder


def test_files_that_cannot_be_decoded_are_as_if_they_were_not_there(trained: Path, model: Path, tmp_path: Path) -> None:
    photos = all_seen(trained, model, tmp_path / "photos")
    without = converted(model, (TFLITE,), str(photos), tmp_path)
    for number in range(3):
        (photos / "red" / f"cut{number}.jpg").write_bytes(b"\xff\xd8\xff\xe0broken %d" % number)
    said: list[str] = []
    report = converted(model, (TFLITE, TFLITE_INT8), str(photos), tmp_path, say=said.append)
    assert (report.photos, report.reference.accuracy) == (without.photos, without.reference.accuracy) == (60, 1.0)
    assert [result.refused for result in report.results] == [None] * 3
    assert any("trained on all of these photos" in sentence for sentence in said)
    for folder in photos.iterdir():
        for photo in folder.iterdir():
            photo.write_bytes(b"\xff\xd8\xff\xe0broken, too")
    with pytest.raises(DatasetError, match=r"None of the photos of .* can be decoded: pass others"):
        converted(model, (TFLITE,), str(photos), tmp_path)


def test_answers_are_compared_on_many_photos_where_few_are_unseen(
    trained: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof_photos, "TEST_PHOTOS", 20)
    photos = all_seen(trained, model, tmp_path / "photos")
    paint_classes(photos, {"red": COLOURS["red"]}, [900])
    for number in range(30):
        (photos / "red" / f"cut{number}.jpg").write_bytes(b"\xff\xd8\xff\xe0broken %d" % number)
    said: list[str] = []
    report = converted(model, (TFLITE,), str(photos), tmp_path, say=said.append)
    assert report.photos == 1 and not any("too good" in sentence for sentence in said)
    proof = parity_of(model)[TFLITE]
    assert (proof["photos"], proof["test"]["n"]) == (20, 1)


def test_takes_of_one_subject_are_told_by_their_names(trained: Path, model: Path, tmp_path: Path) -> None:
    photos = paint_classes(tmp_path / "photos", COLOURS, range(900, 903))
    for folder in photos.iterdir():
        for photo in folder.iterdir():
            photo.rename(folder / f"{folder.name}_nohash_{photo.name}")
    found = export_photos(model, COLOURS, load_model(model).preprocessing, SourceConfig(photos), tmp_path)
    assert len(found.groups) == found.tested == 9 and len(set(found.groups.tolist())) == 3


def test_figures_on_photos_that_were_trained_on_say_so(trained: Path, model: Path, tmp_path: Path) -> None:
    converted(model, (TFLITE,), str(trained / "photos"), tmp_path)
    assert [parity_of(model)[name]["test"]["seen"] for name in ("saved_model", TFLITE)] == [False, False]
    photos = all_seen(trained, model, tmp_path / "photos")
    code, out, err = call(main, "export", model, "--to", TFLITE, "--image_dir", photos, "--json")
    assert code == 0, err
    assert json.loads(out)["formats"][TFLITE]["test"]["seen"] is True
    assert parity_of(model)[TFLITE]["test"]["seen"] is True
    (model / SEEN).unlink()
    converted(model, (TFLITE,), str(photos), tmp_path)
    assert parity_of(model)[TFLITE]["test"]["seen"] is None
