"""The second engine for CPUs: the frozen TensorFlow graph, run by OpenVINO.

Measured against TensorFlow's bottlenecks, relative error ||a - b|| / ||b||: 1e-6 in float32, and
0.5 to 1.5 % in bfloat16, where both differ more from float32 than from each other.
"""

import threading
from typing import TYPE_CHECKING, Any

from label_image.files import scratch_folder
from retrain.backbones.engines.kind import EngineKind
from retrain.core.machine import cores

if TYPE_CHECKING:
    from label_image.preprocessing import Pixels
    from retrain.backbones.backbone import Backbone
    from retrain.backbones.engines.base import Bottlenecks, Engine

OPENVINO_BATCH = 4  # small batches stay in the cache: up to 1.3 times as fast as 32
ELEMENT_TYPES = {"float32": "f32", "bfloat16": "bf16"}


def openvino_engine(backbone: "Backbone") -> "Engine":
    """OpenVINO on all cores: one stream per core, so that no core waits for another."""
    import numpy as np

    from label_image.strangers import import_openvino
    from retrain.backbones.engines.base import fill_up, freeze_backbone, place
    from retrain.core.tensorflow import tf

    openvino = import_openvino()
    frozen = freeze_backbone(backbone)
    graph = tf.Graph()
    with graph.as_default():
        place(frozen, OPENVINO_BATCH, backbone.input_size)
    core = openvino.Core()
    # Read by the C++ frontend: openvino.convert_model would do as well, but has to be told to send nothing.
    with scratch_folder() as folder:
        path = folder / "backbone.pb"
        path.write_bytes(graph.as_graph_def().SerializeToString())
        model = core.read_model(path)
    settings = {
        "INFERENCE_PRECISION_HINT": ELEMENT_TYPES[backbone.compute_dtype],
        "PERFORMANCE_HINT": "THROUGHPUT",
        "INFERENCE_NUM_THREADS": cores(),
    }
    compiled = core.compile_model(model, "CPU", settings)
    requests = openvino.AsyncInferQueue(compiled)
    shape = tuple(compiled.input(0).shape)
    dim = compiled.output(0).shape[1]
    one_call = threading.Lock()  # each request of the queue has its own state, but there is one callback for them all

    def run(pixels: "Pixels") -> "Bottlenecks":
        vectors = np.empty((len(pixels), dim), np.float32)

        def keep(request: Any, start: int) -> None:
            rows = min(OPENVINO_BATCH, len(pixels) - start)
            vectors[start : start + rows] = request.get_output_tensor(0).data[:rows]

        with one_call:
            requests.set_callback(keep)
            for start in range(0, len(pixels), OPENVINO_BATCH):
                requests.start_async([fill_up(pixels[start : start + OPENVINO_BATCH], shape)], start)
            requests.wait_all()
        return vectors

    return run


ENGINE = EngineKind(
    "openvino",
    openvino_engine,
    precisions=tuple(ELEMENT_TYPES),
    package="openvino",
    extra="openvino",
    cpu_only=True,
)
