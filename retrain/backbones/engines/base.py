"""What every engine is, and what they share.

An engine maps uint8 RGB of shape (n, size, size, 3) to float32 bottlenecks of shape (n, dim). Those that run networks
run the same frozen graph: its variables are constants, so the batch norms fold into the convolutions.

No kernel ever runs in two threads at once. TensorFlow's for a convolution with an addend (oneDNN's, in every residual
network) keep that addend in themselves: of two runs at once one adds the other's, or memory that is no longer there.
`scripts/check_engine.py` looks for that. An engine may be called by several threads.
"""

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from label_image.preprocessing import Pixels
from retrain.backbones.backbone import Backbone
from retrain.core.machine import cores

if TYPE_CHECKING:
    from retrain.backbones.network import FrozenGraph

CPU_BATCH = 8  # photos in one run of the graph: larger batches have activations that leave the cache
CPU_RUNS = min(cores(), 8)  # runs of it at the same time: see `tensorflow_cpu_engine`
BATCH = max(32, 2 * CPU_BATCH * CPU_RUNS)  # photos handed to an engine at a time, if there are as many

Vectors = npt.NDArray[np.float32]  # the bottlenecks of a batch, (n, dim)


class Engine(Protocol):
    """Runs a backbone over photos; any number of threads may call one."""

    def __call__(self, pixels: Pixels, /) -> Vectors: ...


def freeze_backbone(backbone: Backbone) -> "FrozenGraph":
    """The network of a backbone as a graph without variables, in float32; the exports use the same one."""
    from retrain.backbones.network import kept_network

    return kept_network(backbone.in_float32()).frozen


def place(frozen: "FrozenGraph", batch: int, size: int) -> tuple[Any, Any]:
    """Put a frozen network into the current graph: its input, uint8 (batch, size, size, 3), and its bottlenecks."""
    from retrain.core.tensorflow import tf

    pixels = tf.compat.v1.placeholder(tf.uint8, (batch, size, size, 3))
    replaced = {frozen.input: tf.cast(pixels, tf.float32)}
    return pixels, tf.graph_util.import_graph_def(frozen.graph_def, replaced, [frozen.output], name="backbone")[0]


def fill_up(pixels: Pixels, shape: tuple[int, ...]) -> Pixels:
    """A batch of the one shape that the graph takes; the last, smaller one gets black photos."""
    if pixels.shape == shape:
        return pixels
    filled = np.zeros(shape, np.uint8)
    filled[: len(pixels)] = pixels
    return filled
