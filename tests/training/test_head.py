import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from retrain.training.fitting.sample import Sample
from retrain.training.head import Head, Hidden, log_softmax, predict


@pytest.mark.parametrize(
    ("activation", "expected"),
    [("relu", [0, 0, 2]), ("tanh", [-0.76159416, 0, 0.96402758]), ("gelu", [-0.15865525, 0, 1.95449974])],
)
def test_activations_are_those_of_the_field(activation: str, expected: list[float]) -> None:
    layer = Hidden(np.eye(3, dtype=np.float32), np.zeros(3, np.float32), activation)
    values = layer(np.array([[-1, 0, 2]], np.float32))
    assert values.dtype == np.float32
    assert np.allclose(values, [expected], atol=1e-6)


def test_head_with_hidden_layers_knows_its_structure() -> None:
    random = np.random.default_rng(0)
    kernels = [random.normal(size=shape).astype(np.float32) for shape in ((6, 5), (5, 4), (4, 3))]
    biases = [random.normal(size=len(kernel[0])).astype(np.float32) for kernel in kernels]
    hidden = tuple(Hidden(kernel, bias, "relu") for kernel, bias in zip(kernels[:2], biases[:2], strict=True))
    deep = Head(kernels[2], biases[2], hidden)
    assert (deep.sizes, deep.activations, deep.parameters) == ((6, 5, 4, 3), ("relu", "relu"), 35 + 24 + 15)
    x = random.normal(size=(7, 6)).astype(np.float32)
    by_hand = np.maximum(np.maximum(x @ kernels[0] + biases[0], 0) @ kernels[1] + biases[1], 0) @ kernels[2] + biases[2]
    assert np.allclose(deep.logits(x), by_hand, atol=1e-5)
    assert np.allclose(predict(deep, Sample(x, np.zeros(7, np.intp))), softmax(by_hand, axis=1), atol=1e-5)
    linear = Head(kernels[2], biases[2])
    assert (linear.sizes, linear.activations, linear.parameters) == ((4, 3), (), 15)


# Softmax


@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=2, max_size=9))
def test_probabilities_sum_to_one(logits: list[float]) -> None:
    identity = Head(np.eye(len(logits), dtype=np.float32), np.zeros(len(logits), np.float32))
    probabilities = identity.probabilities(np.array([logits], np.float32))
    assert probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert (probabilities >= 0).all()


@settings(max_examples=20)
@given(st.sampled_from([1e5, 1e20, 3e38]))
def test_extreme_logits_do_not_overflow(size: float) -> None:
    logits = np.array([[size, -size, 0], [0, 0, -size]], np.float32)
    with np.errstate(over="ignore"):  # -size - size is -inf in float32, whose probability is 0
        probabilities = np.exp(log_softmax(logits))
    assert np.allclose(probabilities, [[1, 0, 0], [0.5, 0.5, 0]])
