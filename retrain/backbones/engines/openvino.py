"""The second engine for CPUs: the frozen TensorFlow graph, run by OpenVINO.

Measured against TensorFlow's bottlenecks, relative error ||a - b|| / ||b||: 1e-6 in float32, and
0.5 to 1.5 % in bfloat16, where both differ more from float32 than from each other. In int8 it runs a network that was
calibrated before (`int8.py`), and needs no TensorFlow.
"""

import threading
from typing import TYPE_CHECKING, Any

from label_image.files import scratch_folder
from retrain.backbones.engines.kind import EngineKind
from retrain.core.errors import BackboneError
from retrain.core.machine import cores, has_vnni

if TYPE_CHECKING:
    from label_image.preprocessing import Pixels
    from retrain.backbones.backbone import Backbone
    from retrain.backbones.engines.base import Engine, Vectors

OPENVINO_BATCH = 4  # small batches stay in the cache: up to 1.3 times as fast as 32
# What is computed in int8 is written into the network; the few layers that are not are computed in this type.
ELEMENT_TYPES = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}


def openvino_engine(backbone: "Backbone") -> "Engine":
    """OpenVINO on all cores: one stream per core, so that no core waits for another."""
    import numpy as np

    from label_image.strangers import import_openvino
    from retrain.backbones.engines.base import fill_up

    core = import_openvino().Core()
    model = _read_calibrated(core, backbone) if backbone.compute_dtype == "int8" else read_network(core, backbone)
    settings = {
        "INFERENCE_PRECISION_HINT": ELEMENT_TYPES[backbone.compute_dtype],
        "PERFORMANCE_HINT": "THROUGHPUT",
        "INFERENCE_NUM_THREADS": cores(),
    }
    compiled = core.compile_model(model, "CPU", settings)
    requests = import_openvino().AsyncInferQueue(compiled)
    shape = tuple(compiled.input(0).shape)
    batch = shape[0]
    dim = compiled.output(0).shape[1]
    one_call = threading.Lock()  # each request of the queue has its own state, but there is one callback for them all

    def run(pixels: "Pixels") -> "Vectors":
        vectors = np.empty((len(pixels), dim), np.float32)

        def keep(request: Any, start: int) -> None:
            rows = min(batch, len(pixels) - start)
            vectors[start : start + rows] = request.get_output_tensor(0).data[:rows]

        with one_call:
            requests.set_callback(keep)
            for start in range(0, len(pixels), batch):
                requests.start_async([fill_up(pixels[start : start + batch], shape)], start)
            requests.wait_all()
        return vectors

    return run


def read_network(core: Any, backbone: "Backbone") -> Any:
    """The network in float32 as OpenVINO's model: uint8 (OPENVINO_BATCH, size, size, 3) in, bottlenecks out."""
    from retrain.backbones.engines.base import freeze_backbone, place
    from retrain.core.tensorflow import tf

    frozen = freeze_backbone(backbone)
    graph = tf.Graph()
    with graph.as_default():
        place(frozen, OPENVINO_BATCH, backbone.input_size)
    # Read by the C++ frontend: openvino.convert_model would do as well, but has to be told to send nothing.
    with scratch_folder() as folder:
        path = folder / "backbone.pb"
        path.write_bytes(graph.as_graph_def().SerializeToString())
        return core.read_model(path)


def _read_calibrated(core: Any, backbone: "Backbone") -> Any:
    if backbone.calibrated is None:
        raise BackboneError(f"{backbone.architecture} is not calibrated, as it has to be before it computes in int8.")
    network = backbone.calibrated.read()
    if not (network.without_vnni or has_vnni()):
        raise BackboneError(
            f"The network in int8 of {backbone.architecture} was calibrated for CPUs with VNNI, which this one lacks: "
            "choose another `bottleneck_dir`, for which it is calibrated anew, or another `precision`."
        )
    try:
        return core.read_model(network.description, network.weights)
    except RuntimeError:  # OpenVINO's own text has several lines, and names neither the file nor what to do
        kept = backbone.calibrated
        raise BackboneError(
            f"{kept.place.at(kept.name)} is not a network that the installed OpenVINO can read: update openvino, or "
            "remove the file, and the next run calibrates the network anew and computes its bottlenecks again."
        ) from None


ENGINE = EngineKind(
    "openvino",
    openvino_engine,
    precisions=tuple(ELEMENT_TYPES),
    package="openvino",
    extra="openvino",
    cpu_only=True,
)
