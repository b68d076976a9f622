"""Class activation maps: exact for every way a converter writes an average, refused where there is none."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from label_image.heatmap import activation_maps, find_tflite, overlay
from label_image.model import ModelError, tflite_runner
from retrain.backbones.backbone import find_backbone
from retrain.backbones.network import load_network
from retrain.core.tensorflow import quiet, tf
from retrain.exports.classifier import Classifier
from retrain.exports.formats.tflite import convert
from retrain.exports.top import Top
from retrain.training.head import Head

SIZE, DIM, CLASSES = 8, 24, 5
RANDOM = np.random.default_rng(0)
PHOTOS = RANDOM.integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)
FILTERS = RANDOM.normal(size=(3, 3, 3, DIM)).astype(np.float32) / 255
KERNEL = RANDOM.normal(size=(DIM, CLASSES)).astype(np.float32)
BIAS = RANDOM.normal(size=CLASSES).astype(np.float32)
MEANS = RANDOM.normal(size=(DIM, 7)).astype(np.float32)
SHARED = Path(__file__).resolve().parents[3] / "shared"

Answer = Callable[[Any], dict[str, Any]]


def write(path: Path, answer: Answer, optimise: bool = False) -> Path:
    """A TFLite file with the signature of an export: `image` (1, 8, 8, 3) -> what `answer` names."""
    spec = tf.TensorSpec((1, SIZE, SIZE, 3), tf.float32, name="image")
    module = tf.Module()
    function = tf.function(lambda image: answer(image), autograph=False).get_concrete_function(spec)
    with quiet():
        tf.saved_model.save(module, str(path.with_suffix("")), signatures={"serving_default": function})
        converter = tf.lite.TFLiteConverter.from_saved_model(
            str(path.with_suffix("")), signature_keys=["serving_default"]
        )
        if optimise:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        path.write_bytes(converter.convert())
    return path


def features(image: Any) -> Any:
    """(1, 8, 8, 3) -> (1, 4, 4, DIM)."""
    return tf.nn.relu(tf.nn.conv2d(image, FILTERS, 2, "SAME"))


def mean(image: Any) -> Any:
    return tf.reduce_mean(features(image), axis=[1, 2])


def with_bias(image: Any) -> dict[str, Any]:
    return {"scores": tf.nn.softmax(tf.matmul(mean(image), KERNEL) + BIAS)}


def without_bias(image: Any) -> dict[str, Any]:
    return {"scores": tf.nn.softmax(tf.matmul(mean(image), KERNEL))}


def kept_dimensions(image: Any) -> dict[str, Any]:
    pooled = tf.reduce_mean(features(image), axis=[1, 2], keepdims=True)
    return {"scores": tf.nn.softmax(tf.matmul(tf.squeeze(pooled, [1, 2]), KERNEL) + BIAS)}


def pooled(image: Any) -> dict[str, Any]:
    average = tf.nn.avg_pool2d(features(image), 4, 1, "VALID")
    return {"scores": tf.nn.softmax(tf.matmul(tf.reshape(average, (1, DIM)), KERNEL) + BIAS)}


def with_other_outputs(image: Any) -> dict[str, Any]:
    bottleneck = mean(image)
    similarity = tf.reduce_max(tf.matmul(tf.nn.l2_normalize(bottleneck, axis=1), MEANS), axis=1, keepdims=True)
    return {
        "another": tf.nn.softmax(tf.matmul(bottleneck, MEANS)),
        "scores": tf.nn.softmax(tf.matmul(bottleneck, KERNEL) + BIAS),
        "similarity": similarity,
    }


def side_by_side(image: Any) -> dict[str, Any]:
    """Two backbones: the first 9 features are those of one, the others those of another."""
    both = [tf.nn.relu(tf.nn.conv2d(image, filters, 2, "SAME")) for filters in (FILTERS[..., :9], FILTERS[..., 9:])]
    parts = [tf.reduce_mean(features, axis=[1, 2]) for features in both]
    return {"scores": tf.nn.softmax(tf.matmul(tf.concat(parts, axis=1), KERNEL) + BIAS)}


@pytest.mark.parametrize("answer", [with_bias, without_bias, kept_dimensions, pooled, with_other_outputs, side_by_side])
def test_maps_average_to_the_logits(answer: Answer, tmp_path: Path) -> None:
    path = write(tmp_path / "model.tflite", answer)
    maps, run = activation_maps(path), tflite_runner(path)
    for photo in PHOTOS:
        found = maps(photo)
        assert (found.dtype, found.shape) == (np.float32, (CLASSES, 4, 4))
        assert np.allclose(softmax(found.mean(axis=(1, 2))), run(photo[None]).probabilities[0], atol=1e-5)
    # Not only on average: each place by itself.
    places = np.asarray(features(PHOTOS[-1:].astype(np.float32)))[0]
    expected = places @ KERNEL + (0 if answer is without_bias else BIAS)
    assert np.allclose(found, np.moveaxis(expected, -1, 0), atol=1e-4)


def hidden(image: Any) -> dict[str, Any]:
    layer = tf.nn.relu(tf.matmul(mean(image), tf.ones((DIM, 6)) * 0.1))
    return {"scores": tf.nn.softmax(tf.matmul(layer, tf.constant(KERNEL[:6])))}


def flattened(image: Any) -> dict[str, Any]:
    flat = tf.reshape(features(image), (1, 16 * DIM))
    return {"scores": tf.nn.softmax(tf.matmul(flat, np.tile(KERNEL, (16, 1))))}


def independent(image: Any) -> dict[str, Any]:
    return {"scores": tf.sigmoid(tf.matmul(mean(image), KERNEL))}


def multiplied(image: Any) -> dict[str, Any]:
    logits = tf.matmul(mean(image), KERNEL)
    return {"scores": tf.nn.softmax(logits * logits)}


def of_different_places(image: Any) -> dict[str, Any]:
    small = tf.nn.relu(tf.nn.conv2d(image, FILTERS[..., :9], 4, "SAME"))
    large = tf.nn.relu(tf.nn.conv2d(image, FILTERS[..., 9:], 2, "SAME"))
    parts = [tf.reduce_mean(part, axis=[1, 2]) for part in (small, large)]
    return {"scores": tf.nn.softmax(tf.matmul(tf.concat(parts, axis=1), KERNEL))}


def other_names(image: Any) -> dict[str, Any]:
    return {"probabilities": with_bias(image)["scores"]}


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (hidden, "right on an average over places. Train without --hidden_units"),
        (flattened, "right on an average over places"),
        (independent, "LOGISTIC, not from SOFTMAX"),
        (multiplied, "not from FULLY_CONNECTED"),
        (of_different_places, "places of different sizes"),
        (other_names, "no signature serving_default with the output scores"),
    ],
)
def test_network_without_maps_is_refused(answer: Answer, says: str, tmp_path: Path) -> None:
    path = write(tmp_path / "model.tflite", answer)
    with pytest.raises(ModelError, match=says):
        activation_maps(path)


def test_quantised_head_is_refused(tmp_path: Path) -> None:
    def answer(image: Any) -> dict[str, Any]:
        average = tf.reduce_mean(tf.tile(features(image), (1, 1, 1, 50)), axis=[1, 2])
        return {"scores": tf.nn.softmax(tf.matmul(average, np.tile(KERNEL, (50, 1))))}

    path = write(tmp_path / "model.tflite", answer, optimise=True)
    with pytest.raises(ModelError, match="quantised"):
        activation_maps(path)


def test_map_that_would_not_be_exact_is_never_given(tmp_path: Path) -> None:
    def clipped(image: Any) -> dict[str, Any]:
        return {"scores": tf.nn.softmax(tf.nn.relu(tf.matmul(mean(image), KERNEL) + BIAS))}  # fused into the head

    maps = activation_maps(write(tmp_path / "model.tflite", clipped))
    with pytest.raises(ModelError, match="not an average over places"):
        maps(PHOTOS[0])


def test_file_that_is_no_model_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"garbage")
    with pytest.raises(ModelError, match="cannot be loaded"):
        activation_maps(tmp_path / "model.tflite")


def test_where_the_file_is_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no model\.tflite"):
        find_tflite(tmp_path)
    file = tmp_path / "model.tflite"
    file.touch()
    assert find_tflite(tmp_path) == find_tflite(file) == file


def test_map_is_hot_where_the_colour_is(tmp_path: Path) -> None:
    top = Top(Head(np.eye(3, dtype=np.float32), np.zeros(3, np.float32)), np.eye(3, dtype=np.float32))
    classifier = Classifier(load_network(find_backbone("fake", Path("."))), top, ("red", "green", "blue"))
    (tmp_path / "model.tflite").write_bytes(convert(classifier))
    photo = np.zeros((SIZE, SIZE, 3), np.uint8)
    photo[1, 6, 0] = photo[5, 2, 1] = 255
    red, green, blue = activation_maps(tmp_path / "model.tflite")(photo)
    assert np.unravel_index(red.argmax(), red.shape) == (1, 6)
    assert np.unravel_index(green.argmax(), green.shape) == (5, 2)
    assert np.ptp(blue) == 0


@pytest.mark.real
@pytest.mark.skipif(not (SHARED / "weights").is_dir(), reason="needs ../shared/weights")
def test_maps_of_mobilenet_average_to_its_logits(tmp_path: Path) -> None:
    backbone = find_backbone("mobilenet_0.25_128", tmp_path, str(SHARED / "weights" / "mobilenet_0.25_128.weights.h5"))
    kernel = RANDOM.normal(size=(backbone.dim, 12)).astype(np.float32)
    top = Top(Head(kernel, RANDOM.normal(size=12).astype(np.float32)), kernel / np.linalg.norm(kernel, axis=0))
    path = tmp_path / "model.tflite"
    path.write_bytes(convert(Classifier(load_network(backbone), top, tuple("abcdefghijkl"))))
    maps, run = activation_maps(path), tflite_runner(path)
    for file in sorted((SHARED / "data" / "cats").glob("*/*_1.jpg"))[:3]:
        pixels = backbone.preprocessing.pixels(file.read_bytes())
        found = maps(pixels)
        assert found.shape == (12, 4, 4)
        assert np.allclose(softmax(found.mean(axis=(1, 2))), run(pixels[None]).probabilities[0], atol=1e-4)


# Over the photo


def colourfulness(image: Image.Image) -> np.ndarray:
    return np.ptp(np.asarray(image).astype(int), axis=-1)


@pytest.mark.parametrize("size", [(40, 20), (20, 60), (33, 195)])
def test_overlay_colours_the_hot_places_of_a_photo(size: tuple[int, int]) -> None:
    heat = np.zeros((4, 4), np.float32)
    heat[0, 0] = 7
    drawn = overlay(Image.new("RGB", size, (90, 140, 30)), heat)
    assert (drawn.size, drawn.mode) == (size, "RGB")
    colours = colourfulness(drawn)
    assert colours[: size[1] // 8, : size[0] // 8].min() > 80
    assert colours[size[1] // 2 :, size[0] // 2 :].max() == 0


def test_overlay_does_not_depend_on_the_scale_of_a_map() -> None:
    heat = RANDOM.normal(size=(7, 7)).astype(np.float32)
    photo = Image.fromarray(RANDOM.integers(0, 256, (30, 50, 3), np.uint8))
    one, other = (np.asarray(overlay(photo, one)).astype(int) for one in (heat, 20 * heat - 100))
    assert np.abs(one - other).max() <= 1


@pytest.mark.parametrize("value", [0.0, -3.5, 1e6])
def test_map_that_is_the_same_everywhere_colours_nothing(value: float) -> None:
    heat = np.full((7, 7), value, np.float32)
    heat[3, 3] *= 1 + 1e-6  # rounding
    assert colourfulness(overlay(Image.new("RGB", (30, 20), (10, 200, 30)), heat)).max() == 0


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()
