"""What a preprocessing makes of pixels, step after step."""

import numpy as np
import pytest
from hypothesis import given
from preprocessing_texts import texts

from label_image.preprocessing import Preprocessing


def applied(text: str, pixels: np.ndarray) -> np.ndarray:
    """What a network does with the arithmetic."""
    arithmetic = Preprocessing.parse(text).arithmetic()
    return (pixels[..., ::-1] if arithmetic.bgr else pixels) * arithmetic.scale + arithmetic.offset


def computed(text: str, pixels: np.ndarray) -> np.ndarray:
    """The steps one after the other, as their descriptions say."""
    values = pixels.astype(np.float64)
    for step in Preprocessing.parse(text).steps:
        if step.name == "bgr":
            values = values[..., ::-1]
        elif step.name == "value_range":
            low, high = step.arguments
            values = values / 255 * (high - low) + low
        elif step.name == "standardize":
            values = (values - step.arguments[:3]) / step.arguments[3:]
    return values


EVERY_LEVEL = np.stack([np.arange(256), np.arange(255, -1, -1), np.roll(np.arange(256), 77)], axis=-1)


def test_value_range_maps_black_and_white_to_its_ends() -> None:
    values = applied("decode|resize(2,box)|value_range(-1,1)", np.array([[0, 255, 127.5]]))
    assert values == pytest.approx(np.array([[-1, 1, 0]]), abs=1e-12)


def test_standardize_subtracts_the_mean_of_each_channel() -> None:
    values = applied("decode|resize(2,box)|standardize(10,20,30,1,2,4)", np.array([[11, 24, 42]]))
    assert values == pytest.approx(np.array([[1, 2, 3]]))


def test_bgr_swaps_red_and_blue_and_twice_is_nothing() -> None:
    assert applied("decode|resize(2,box)|bgr", np.array([[1, 2, 3]])).tolist() == [[3, 2, 1]]
    assert applied("decode|resize(2,box)|bgr|bgr", np.array([[1, 2, 3]])).tolist() == [[1, 2, 3]]


def test_caffe_style_means_are_those_of_bgr() -> None:
    values = applied("decode|resize(2,box)|bgr|standardize(103.939,116.779,123.68,1,1,1)", np.array([[123.68, 0, 0]]))
    assert values == pytest.approx(np.array([[-103.939, -116.779, 0]]))


@given(texts)
def test_compositions_are_what_the_steps_say_one_after_the_other(text: str) -> None:
    expected = computed(text, EVERY_LEVEL)
    assert np.abs(applied(text, EVERY_LEVEL) - expected).max() <= 1e-9 * max(1, np.abs(expected).max())
