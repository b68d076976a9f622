"""One photo at a time, in float32 as exports compute it, with what the network sees at each place of the photo.

A bottleneck is an average over places, where the last layer of a network is such an average (of most it is). What
stands before it is a second output of the same graph, so that it costs nothing but a copy, and maps of where a class
is seen need no export. The batch is one photo: the engines for many photos fill theirs up with black ones.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from label_image.files import scratch_folder
from label_image.preprocessing import Pixels
from retrain.backbones.backbone import Backbone
from retrain.backbones.engines import average_colour
from retrain.backbones.engines.registry import choose_engine
from retrain.core.machine import cores

if TYPE_CHECKING:
    from retrain.backbones.network import FrozenGraph

Values = npt.NDArray[np.float32]
Outputs = Callable[[Pixels], list[Values]]  # of a photo (1, size, size, 3): its bottleneck, and the parts of its places

EXACT = 1e-3  # of the largest value: how far the average of the places may be from the bottleneck


@dataclass(frozen=True, eq=False)
class OnePhoto:
    """The bottleneck of a photo (dim,), and its `places` (rows, columns, dim), whose average it is.

    `places` is None of a network that does not end in such an average.
    """

    vector: Values
    places: Values | None


def one_photo_engine(backbone: Backbone) -> Callable[[Pixels], OnePhoto]:
    """What maps a photo, uint8 RGB (size, size, 3), to what a backbone sees in it; any number of threads may call it.

    Imports TensorFlow, unless the backbone is the fake one. Raises BackboneError for a network that cannot be built.
    """
    if not backbone.has_weights:
        return _average_colour(backbone)
    outputs = _network(backbone)
    has_places = _are_averaged(outputs, backbone.input_size)
    one_call = threading.Lock()  # kernels keep state

    def look(pixels: Pixels) -> OnePhoto:
        with one_call:
            vector, *parts = (values[0].copy() for values in outputs(pixels[None]))
        return OnePhoto(vector, np.concatenate(parts, axis=-1) if has_places else None)

    return look


def _average_colour(backbone: Backbone) -> Callable[[Pixels], OnePhoto]:
    engine = average_colour.average_colour(backbone)

    def look(pixels: Pixels) -> OnePhoto:
        places = engine(pixels.reshape(-1, 1, 1, 3)).reshape(pixels.shape)
        return OnePhoto(engine(pixels[None])[0], places)

    return look


def _are_averaged(outputs: Outputs, size: int) -> bool:
    """Whether the places that were found average to the bottleneck: asked of the network itself, by noise."""
    noise = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), np.uint8)
    vector, *parts = (values[0].copy() for values in outputs(noise))
    if not parts or len({part.shape[:2] for part in parts}) > 1:
        return False
    averages = np.concatenate([part.mean(axis=(0, 1)) for part in parts])
    close: bool = averages.shape == vector.shape and np.allclose(
        averages, vector, rtol=0, atol=EXACT * float(np.abs(vector).max())
    )
    return close


def _network(backbone: Backbone) -> Outputs:
    """The network in OpenVINO, where that is at hand and there is no GPU, else in TensorFlow."""
    from retrain.backbones.engines.base import freeze_backbone
    from retrain.core.tensorflow import tf

    frozen = freeze_backbone(backbone)
    graph = tf.Graph()
    with graph.as_default():
        pixels, outputs = _placed(frozen, backbone.input_size)
    if choose_engine("auto", "float32") == "openvino":
        return _openvino(graph, len(outputs))
    run = tf.compat.v1.Session(graph=graph).make_callable(outputs, feed_list=[pixels])
    return lambda photo: list(run(photo))


def _placed(frozen: "FrozenGraph", size: int) -> tuple[Any, list[Any]]:
    """Put the network into the current graph: its input, its bottleneck, and what that is an average of."""
    from retrain.backbones.engines.base import place
    from retrain.core.tensorflow import tf

    pixels, bottlenecks = place(frozen, 1, size)
    found = [bottlenecks, *_averaged(bottlenecks)]
    # Under names of their own: OpenVINO takes for outputs what nothing else in the graph takes.
    return pixels, [tf.identity(tensor, name=f"output_{number}") for number, tensor in enumerate(found)]


def _averaged(bottlenecks: Any) -> list[Any]:
    """The tensors (1, rows, columns, part of dim) of which bottlenecks may be the averages, side by side."""
    operation = bottlenecks.op
    while operation.type in ("Identity", "Reshape", "Squeeze"):
        operation = operation.inputs[0].op
    if operation.type == "ConcatV2":
        return [tensor for part in operation.inputs[:-1] for tensor in _averaged(part)]
    if operation.type not in ("Mean", "AvgPool") or operation.inputs[0].shape.rank != 4:
        return []
    return [operation.inputs[0]]


def _openvino(graph: Any, count: int) -> Outputs:
    from label_image.strangers import import_openvino

    openvino = import_openvino()
    core = openvino.Core()
    with scratch_folder() as folder:
        path = folder / "backbone.pb"
        path.write_bytes(graph.as_graph_def().SerializeToString())
        model = core.read_model(path)
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": cores(),
    }
    compiled = core.compile_model(model, "CPU", settings)
    request = compiled.create_infer_request()
    names = [f"output_{number}" for number in range(count)]
    ports = [next(port for port in compiled.outputs if _is_called(port, name)) for name in names]

    def run(photo: Pixels) -> list[Values]:
        request.infer([photo])
        return [request.get_tensor(port).data for port in ports]

    return run


def _is_called(port: Any, name: str) -> bool:
    return any(one.partition(":")[0] == name for one in port.get_names())
