"""Core ML's ops as they are evaluated here, against the TensorFlow ops that coremltools makes them of."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from label_image.model import ModelError
from retrain.core.tensorflow import tf
from retrain.exports.formats.coreml import convert
from retrain.exports.frozen_graph import frozen_graph
from retrain.exports.proof import mil

ct = pytest.importorskip("coremltools")
pytestmark = pytest.mark.filterwarnings("ignore")
RANDOM = np.random.default_rng(0)


def weights(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(np.float32) * 0.3


CONV, WIDE, DEPTHWISE = weights(3, 3, 3, 8), weights(5, 5, 3, 8), weights(3, 3, 8, 2)
BIAS, KERNEL = weights(8), weights(32, 3)


def network(image: tf.Tensor) -> dict[str, tf.Tensor]:
    """What image classifiers are made of; sizes that leave a side odd, so that paddings are not the same all around."""
    x = image / 127.5 - 1.0
    x = tf.nn.silu(tf.nn.conv2d(x, CONV, 2, "SAME") + BIAS) * tf.sigmoid(tf.nn.conv2d(x, WIDE, 2, "SAME"))
    x = tf.pad(x, [[0, 0], [0, 1], [0, 1], [0, 0]])
    x = tf.nn.depthwise_conv2d(x, DEPTHWISE, (1, 2, 2, 1), "VALID")
    x = tf.nn.relu6(x * 6.0) - tf.minimum(tf.tanh(x), 0.2)
    x = tf.concat([tf.nn.max_pool2d(x, 3, 2, "SAME"), tf.nn.avg_pool2d(x, 3, 2, "SAME")], 3)
    x = tf.nn.max_pool2d(x, 2, 1, "VALID")
    bottleneck = tf.reduce_mean(x, axis=(1, 2))
    cosines = tf.nn.relu(tf.matmul(tf.math.l2_normalize(bottleneck, axis=1), KERNEL))
    similarity = tf.reduce_max(cosines, axis=1, keepdims=True)
    return {"scores": tf.nn.softmax(tf.matmul(bottleneck, KERNEL) * 9.0), "similarity": similarity}


def test_a_network_of_many_ops_answers_the_same() -> None:
    labels = ["a", "b", "c"]
    program = convert(frozen_graph(network, 21), 21, labels, float16=False)._mil_program
    pixels = RANDOM.integers(0, 256, (3, 21, 21, 3), np.uint8)
    expected = {key: value.numpy() for key, value in network(tf.constant(pixels, tf.float32)).items()}
    assert np.ptp(expected["scores"]) > 0.01
    said = mil.program_runner(program, labels, Path("model.mlpackage"))(pixels)
    assert np.allclose(said.probabilities, expected["scores"], atol=1e-5)
    assert said.similarity is not None
    assert np.allclose(said.similarity, expected["similarity"][:, 0], atol=1e-5)


X = tf.constant(weights(2, 4, 6, 6))


def test_grouped_convolution_is_one_of_each_group() -> None:
    kernel, same = weights(6, 2, 3, 3), {"strides": [1, 1], "pad_type": "same"}
    whole = mil.OPS["conv"]({"x": X, "weight": kernel, "groups": 2, **same})
    parts = [
        mil.OPS["conv"]({"x": X[:, 2 * n : 2 * n + 2], "weight": kernel[3 * n : 3 * n + 3], "groups": 1, **same})
        for n in range(2)
    ]
    assert np.allclose(whole, np.concatenate(parts, axis=1), atol=1e-5)


def test_own_padding_is_zeros_around() -> None:
    kernel = weights(6, 4, 3, 3)
    padded = np.pad(X, ((0, 0), (0, 0), (1, 2), (0, 1)))
    own = mil.OPS["conv"]({"x": X, "weight": kernel, "pad_type": "custom", "pad": [1, 2, 0, 1]})
    assert np.allclose(own, mil.OPS["conv"]({"x": tf.constant(padded), "weight": kernel, "pad_type": "valid"}))


@pytest.mark.parametrize(
    ("op", "given"),
    [
        ("conv", {"weight": weights(6, 4, 3, 3), "pad_type": "same_lower"}),
        ("max_pool", {"kernel_sizes": [2, 2], "pad_type": "custom", "pad": [1, 1, 1, 1]}),
        ("max_pool", {"kernel_sizes": [2, 2], "pad_type": "valid", "ceil_mode": True}),
        ("avg_pool", {"kernel_sizes": [2, 2], "pad_type": "same"}),
        ("pad", {"pad": [1, 1], "mode": "reflect", "constant_val": 0.0}),
        ("cast", {"dtype": "int32"}),
    ],
)
def test_what_is_not_known_is_never_passed_over(op: str, given: dict[str, object]) -> None:
    with pytest.raises(ModelError, match="not known here"):
        mil.OPS[op]({"x": X, **given})


def test_values_of_float16_are_rounded_to_it() -> None:
    output = SimpleNamespace(dtype=ct.converters.mil.mil.types.fp16)
    assert mil._rounded(tf.constant([1.0001, 2.5]), output).numpy().tolist() == [1.0, 2.5]
    output = SimpleNamespace(dtype=ct.converters.mil.mil.types.fp32)
    assert mil._rounded(tf.constant([1.25001]), output).numpy()[0] == np.float32(1.25001)
