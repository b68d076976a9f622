import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from label_image.preprocessing import Preprocessing
from retrain.backbones.backbone import find_backbone
from retrain.backbones.engines.base import BATCH, Engine
from retrain.backbones.engines.registry import start_engine
from retrain.backbones.engines.tensorflow import tensorflow_engine
from retrain.bottlenecks.probe import relative_error
from retrain.core.errors import GpuError
from retrain.core.machine import has_bfloat16

SHARED = Path(__file__).resolve().parents[4] / "shared"
SIZE = 64


def pixels(photos: int, size: int = SIZE) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (photos, size, size, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return start_engine(find_backbone("mobilenet_0.25_128", Path("x"), "random", image_size=SIZE), "tensorflow")


def test_the_fake_engine_gives_the_average_colour() -> None:
    photos = np.zeros((2, 8, 8, 3), np.uint8)
    photos[1, :, :4] = (255, 0, 51)
    vectors = start_engine(find_backbone("fake", Path("x")))(photos)
    np.testing.assert_allclose(vectors, [[-1, -1, -1], [0, -1, -0.8]], atol=1e-6)
    assert vectors.dtype == np.float32


def test_the_fake_engine_and_the_fake_network_agree() -> None:
    from retrain.backbones.network import load_network
    from retrain.core.tensorflow import tf

    preprocessing = Preprocessing.parse("decode|resize(8,bilinear)|bgr|standardize(1,2,3,4,5,6)")
    backbone = replace(find_backbone("fake", Path("x")), preprocessing=preprocessing)
    photos = pixels(2, 8)
    network = load_network(backbone)(tf.constant(photos, tf.float32)).numpy()
    np.testing.assert_allclose(start_engine(backbone)(photos), network, rtol=1e-5)


def test_the_fake_engine_imports_no_tensorflow() -> None:
    code = (
        "import sys; from pathlib import Path; from retrain.backbones.backbone import find_backbone;"
        "from retrain.backbones.engines.registry import start_engine; start_engine(find_backbone('fake', Path('x')));"
        "sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("devices", [1, 3, BATCH + 1])
def test_every_device_has_a_replica_and_the_order_is_kept(devices: int, engine: Engine) -> None:
    backbone = find_backbone("mobilenet_0.25_128", Path("x"), "random", image_size=SIZE)
    photos = pixels(BATCH + 5)
    replicated = tensorflow_engine(backbone, ("/CPU:0",) * devices)
    assert relative_error(replicated(photos), engine(photos)) < 1e-5


@pytest.mark.parametrize("name", ["tensorflow", "openvino"])
def test_bfloat16_is_another_arithmetic_for_the_same_features(name: str, engine: Engine) -> None:
    backbone = find_backbone("mobilenet_0.25_128", Path("x"), "random", image_size=SIZE)
    half = start_engine(replace(backbone, compute_dtype="bfloat16"), name)
    error = relative_error(half(pixels(3)), engine(pixels(3)))
    assert error < 3e-2
    # Emulated or ignored where the CPU has no such instructions.
    assert error > 1e-4 or not has_bfloat16()


def test_one_engine_s_precision_does_not_leak_into_another(engine: Engine) -> None:
    backbone = find_backbone("mobilenet_0.25_128", Path("x"), "random", image_size=SIZE)
    before = engine(pixels(3))
    start_engine(replace(backbone, compute_dtype="bfloat16"), "tensorflow")(pixels(3))
    np.testing.assert_array_equal(engine(pixels(3)), before)
    assert relative_error(start_engine(backbone, "tensorflow")(pixels(3)), before) < 1e-5


@pytest.mark.real
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is absent")
@pytest.mark.parametrize("name", ["mobilenet_0.25_128", "mobilenet_v2_0.35_224"])
def test_the_engine_is_the_keras_model_with_its_usual_preprocessing(name: str) -> None:
    import keras

    backbone = find_backbone(name, SHARED / "weights")
    builder = keras.applications.MobileNetV2 if "v2" in name else keras.applications.MobileNet
    shape = (backbone.input_size, backbone.input_size, 3)
    alpha = float(name.split("_")[-2])
    model = builder(include_top=False, pooling="avg", alpha=alpha, input_shape=shape, weights=None)
    model.load_weights(str(backbone.weights_file))
    photos = [backbone.preprocessing.pixels(path.read_bytes()) for path in sorted(SHARED.glob("data/cats/*/*"))[::300]]
    expected = np.asarray(model(np.stack(photos).astype(np.float32) / 127.5 - 1, training=False))
    for engine in ("tensorflow", "openvino"):
        vectors = start_engine(backbone, engine)(np.stack(photos))
        assert np.abs(vectors - expected).max() < 1e-4 * np.abs(expected).max()


def test_float16_where_tensorflow_finds_no_gpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrain.backbones.engines.tensorflow.has_gpu", lambda: True)
    monkeypatch.setattr("retrain.backbones.engines.tensorflow.gpu_names", lambda: ())
    backbone = replace(find_backbone("mobilenet_0.25_128", Path("."), weights="random"), compute_dtype="float16")
    with pytest.raises(GpuError, match="`precision` float32"):
        start_engine(backbone, "tensorflow")
