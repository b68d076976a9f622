"""Running a backbone over batches of pixels, as fast as the machine allows.

An engine maps uint8 RGB of shape (n, size, size, 3) to float32 bottlenecks of shape (n, dim).
There are two: TensorFlow, on the GPUs or the CPU, and OpenVINO, which is faster on CPUs. Both run the
same frozen graph: its variables are constants, so the batch norms fold into the convolutions.

No kernel ever runs in two threads at once. TensorFlow's for a convolution with an addend (oneDNN's, in every residual
network) keep that addend in themselves: of two runs at once one adds the other's, or memory that is no longer there.
`scripts/check_engine.py` looks for that. An engine may be called by several threads.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from label_image.pool import Pool
from label_image.preprocessing import Pixels
from retrain.backbones.backbone import Backbone
from retrain.core.errors import GpuError
from retrain.core.machine import choose_engine, cores, has_gpu

if TYPE_CHECKING:
    from retrain.backbones.network import FrozenGraph

CPU_BATCH = 8  # photos in one run of the graph: larger batches have activations that leave the cache
CPU_RUNS = min(cores(), 8)  # runs of it at the same time: see `tensorflow_cpu_engine`
BATCH = max(32, 2 * CPU_BATCH * CPU_RUNS)  # photos handed to an engine at a time, if there are as many

Bottlenecks = npt.NDArray[np.float32]
Engine = Callable[[Pixels], Bottlenecks]
Forward = Callable[..., list[Bottlenecks]]  # one run of a graph


def start_engine(backbone: Backbone, engine: str = "auto") -> Engine:
    """Build and warm the network of a backbone; it computes in `backbone.compute_dtype`.

    Imports TensorFlow, unless the backbone is the fake one. Raises OptionError for an engine that
    is not there, BackboneError for a network that cannot be built, GpuError where float16 has no GPU.
    """
    if backbone.architecture == "fake":
        return average_colour(backbone)
    if choose_engine(engine, backbone.compute_dtype) == "openvino":
        from retrain.backbones.engines.openvino import openvino_engine

        return openvino_engine(backbone)
    gpus = gpu_names() if has_gpu() and backbone.compute_dtype != "bfloat16" else ()
    if backbone.compute_dtype == "float16" and not gpus:  # on a CPU it is slow, and other numbers
        raise GpuError(
            "A GPU and its libraries are there, but TensorFlow finds none (do their versions fit?): give "
            "--precision float32 to compute on the CPU."
        )
    return tensorflow_engine(backbone, gpus) if gpus else tensorflow_cpu_engine(backbone)


def average_colour(backbone: Backbone) -> Engine:
    """The engine of the fake backbone."""
    arithmetic = backbone.preprocessing.arithmetic()
    scale, offset = np.array(arithmetic.scale, np.float32), np.array(arithmetic.offset, np.float32)

    def run(pixels: Pixels) -> Bottlenecks:
        if arithmetic.bgr:
            pixels = pixels[..., ::-1]
        means: Bottlenecks = (pixels.astype(np.float32) * scale + offset).mean(axis=(1, 2), dtype=np.float32)
        return means

    return run


def gpu_names() -> tuple[str, ...]:
    """TensorFlow's names of the GPUs that it can use."""
    from retrain.core.tensorflow import tf

    return tuple(device.name for device in tf.config.list_logical_devices("GPU"))


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


def tensorflow_engine(backbone: Backbone, devices: Sequence[str]) -> Engine:
    """TensorFlow on the given devices, each with a replica of its own, hence kernels of its own; one run at a time."""
    devices = devices[:BATCH]
    batch = BATCH // len(devices)
    forwards = Pool(_forwards(backbone, batch, devices, 1).pop, 1, forkable=False)
    shape = (batch, backbone.input_size, backbone.input_size, 3)

    def run(pixels: Pixels) -> Bottlenecks:
        parts: list[Bottlenecks] = []
        for start in range(0, len(pixels), batch * len(devices)):
            shares = [
                fill_up(pixels[first : first + batch], shape)
                for first in range(start, start + batch * len(devices), batch)
            ]
            with forwards.borrow() as forward:
                parts.extend(forward(*shares))
        return np.concatenate(parts)[: len(pixels)]

    return run


def tensorflow_cpu_engine(backbone: Backbone) -> Engine:
    """TensorFlow on the CPU, with a small batch for each core at the same time.

    In a single batch all cores wait for the slowest of them at every operation: 5 % on the network alone, and
    15 % where photos are decoded beside it (MobileNet 1.0 in bfloat16 on two cores).
    """
    forwards = Pool(_forwards(backbone, CPU_BATCH, ["/CPU:0"], CPU_RUNS).pop, CPU_RUNS, forkable=False)
    shape = (CPU_BATCH, backbone.input_size, backbone.input_size, 3)
    threads = ThreadPoolExecutor(CPU_RUNS, thread_name_prefix="network")

    def run_batch(pixels: Pixels) -> Bottlenecks:
        with forwards.borrow() as forward:
            vectors = forward(fill_up(pixels, shape))[0]
        return vectors[: len(pixels)]

    def run(pixels: Pixels) -> Bottlenecks:
        batches = [pixels[start : start + CPU_BATCH] for start in range(0, len(pixels), CPU_BATCH)]
        return np.concatenate(list(threads.map(run_batch, batches)))

    return run


def _forwards(backbone: Backbone, batch: int, devices: Sequence[str], copies: int) -> list[Forward]:
    """The network on each of the devices: batches of pixels, one for each, in; their bottlenecks out.

    There are `copies` of that, of which each has kernels of its own: a session makes kernels for every set of outputs
    that it is asked for, and shares none that keeps state. Sessions of their own would do as well, but each holds the
    graph and its constants once more: for Inception-V3 450 MB instead of 160.
    """
    from retrain.core.tensorflow import tf

    frozen = freeze_backbone(backbone)
    graph = tf.Graph()
    inputs: list[Any] = []
    outputs: list[list[Any]] = [[] for _ in range(copies)]
    with graph.as_default():
        for device in devices:
            with tf.device(device):
                pixels, bottlenecks = place(frozen, batch, backbone.input_size)
                for copy in outputs:
                    copy.append(tf.identity(bottlenecks))
            inputs.append(pixels)
    # A session, because its precision is its own: what TensorFlow offers for functions is one setting for the process.
    session = tf.compat.v1.Session(graph=graph, config=session_config(backbone.compute_dtype))
    return [session.make_callable(copy, feed_list=inputs) for copy in outputs]


def fill_up(pixels: Pixels, shape: tuple[int, ...]) -> Pixels:
    """A batch of the one shape that the graph takes; the last, smaller one gets black photos."""
    if pixels.shape == shape:
        return pixels
    filled = np.zeros(shape, np.uint8)
    filled[: len(pixels)] = pixels
    return filled


def session_config(compute_dtype: str) -> Any:
    """How TensorFlow is to run a float32 graph in another precision."""
    from retrain.core.tensorflow import tf

    config = tf.compat.v1.ConfigProto(allow_soft_placement=True)
    config.experimental.disable_output_partition_graphs = True  # copies that no one asks for, constants and all
    rewrites = config.graph_options.rewrite_options
    if compute_dtype == "bfloat16":
        rewrites.auto_mixed_precision_onednn_bfloat16 = rewrites.ON
    if compute_dtype == "float16":
        rewrites.auto_mixed_precision = rewrites.ON
    return config
