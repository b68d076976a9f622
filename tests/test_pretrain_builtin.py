"""`scripts/pretrain_builtin.py` on a tiny archive, with a small random network for a teacher."""

import importlib
import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from retrain.builtin import network
from retrain.networks.tensorflow import tf

# The optimiser's options are those of Keras 3.15, the newest for Python 3.11 and later.
keras = pytest.importorskip("keras", minversion="3.15")
pretrain = importlib.import_module("pretrain_builtin")  # it takes no older Keras either
STEPS = 4


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """40 photos of coloured noise in a zip, decoded."""
    folder = tmp_path_factory.mktemp("archives")
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(folder / "noise.zip", "w") as archive:
        for number in range(40):
            pixels = rng.integers(0, 256, (8, 10, 3), dtype="uint8")
            file = io.BytesIO()
            Image.fromarray(pixels).resize((160, 128)).save(file, "PNG")
            archive.writestr(f"noise/{number}.png", file.getvalue())
    return pretrain.read_photos(folder)


@pytest.fixture(scope="module")
def cache(photos, tmp_path_factory):
    """One round of crops with what a small random network says about them."""
    keras.utils.set_random_seed(1)
    images = keras.Input((pretrain.TEACHER_SIZE, pretrain.TEACHER_SIZE, 3))
    teacher = keras.Model(images, keras.layers.Conv2D(8, 32, strides=32, activation="relu")(images))
    folder = tmp_path_factory.mktemp("features")
    pretrain.make_features(photos, [teacher], folder, rounds=1, seed=0, batch=16)
    return folder


@pytest.fixture(scope="module", autouse=True)
def eager():
    """For a few small steps, tracing them takes far longer than they do."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def recipe():
    return pretrain.Recipe(size=32, last_size=48, last_share=1 / 2, batch=4)


@pytest.fixture(scope="module")
def first_run(photos, cache, recipe, tmp_path_factory):
    """Student and losses of one run without a break."""
    checkpoint = tmp_path_factory.mktemp("first") / "checkpoint.npz"
    return pretrain.train(photos, pretrain.load_targets(cache, 1, recipe.whitening), recipe, STEPS, checkpoint)


def test_features_fit_their_crops(photos, cache):
    with np.load(cache / "round_000.npz") as arrays:
        crops = pretrain.Crops(**arrays)
    assert not any(photos[index].is_held_out for index in crops.photo)
    assert np.isfinite(crops.pooled).all() and crops.pooled.dtype == np.float16
    np.testing.assert_allclose(crops.cells.mean(axis=(1, 2)), crops.pooled, atol=0.02)


def test_boxes_lie_inside_the_photo():
    rng = np.random.default_rng(0)
    for width, height in ((64, 64), (128, 171), (300, 128), (20, 30)):
        for _ in range(200):
            left, upper, right, lower = pretrain.random_box(width, height, rng)
            assert 0 <= left < right <= width + 1e-6 and 0 <= upper < lower <= height + 1e-6


def test_interrupted_run_repeats_the_losses_and_goes_on(photos, cache, recipe, first_run, tmp_path):
    targets, checkpoint = pretrain.load_targets(cache, 1, recipe.whitening), tmp_path / "checkpoint.npz"
    _, before = pretrain.train(photos, targets, recipe, STEPS, checkpoint, stop_after=1)
    np.testing.assert_allclose(before, first_run[1][:1], rtol=1e-6)
    _, after = pretrain.train(photos, targets, recipe, STEPS, checkpoint)
    np.testing.assert_allclose(after, first_run[1][1:], rtol=1e-5)


@pytest.mark.parametrize("normalisation", ["weights", "batch"])
def test_written_network_gives_the_students_features(normalisation, tmp_path):
    keras.utils.set_random_seed(2)
    student = pretrain.build_student(pretrain.Recipe(normalisation=normalisation), 32, 8, 8)
    for layer in student.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign(np.linspace(-0.1, 0.1, layer.moving_mean.shape[0]))
    pretrain.write_weights(tmp_path / "weights.npz", student)
    runs = network.build_network(32)
    network.load_weights(runs, tmp_path / "weights.npz")
    images = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)).astype("float32")
    wanted = keras.Model(student.input, student.get_layer("pooled").output).predict_on_batch(images)
    np.testing.assert_allclose(runs.predict_on_batch(images), wanted, rtol=0.02, atol=0.01)


@pytest.mark.skipif(not network.WEIGHTS.exists(), reason="the built-in weights are not written yet")
def test_built_in_weights_load_and_are_small():
    assert network.WEIGHTS.stat().st_size < 4 * 2**20
    backbone = network.build_network()
    network.load_weights(backbone)
    assert backbone.count_params() * 4 < 4 * 2**20
    features = backbone.predict_on_batch(np.zeros((1, network.INPUT_SIZE, network.INPUT_SIZE, 3), "float32"))
    assert features.shape == (1, network.FEATURES) and np.isfinite(features).all()
