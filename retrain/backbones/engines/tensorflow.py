"""TensorFlow as an engine: on the CPU, and on GPUs, for which `xla` compiles it."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from label_image.errors import first_line
from label_image.pool import Pool
from retrain.backbones.engines.kind import EngineKind
from retrain.core.errors import GpuError
from retrain.core.machine import TENSORFLOW_FINDS_NONE, has_gpu, why_no_gpu

if TYPE_CHECKING:
    from label_image.preprocessing import Pixels
    from retrain.backbones.backbone import Backbone
    from retrain.backbones.engines.base import Engine, Vectors

    Forward = Callable[..., list[Vectors]]  # one run of a graph

log = logging.getLogger(__name__)


def start(backbone: "Backbone") -> "Engine":
    """TensorFlow on what is there. Raises GpuError where float16, which is for GPUs, has none."""
    gpus = gpu_names() if has_gpu() and backbone.compute_dtype != "bfloat16" else ()
    if backbone.compute_dtype == "float16" and not gpus:  # on a CPU it is slow, and other numbers
        raise GpuError(
            "A GPU and its libraries are there, but TensorFlow finds none (do their versions fit?): give "
            "`precision` float32 to compute on the CPU."
        )
    return _gpu_engine(backbone, gpus) if gpus else tensorflow_cpu_engine(backbone)


def _gpu_engine(backbone: "Backbone", gpus: Sequence[str]) -> "Engine":
    """The compiled network; where XLA cannot make that (it needs more of CUDA than TensorFlow itself), a session."""
    from retrain.backbones.engines.xla import xla_engine
    from retrain.core.tensorflow import tf

    try:
        return xla_engine(backbone, gpus)
    except tf.errors.OpError as error:
        reason = first_line(error)
        log.warning("XLA cannot compile the network for the GPU, so TensorFlow runs it as it is: %s", reason)
        return tensorflow_engine(backbone, gpus)


def gpu_names() -> tuple[str, ...]:
    """TensorFlow's names of the GPUs that it can use."""
    from retrain.core.tensorflow import tf

    return tuple(device.name for device in tf.config.list_logical_devices("GPU"))


def require_gpu() -> None:
    """Raises GpuError where TensorFlow finds no GPU. Imports TensorFlow where one should be found."""
    why = why_no_gpu()
    if why is None:
        if gpu_names():
            return
        why = TENSORFLOW_FINDS_NONE
    raise GpuError(f"`require_gpu`: there is no GPU to compute on ({why}).")


def tensorflow_engine(backbone: "Backbone", devices: Sequence[str]) -> "Engine":
    """A session on the given devices, each with a replica of its own, hence kernels of its own; one run at a time."""
    import numpy as np

    from retrain.backbones.engines.base import BATCH, fill_up

    devices = devices[:BATCH]
    batch = BATCH // len(devices)
    forwards = Pool(_forwards(backbone, batch, devices, 1).pop, 1, forkable=False)
    shape = (batch, backbone.input_size, backbone.input_size, 3)

    def run(pixels: "Pixels") -> "Vectors":
        parts: list[Vectors] = []
        for start in range(0, len(pixels), batch * len(devices)):
            shares = [
                fill_up(pixels[first : first + batch], shape)
                for first in range(start, start + batch * len(devices), batch)
            ]
            with forwards.borrow() as forward:
                parts.extend(forward(*shares))
        return np.concatenate(parts)[: len(pixels)]

    return run


def tensorflow_cpu_engine(backbone: "Backbone") -> "Engine":
    """TensorFlow on the CPU, with a small batch for each core at the same time.

    In a single batch all cores wait for the slowest of them at every operation: 5 % on the network alone, and
    15 % where photos are decoded beside it (MobileNet 1.0 in bfloat16 on two cores).
    """
    import numpy as np

    from retrain.backbones.engines.base import CPU_BATCH, CPU_RUNS, fill_up

    forwards = Pool(_forwards(backbone, CPU_BATCH, ["/CPU:0"], CPU_RUNS).pop, CPU_RUNS, forkable=False)
    shape = (CPU_BATCH, backbone.input_size, backbone.input_size, 3)
    threads = ThreadPoolExecutor(CPU_RUNS, thread_name_prefix="network")

    def run_batch(pixels: "Pixels") -> "Vectors":
        with forwards.borrow() as forward:
            vectors = forward(fill_up(pixels, shape))[0]
        return vectors[: len(pixels)]

    def run(pixels: "Pixels") -> "Vectors":
        batches = [pixels[start : start + CPU_BATCH] for start in range(0, len(pixels), CPU_BATCH)]
        return np.concatenate(list(threads.map(run_batch, batches)))

    return run


def _forwards(backbone: "Backbone", batch: int, devices: Sequence[str], copies: int) -> "list[Forward]":
    """The network on each of the devices: batches of pixels, one for each, in; their bottlenecks out.

    There are `copies` of that, of which each has kernels of its own: a session makes kernels for every set of outputs
    that it is asked for, and shares none that keeps state. Sessions of their own would do as well, but each holds the
    graph and its constants once more: for Inception-V3 450 MB instead of 160.
    """
    from retrain.backbones.engines.base import freeze_backbone, place
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


ENGINE = EngineKind("tensorflow", start)
