"""The frozen GraphDef of 2017: one .pb file with a named input and named outputs.

The manifest rides along as a constant that nothing uses, which makes the file alone enough for `label_image`.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from retrain.core.defaults import FINAL_TENSOR_NAME
from retrain.exports.formats.base import Conversion, Format, Source, as_label_image_runs_it
from retrain.exports.proof.limits import FLOAT32

if TYPE_CHECKING:
    from retrain.exports.frozen_graph import Classify

FILE = "graph.pb"


def write_graph_def(
    classify: "Classify",
    size: int,
    path: Path,
    final_tensor_name: str = FINAL_TENSOR_NAME,
    manifest: Mapping[str, object] | None = None,
) -> None:
    """Write `input` (n, size, size, 3) RGB 0..255 -> `final_tensor_name` (n, classes), `similarity` (n, 1) to one file.

    `classify` maps such pixels, as a tensor, to `scores` and, where the model has it, `similarity`.
    """
    from label_image.runtimes import GRAPH_MANIFEST
    from retrain.core.tensorflow import tf
    from retrain.exports.frozen_graph import frozen_graph

    frozen = frozen_graph(classify, size, "input", final_tensor_name)
    if manifest is not None:
        text = json.dumps({**manifest, "tensors": frozen.tensors}, ensure_ascii=False)
        node = frozen.graph_def.node.add(name=GRAPH_MANIFEST, op="Const")
        node.attr["dtype"].type = tf.string.as_datatype_enum
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(text))
    path.write_bytes(frozen.graph_def.SerializeToString(deterministic=True))


def _convert(source: Source, path: Path) -> None:
    from label_image.runtimes import load_saved_model

    loaded = load_saved_model(source.export, trust=True)  # searched by `export_model`
    signature, size = loaded.signatures["serving_default"], int(source.manifest["input"]["size"])
    write_graph_def(lambda image: signature(image=image), size, path, manifest=source.manifest)


FORMATS = (
    Format(
        "graph_def",
        (FILE,),
        FLOAT32,
        as_label_image_runs_it,
        conversions=(Conversion(_convert),),
        titles={"graph_def": "The frozen graph"},
    ),
)
