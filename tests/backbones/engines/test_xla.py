"""The engine for GPUs, compiled for the CPU: the network's numbers, in whole and in half precision."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from retrain.backbones.backbone import Backbone, find_backbone
from retrain.backbones.engines import tensorflow
from retrain.backbones.engines.base import BATCH, Engine, Vectors
from retrain.backbones.engines.xla import PRODUCTS, with_half_products, xla_engine
from retrain.backbones.network import kept_network
from retrain.bottlenecks.probe import relative_error
from retrain.core.tensorflow import tf
from retrain.exports.proof.reference import network_engine

SIZE = 64
PIXELS = np.random.default_rng(0).integers(0, 256, (BATCH + 5, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    """One whose weights were trained: numbers of random ones fade to what float16 does not have."""
    return find_backbone("efficientnet_lite0", Path("unused"), image_size=SIZE)


@pytest.fixture(scope="module")
def expected(backbone: Backbone) -> Vectors:
    return network_engine(kept_network(backbone.in_float32()))(PIXELS)


@pytest.mark.parametrize("devices", [1, 3])
def test_it_gives_what_the_network_does(devices: int, backbone: Backbone, expected: Vectors) -> None:
    engine = xla_engine(replace(backbone, compute_dtype="float32"), ["/CPU:0"] * devices)
    said = engine(PIXELS)
    assert said.shape == expected.shape and said.dtype == np.float32
    assert relative_error(said, expected) < 1e-5
    assert relative_error(engine(PIXELS[7:8]), expected[7:8]) < 1e-5


def test_float16_gives_nearly_the_same(backbone: Backbone, expected: Vectors) -> None:
    said = xla_engine(replace(backbone, compute_dtype="float16"), ["/CPU:0"])(PIXELS)
    assert said.shape == expected.shape and said.dtype == np.float32
    assert 1e-4 < relative_error(said, expected) < 0.02


def test_only_products_are_in_float16(backbone: Backbone) -> None:
    graph = kept_network(backbone.in_float32()).frozen.graph_def
    mixed = with_half_products(graph)
    half = {node.op for node in mixed.node if node.attr["T"].type == tf.float16.as_datatype_enum}
    products = [node for node in graph.node if node.op in PRODUCTS]
    assert half == {node.op for node in products} >= {"Conv2D", "DepthwiseConv2dNative"}
    casts = [node for node in mixed.node if node.op == "Cast"]
    assert len(casts) == 3 * len(products) + sum(node.op == "Cast" for node in graph.node)
    assert {node.name for node in graph.node} <= {node.name for node in mixed.node}


def test_products_of_other_numbers_stay_as_they_are() -> None:
    graph = tf.Graph()
    with graph.as_default():
        numbers = tf.compat.v1.placeholder(tf.float64, (2, 2))
        single = tf.cast(numbers, tf.float32)
        with tf.control_dependencies([tf.matmul(numbers, numbers)]):
            tf.matmul(single, single)
    mixed = {node.name: node for node in with_half_products(graph.as_graph_def()).node}
    assert mixed["MatMul"].attr["T"].type == tf.float64.as_datatype_enum
    assert list(mixed["MatMul_1/float16"].input)[2:] == ["^MatMul"]
    assert list(mixed["MatMul_1"].input) == ["MatMul_1/float16"]


Start = Callable[[Backbone], Engine]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Start:
    """Starts the engine of a machine with two GPUs."""
    monkeypatch.setattr(tensorflow, "has_gpu", lambda: True)
    monkeypatch.setattr(tensorflow, "gpu_names", lambda: ("/CPU:0", "/CPU:0"))
    return tensorflow.start


def test_a_gpu_runs_the_compiled_network(
    start: Start, backbone: Backbone, expected: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensorflow, "tensorflow_engine", None)
    said = start(replace(backbone, compute_dtype="float16"))(PIXELS)
    assert relative_error(said, expected) < 0.02


def test_where_xla_cannot_compile_a_session_runs_it(
    start: Start,
    backbone: Backbone,
    expected: Vectors,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(*arguments: object) -> None:
        raise tf.errors.InternalError(None, None, "libdevice not found at ./libdevice.10.bc\nmore")

    monkeypatch.setattr("retrain.backbones.engines.xla.xla_engine", refuse)
    with caplog.at_level(logging.WARNING):
        engine = start(replace(backbone, compute_dtype="float32"))
    assert caplog.messages == [
        "XLA cannot compile the network for the GPU, so TensorFlow runs it as it is: "
        "libdevice not found at ./libdevice.10.bc"
    ]
    assert relative_error(engine(PIXELS), expected) < 1e-5
