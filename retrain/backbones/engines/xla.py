"""TensorFlow on GPUs: the network as one function that XLA compiles, in mixed float16 where that is asked for.

XLA makes one kernel of all that stands between two products, casts among it. So it is enough to put casts around the
products: they alone are in float16, what is between them in float32, and it is float16 that travels through memory.
That is TensorFlow's mixed precision for any frozen graph, without a setting that is the whole process's.

XLA compiles for CPUs, too, which is how this is tested. It has not been run on a GPU.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from label_image.pool import Pool
from retrain.backbones.backbone import Backbone
from retrain.backbones.engines.base import BATCH, Engine, Vectors, fill_up, freeze_backbone

if TYPE_CHECKING:
    from collections.abc import Callable

    from label_image.preprocessing import Pixels
    from retrain.backbones.network import FrozenGraph

    Forward = Callable[[Pixels], Vectors]

PRODUCTS = frozenset({"Conv2D", "DepthwiseConv2dNative", "MatMul", "BatchMatMulV2"})  # all their inputs are of type T


def xla_engine(backbone: Backbone, devices: Sequence[str]) -> Engine:
    """A network compiled for each of the devices, each with a batch of its own at the same time.

    Raises what TensorFlow does where XLA cannot compile it there.
    """
    frozen = freeze_backbone(backbone)
    devices = devices[:BATCH]
    shape = (BATCH // len(devices), backbone.input_size, backbone.input_size, 3)
    compiled = [_compiled(frozen, shape, device, backbone.compute_dtype) for device in devices]
    forwards = Pool(compiled.pop, len(compiled), forkable=False)
    threads = ThreadPoolExecutor(len(compiled), thread_name_prefix="network")

    def run_batch(pixels: "Pixels") -> Vectors:
        with forwards.borrow() as forward:
            return forward(fill_up(pixels, shape))[: len(pixels)]

    def run(pixels: "Pixels") -> Vectors:
        batches = [pixels[start : start + shape[0]] for start in range(0, len(pixels), shape[0])]
        return np.concatenate(list(threads.map(run_batch, batches)))

    return run


def _compiled(frozen: "FrozenGraph", shape: tuple[int, ...], device: str, compute_dtype: str) -> "Forward":
    """The network on one device, compiled: it has run once."""
    from retrain.backbones.network import large_constants, without
    from retrain.core.tensorflow import tf

    graph = with_half_products(frozen.graph_def) if compute_dtype == "float16" else frozen.graph_def
    large = {node.name: tf.make_ndarray(node.attr["value"].tensor) for node in large_constants(graph)}
    rest = without(graph, {*large, frozen.input.partition(":")[0]})
    with tf.device(device):
        # Beside the compiled code and not in it, which would be compiled for minutes.
        weights = {f"{name}:0": tf.constant(values) for name, values in large.items()}

    def forward(pixels: Any) -> Any:
        replaced = {name: tf.identity(weight) for name, weight in weights.items()}
        replaced[frozen.input] = tf.cast(pixels, tf.float32)
        return tf.graph_util.import_graph_def(rest, replaced, [frozen.output], name="backbone")[0]

    function = tf.function(forward, input_signature=[tf.TensorSpec(shape, tf.uint8)], jit_compile=True, autograph=False)

    def run(pixels: "Pixels") -> Vectors:
        with tf.device(device):
            vectors: Vectors = function(tf.constant(pixels)).numpy()
        return vectors

    run(np.zeros(shape, np.uint8))
    return run


def with_half_products(graph_def: Any) -> Any:
    """The same graph with float32 products in float16; what goes into them and comes out is cast."""
    from retrain.core.tensorflow import tf

    float32, float16 = tf.float32.as_datatype_enum, tf.float16.as_datatype_enum
    mixed = tf.compat.v1.GraphDef(versions=graph_def.versions, library=graph_def.library)

    def cast(name: str, tensor: str, source: int, target: int) -> str:
        node = mixed.node.add(name=name, op="Cast", input=[tensor])
        node.attr["SrcT"].type, node.attr["DstT"].type = source, target
        return name

    for node in graph_def.node:
        product = mixed.node.add()
        product.CopyFrom(node)
        if node.op not in PRODUCTS or node.attr["T"].type != float32:
            continue
        inner = f"{node.name}/float16"
        product.name, product.attr["T"].type = inner, float16
        tensors = [tensor for tensor in node.input if not tensor.startswith("^")]
        controls = node.input[len(tensors) :]
        halves = [cast(f"{inner}/{index}", tensor, float32, float16) for index, tensor in enumerate(tensors)]
        product.input[:] = [*halves, *controls]
        cast(node.name, inner, float16, float32)
    return mixed
