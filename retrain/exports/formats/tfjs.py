"""The graph model of TensorFlow.js: a folder with `model.json` (the graph) and its weights in files of 4 MB.

    model.json   format, signature, modelTopology (the GraphDef as JSON), weightsManifest, userDefinedMetadata
    group1-shardIofN.bin   the values of all constants, one after the other, little-endian

Written here, as TensorFlow.js reads it (tfjs-core/src/io/types.ts, `ModelJSON`): its own converter asks
for a TensorFlow of 2025 and cannot be installed beside today's. `image`, `scores` and `similarity` have
these names, and the manifest is in `userDefinedMetadata`.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from label_image.errors import ModelError, first_line
from retrain.core.errors import ExportError
from retrain.exports.formats.base import ELSEWHERE, Conversion, Format, Source
from retrain.exports.proof.limits import FLOAT32

if TYPE_CHECKING:
    import numpy.typing as npt

    from label_image.preprocessing import Pixels
    from label_image.runtimes import Outputs, Run

    Array = npt.NDArray[Any]

MODEL = "model.json"
SHARD = 4 * 2**20
KINDS = {"float32": "<f4", "int32": "<i4", "bool": "?"}  # what TensorFlow.js has, and as NumPy reads it
PASSES = ["pruning", "constfold", "arithmetic", "dependency", "pruning", "constfold", "arithmetic", "dependency"]


def write_tfjs(source: Source, folder: Path) -> None:
    """Write the `serving_default` of the SavedModel into a new folder; the same model gives the same bytes.

    Raises ExportError.
    """
    from google.protobuf.json_format import MessageToDict

    from label_image.manifest import MANIFEST
    from retrain.core.tensorflow import tf
    from retrain.exports.frozen_graph import freeze_saved_model

    frozen = freeze_saved_model(source.export)
    graph = _optimised(frozen.graph_def, list(frozen.tensors.values()))
    weights = {}
    for node in graph.node:
        if node.op == "Const":
            weights[node.name] = _storable(node.name, tf.make_ndarray(node.attr["value"].tensor))
            del node.attr["value"]
    data = b"".join(values.tobytes() for values in weights.values())
    shards = [data[start : start + SHARD] for start in range(0, len(data), SHARD)]
    names = [f"group1-shard{number}of{len(shards)}.bin" for number in range(1, len(shards) + 1)]
    size, classes = int(source.manifest["input"]["size"]), len(source.manifest["labels"])
    shapes = {"image": (-1, size, size, 3), "scores": (-1, classes), "similarity": (-1, 1)}
    signature = {name: _tensor(tensor, shapes[name]) for name, tensor in frozen.tensors.items()}
    model = {
        "format": "graph-model",
        "generatedBy": "retrain",
        "convertedBy": "retrain",
        "signature": {"inputs": {"image": signature.pop("image")}, "outputs": signature},
        "modelTopology": MessageToDict(graph),
        "weightsManifest": [
            {
                "paths": names,
                "weights": [
                    {"name": name, "shape": list(values.shape), "dtype": values.dtype.name}
                    for name, values in weights.items()
                ],
            }
        ],
        "userDefinedMetadata": {MANIFEST: dict(source.manifest)},
    }
    folder.mkdir()
    for name, shard in zip(names, shards, strict=True):
        (folder / name).write_bytes(shard)
    (folder / MODEL).write_text(json.dumps(model, ensure_ascii=False, sort_keys=True), encoding="utf-8")


def tfjs_runner(folder: Path) -> "Run":
    """The files read back and their graph run by TensorFlow. Raises ModelError if they cannot be loaded.

    This proves what is in them. TensorFlow.js itself is run by `scripts/check_tfjs.py`.
    """
    import numpy as np
    from google.protobuf.json_format import ParseDict

    from label_image.runtimes import in_batches, named_outputs
    from retrain.core.tensorflow import quiet, tf

    try:
        model = json.loads((folder / MODEL).read_text(encoding="utf-8"))
        graph_def = ParseDict(model["modelTopology"], tf.compat.v1.GraphDef())
        weights = read_weights(folder, model)
        for node in graph_def.node:
            if node.op == "Const":
                dtype = tf.as_dtype(node.attr["dtype"].type)
                node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(weights[node.name], dtype))
        signature = model["signature"]
        image = signature["inputs"]["image"]["name"]
        outputs = {name: tensor["name"] for name, tensor in signature["outputs"].items()}
        with quiet(), tf.Graph().as_default() as graph:
            tf.import_graph_def(graph_def, name="")
            session = tf.compat.v1.Session(graph=graph)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder} cannot be loaded: {first_line(error)}") from None

    def run(pixels: "Pixels") -> "Outputs":
        return named_outputs(session.run(outputs, {image: pixels.astype(np.float32)}))

    return in_batches(run)


def read_weights(folder: Path, model: Mapping[str, Any]) -> "dict[str, Array]":
    """The weights that a model.json names, from the files beside it. Raises ValueError if these do not fit, OSError."""
    import numpy as np

    weights: dict[str, Array] = {}
    for group in model["weightsManifest"]:
        data = b"".join((folder / path).read_bytes() for path in group["paths"])
        place = 0
        for weight in group["weights"]:
            dtype, count = np.dtype(KINDS[weight["dtype"]]), int(np.prod(weight["shape"], dtype=np.int64))
            values = np.frombuffer(data, dtype, count, place)
            weights[weight["name"]] = values.reshape(weight["shape"])
            place += count * dtype.itemsize
        if place != len(data):
            raise ValueError(f"the weights have {len(data)} bytes instead of {place}")
    return weights


def _parts(export: Path) -> Iterator[str]:
    yield f"tfjs/{MODEL}"
    for group in json.loads((export / "tfjs" / MODEL).read_text(encoding="utf-8"))["weightsManifest"]:
        yield from (f"tfjs/{path}" for path in group["paths"])


def _optimised(graph_def: Any, tensors: list[str]) -> Any:
    """The graph with everything computed that depends on constants alone; `tensors` are kept."""
    from tensorflow.core.protobuf.config_pb2 import ConfigProto
    from tensorflow.core.protobuf.meta_graph_pb2 import CollectionDef

    # Grappler has no public name; TensorFlow's own converters use it under this one.
    from tensorflow.python.grappler.tf_optimizer import OptimizeGraph

    from retrain.core.tensorflow import quiet, tf

    config = ConfigProto()
    config.graph_options.rewrite_options.optimizers.extend(PASSES)
    with quiet(), tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        meta = tf.compat.v1.train.export_meta_graph(graph_def=graph.as_graph_def(), graph=graph)
        kept = CollectionDef()
        kept.node_list.value.extend(tensors)
        meta.collection_def["train_op"].CopyFrom(kept)
        try:
            return OptimizeGraph(config, meta)
        except (tf.errors.OpError, ValueError) as error:
            raise ExportError(f"The graph of tfjs cannot be made: {first_line(error)}") from error


def _storable(name: str, values: "Array") -> "Array":
    """A constant in a dtype that TensorFlow.js has. Raises ExportError if it has none for it."""
    import numpy as np

    if values.dtype == np.int64 and np.abs(values).max(initial=0) < 2**31:
        values = values.astype(np.int32)
    if values.dtype.name not in KINDS:
        raise ExportError(f"TensorFlow.js has no type for {name}, which is of {values.dtype.name}.")
    return values.astype(values.dtype.newbyteorder("<"), order="C", copy=False)


def _tensor(name: str, shape: tuple[int, ...]) -> dict[str, Any]:
    sides = [{"size": str(side)} for side in shape]
    return {"name": name, "dtype": "DT_FLOAT", "tensorShape": {"dim": sides}}


FORMATS = (
    Format(
        "tfjs",
        ("tfjs",),
        FLOAT32,
        tfjs_runner,
        conversions=(Conversion(write_tfjs, ELSEWHERE),),
        own_program=False,
        parts=_parts,
    ),
)
