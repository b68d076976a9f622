"""Convolutions without bias and the batch norms behind them, each with its name in PyTorch's checkpoint."""

from dataclasses import dataclass
from typing import Any

from retrain.backbones.torch_weights import named


@dataclass(frozen=True)
class NormedConvolution:
    """A convolution and its batch norm; `name` and `norm` are what the checkpoint calls them.

    `filters` is None where each map is filtered alone (depthwise). `padding`: zeros on each side, as in PyTorch; None:
    as many as TensorFlow's "same" adds, which are uneven where the stride is not 1.
    """

    name: str
    norm: str
    filters: int | None
    kernel: int = 1
    stride: int = 1
    padding: int | None = None
    epsilon: float = 1e-5

    def __call__(self, tensor: Any) -> Any:
        from retrain.core.keras import keras

        name = keras_name(self.name)
        if self.padding:
            tensor = keras.layers.ZeroPadding2D(self.padding, name=f"{name}_padding")(tensor)
        common = {"padding": "same" if self.padding is None else "valid", "use_bias": False, "name": name}
        # With Keras's usual initialisation the signal fades from ReLU to ReLU.
        if self.filters is None:
            layer = keras.layers.DepthwiseConv2D(self.kernel, self.stride, depthwise_initializer="he_normal", **common)
        else:
            layer = keras.layers.Conv2D(
                self.filters, self.kernel, self.stride, kernel_initializer="he_normal", **common
            )
        norm = keras.layers.BatchNormalization(epsilon=self.epsilon, name=keras_name(self.norm))
        return named(norm, self.norm)(named(layer, self.name)(tensor))


def relu6(tensor: Any, name: str) -> Any:
    """min(max(x, 0), 6)"""
    from retrain.core.keras import keras

    return keras.layers.ReLU(6.0, name=keras_name(name))(tensor)


def keras_name(name: str) -> str:
    """`blocks_3_bn1` for `_blocks.3._bn1`: Keras's summaries dislike dots."""
    return name.replace("._", "_").replace(".", "_").lstrip("_")
