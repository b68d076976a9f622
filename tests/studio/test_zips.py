"""An export as a zip that is made while it is sent."""

import io
import os
import shutil
import zipfile
from pathlib import Path

import pytest

from label_image.model import load_model
from retrain.core.errors import StudioError
from retrain.studio.zips import ALL, CHUNK, zip_name, zip_of


def unzipped(output_dir: Path, name: str) -> zipfile.ZipFile:
    found = zipfile.ZipFile(io.BytesIO(b"".join(zip_of(output_dir, name))))
    assert found.testzip() is None
    return found


def test_one_format_with_what_label_image_needs(three_colours: Path, tmp_path: Path) -> None:
    found = unzipped(three_colours / "model", "tflite")
    assert set(found.namelist()) == {"model.tflite", "labels.txt", "model.json"}
    found.extractall(tmp_path)
    data = (three_colours / "photos/red/0.png").read_bytes()
    assert load_model(tmp_path).label(data) == load_model(three_colours / "model").label(data)


def test_a_folder_keeps_its_files_in_their_places(three_colours: Path) -> None:
    names = unzipped(three_colours / "model", "saved_model").namelist()
    assert {"saved_model.pb", "variables/variables.index", "labels.txt", "model.json"} <= set(names)
    assert "model.tflite" not in names


def test_all_formats_without_what_is_of_the_photos(three_colours: Path) -> None:
    names = unzipped(three_colours / "model", ALL).namelist()
    assert {"saved_model.pb", "model.tflite", "labels.txt", "model.json", "metrics.json", "README.md"} <= set(names)
    assert not {"dataset.parquet", "seen_photos.npy", "skipped.csv"} & set(names)
    assert len(set(names)) == len(names)


def test_a_large_file_is_sent_in_pieces(three_colours: Path, tmp_path: Path) -> None:
    model = Path(shutil.copytree(three_colours / "model", tmp_path / "model"))
    with (model / "model.tflite").open("ab") as file:
        file.write(bytes(3 * CHUNK))
    parts = list(zip_of(model, "tflite"))
    assert len(parts) > 3 and max(map(len, parts)) < 1.1 * CHUNK
    assert unzipped(model, "tflite").read("model.tflite") == (model / "model.tflite").read_bytes()


def test_it_is_of_one_export_whatever_takes_its_place(three_colours: Path, tmp_path: Path) -> None:
    model = Path(shutil.copytree(three_colours / "model", tmp_path / "model"))
    expected = {name: (model / name).read_bytes() for name in ("model.tflite", "labels.txt", "model.json")}
    parts = zip_of(model, "tflite")
    begun = next(parts)
    shutil.rmtree(model)
    found = zipfile.ZipFile(io.BytesIO(begun + b"".join(parts)))
    assert {name: found.read(name) for name in found.namelist()} == expected


@pytest.mark.parametrize(
    "name, said",
    [("onnx", "was not written yet"), ("../photos", "is not known"), ("", "is not known"), ("report", "is not known")],
)
def test_what_is_not_there_is_refused_before_anything_is_sent(three_colours: Path, name: str, said: str) -> None:
    with pytest.raises(StudioError, match=said):
        zip_of(three_colours / "model", name)


def test_without_an_export_nothing_is_there(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="was not written yet"):
        zip_of(tmp_path / "model", ALL)


def test_its_name_says_whose_it_is() -> None:
    assert zip_name(Path("some/cats_model"), "web") == "cats_model_web.zip"


@pytest.mark.parametrize("seconds", [-(10**9), 5 * 10**9])
def test_dates_that_a_zip_cannot_say_end_no_download(tmp_path: Path, seconds: int) -> None:
    for name in ("model.tflite", "labels.txt"):
        (tmp_path / name).write_text("x")
        os.utime(tmp_path / name, (seconds, seconds))
    assert {entry.date_time[0] for entry in unzipped(tmp_path, "tflite").infolist()} <= {1980, 2107}
