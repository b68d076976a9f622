"""Photos in memory go the way of those in files."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from painting import paint
from PIL import Image

from label_image.any_photo import as_photos, batches, pixels_of
from label_image.errors import PhotoError, RetrainError
from label_image.model import load_model
from label_image.preprocessing import Preprocessing

PLAIN = Preprocessing.parse("decode|orient|resize(8,bilinear)|value_range(-1,1)")


def test_one_photo_is_the_same_in_every_form(tmp_path: Path) -> None:
    path = paint(tmp_path / "a.png", "red", 3)
    image = Image.open(path)
    forms = [path, str(path), path.read_bytes(), bytearray(path.read_bytes()), image, np.asarray(image)]
    for form in forms:
        assert len(as_photos(form)) == 1
        assert (pixels_of(as_photos(form)[0], PLAIN) == pixels_of(path, PLAIN)).all()
    stacked = np.stack([np.asarray(image)] * 3)
    assert len(as_photos(stacked)) == 3 and len(as_photos(iter(forms))) == 6


def test_an_image_is_turned_as_its_file_is(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8))
    file = io.BytesIO()
    picture.save(file, "PNG", exif=exif)
    turned = pixels_of(file.getvalue(), PLAIN)
    assert (turned == pixels_of(Image.open(io.BytesIO(file.getvalue())), PLAIN)).all()
    assert not (turned == pixels_of(picture, PLAIN)).all()


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "CMYK", "YCbCr"])
def test_images_of_every_mode_are_taken(mode: str) -> None:
    assert pixels_of(Image.new("RGB", (9, 9), (200, 30, 30)).convert(mode), PLAIN).shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("photo", "why"),
    [
        (np.zeros((4, 4, 3)), "is an array of float64, not of uint8: multiply"),
        (np.zeros((4, 4, 7), np.uint8), r"is an array of the shape \(4, 4, 7\), not \(height, width, 3\)"),
        (np.zeros((0, 4, 3), np.uint8), r"is an array of the shape \(0, 4, 3\)"),
        (7, "is int, not a path, the bytes of a file"),
    ],
)
def test_what_is_no_photo_gets_a_sentence(photo: object, why: str) -> None:
    with pytest.raises(PhotoError, match=why):
        pixels_of(photo, PLAIN)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("form", "why"),
    [
        (io.BytesIO, "is BytesIO, not a path, .*: pass what its read.. gives"),
        (memoryview, "is memoryview, not a path, .*: pass bytes"),
    ],
)
def test_a_file_object_or_a_view_of_memory_is_one_photo_and_refused_by_its_name(
    form: Callable[[bytes], Any], why: str, tmp_path: Path
) -> None:
    photo = form(paint(tmp_path / "a.png", "red", 3).read_bytes())
    for photos in (photo, [photo]):
        with pytest.raises(PhotoError, match=f"^photo 0 {why}"):
            list(batches(as_photos(photos), PLAIN, 1))


def _closed() -> Image.Image:
    image = Image.new("RGB", (4, 4))
    image.close()
    return image


def _cut_off(format: str) -> Image.Image:
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (99, 99, 3), np.uint8)
    Image.fromarray(noise).save(file, format)
    return Image.open(io.BytesIO(file.getvalue()[:4000]))


@pytest.mark.parametrize(
    ("image", "why"),
    [
        (_cut_off("JPEG"), "image file is truncated"),
        (_cut_off("PNG"), "image file is truncated"),
        (_closed(), "Operation on closed image"),
        (Image.new("RGB", (0, 0)), "cannot write empty image"),
        (Image.new("La", (4, 4)), "conversion from La to L not supported"),
    ],
)
def test_an_image_that_pillow_cannot_decode_is_named(image: Image.Image, why: str) -> None:
    with pytest.raises(PhotoError, match=f"^photo 1 cannot be decoded: {why}"):
        list(batches([Image.new("RGB", (4, 4)), image], PLAIN, 2))


def test_a_model_predicts_many_at_once(three_colours: Path, tmp_path: Path) -> None:
    model = load_model(three_colours / "model")
    photos = [paint(tmp_path / f"{name}{seed}.png", name, seed) for name in ("red", "green") for seed in range(40, 60)]
    said = model.predict([*photos, photos[0].read_bytes(), Image.open(photos[1])])
    assert (len(said), said.photos[0], said.photos[40]) == (42, str(photos[0]), "photo 40")
    assert list(said.labels[:40]) == ["red"] * 20 + ["green"] * 20 and list(said.labels[40:]) == ["red"] * 2
    for row in (0, 25):
        verdict = model.label(photos[row].read_bytes())
        assert verdict.answers[0].probability == pytest.approx(float(said.probability[row]), abs=1e-6)
        assert said.unknown is not None and verdict.unknown == bool(said.unknown[row])
    assert model.predict(photos[0]).labels.tolist() == ["red"] and len(model.predict([])) == 0
    assert list(said.columns()) == ["photo", "label", "probability", "unknown", "similarity", "p(blue)", "p(green)",
                                    "p(red)"]  # fmt: skip
    assert repr(said) == "<Predictions of 42 photos by 3 classes>" and "32 more" in said._repr_html_()
    with pytest.raises(PhotoError, match=r"^photo 1 "):
        model.predict([photos[0], b"no photo"])


def test_a_frame_needs_pandas(three_colours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = load_model(three_colours / "model").predict(three_colours / "photos/red/0.png")
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(RetrainError, match="to_frame makes a DataFrame by pandas, which is missing: install it"):
        said.to_frame()


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I"])
def test_gray_of_more_than_8_bits_is_what_its_file_is(mode: str) -> None:
    values = np.random.default_rng(0).integers(0, 2**16, (9, 9))
    image = Image.frombytes(mode, (9, 9), values.astype({"I;16": "<u2", "I;16B": ">u2", "I": "<i4"}[mode]).tobytes())
    file = io.BytesIO()
    Image.fromarray(values.astype(np.uint16)).save(file, "PNG")
    assert (pixels_of(image, PLAIN) == pixels_of(file.getvalue(), PLAIN)).all()
    with pytest.raises(PhotoError, match="has floating-point pixels"):
        pixels_of(image.convert("F"), PLAIN)
