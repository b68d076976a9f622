from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from retrain.photos.views import ORIGINAL, Augmentation, Distortion, View, views_of

BILINEAR = Image.Resampling.BILINEAR
EVERYTHING = Augmentation(True, 10, 20, 30, 15)
A, B = "a" * 64, "b" * 64

augmentations = st.builds(
    Augmentation, st.booleans(), st.integers(0, 99), st.integers(0, 200), st.integers(0, 99), st.integers(0, 180)
)


def gradient(width: int = 64, height: int = 48) -> Image.Image:
    rows, columns = np.mgrid[0:height, 0:width]
    return Image.fromarray(np.stack([rows * 4, columns * 3, np.full_like(rows, 90)], axis=-1).astype(np.uint8))


def test_the_first_view_is_the_photo_itself_whatever_the_augmentation() -> None:
    first = views_of(EVERYTHING, 3)[0]
    assert first.id == ORIGINAL.id == "original"
    np.testing.assert_array_equal(
        first.distortion(A).resize(gradient(), 16, BILINEAR), gradient().resize((16, 16), BILINEAR)
    )


def test_a_view_s_id_names_all_that_makes_it() -> None:
    assert View(EVERYTHING, 3).id == "flip|crop(10)|scale(20)|brightness(30)|rotation(15)#3"
    others = [
        replace(EVERYTHING, **{field.name: type(getattr(EVERYTHING, field.name))(0)}) for field in fields(EVERYTHING)
    ]
    assert len({View(other, 3).id for other in (*others, EVERYTHING)}) == len(others) + 1


def test_more_views_leave_the_first_ones_as_they_are() -> None:
    assert views_of(EVERYTHING, 8)[:3] == views_of(EVERYTHING, 3)


@given(augmentations, st.integers(1, 50))
def test_a_distortion_is_always_the_same_and_within_what_was_asked(asked: Augmentation, number: int) -> None:
    distortion = View(asked, number).distortion(A)
    assert distortion == View(asked, number).distortion(A)
    crop = 1 + asked.random_crop / 100
    assert crop <= distortion.zoom <= crop * (1 + asked.random_scale / 100)
    assert abs(distortion.brightness - 1) <= asked.random_brightness / 100
    assert abs(distortion.degrees) <= asked.random_rotation
    assert not distortion.flip or asked.flip_left_right


def test_photos_and_views_are_distorted_differently() -> None:
    distortions = [View(EVERYTHING, number).distortion(sha256) for number in range(1, 9) for sha256 in (A, B)]
    assert len(set(distortions)) == len(distortions)
    zooms = [View(EVERYTHING, number).distortion(A).zoom for number in range(1, 200)]
    assert 1.1 < min(zooms) < 1.12 and 1.3 < max(zooms) < 1.32  # the whole range is used


def test_half_of_the_views_are_mirrored() -> None:
    flips = [view.distortion(A).flip for view in views_of(Augmentation(flip_left_right=True), 4)]
    assert flips == [False, True, False, True]


@pytest.mark.parametrize(
    ("augmentation", "most"),
    [(Augmentation(), 1), (Augmentation(flip_left_right=True), 2), (Augmentation(True, 5), None), (EVERYTHING, None)],
)
def test_how_many_different_views_there_can_be(augmentation: Augmentation, most: int | None) -> None:
    assert augmentation.most_views == most
    assert bool(augmentation) == (most != 1)


def test_flip_mirrors() -> None:
    flipped = np.asarray(Distortion(flip=True).resize(gradient(), 16, BILINEAR))
    np.testing.assert_array_equal(flipped[:, ::-1], gradient().resize((16, 16), BILINEAR))


def test_zoom_crops_where_left_and_top_say() -> None:
    photo = gradient(64, 64)
    corner = np.asarray(Distortion(zoom=2, left=1, top=0).resize(photo, 32, BILINEAR))
    np.testing.assert_array_equal(corner, np.asarray(photo)[:32, 32:])


def test_brightness_multiplies_and_clips() -> None:
    bright = np.asarray(Distortion(brightness=1.5).resize(gradient(64, 64), 64, BILINEAR)).astype(int)
    assert np.abs(bright - np.minimum(np.asarray(gradient(64, 64)) * 1.5, 255)).max() <= 1


def test_rotation_turns_and_fills_the_corners_with_the_average_colour() -> None:
    photo = Image.new("RGB", (65, 65), (200, 10, 10))
    photo.paste((10, 10, 200), (0, 0, 65, 32))
    turned = np.asarray(Distortion(degrees=90).resize(photo, 65, BILINEAR)).astype(int)
    assert (turned[5:60, 5, 2] > 150).all() and (turned[5:60, 60, 0] > 150).all()  # the top went to the left
    corner = np.asarray(Distortion(degrees=45).resize(photo, 65, BILINEAR)).astype(int)[0, 0]
    assert np.abs(corner - np.asarray(photo).reshape(-1, 3).mean(axis=0)).max() <= 3
