"""The ONNX model: `image` float32 (n, size, size, 3), RGB 0..255 -> `scores`, `similarity` and `embedding`, for any n.

`embedding` (n, dim) is the bottleneck: what both others are made of, so that it costs nothing.
Labels and manifest are metadata of the file, so that one .onnx is enough for `label_image`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from label_image.errors import first_line
from label_image.installing import how_to_install
from label_image.strangers import keras_apart
from retrain.core.errors import ExportError
from retrain.exports.formats.base import Conversion, Format, Source, as_label_image_runs_it
from retrain.exports.proof.limits import FLOAT32

if TYPE_CHECKING:
    from label_image.embedding import Embed

OPSET = 18
IR_VERSION = 8  # what opset 18 needs, and runtimes since 2022 read


def write_onnx(source: Source, path: Path) -> None:
    """Convert the `serving_default` of a SavedModel; the same model gives the same bytes.

    Raises ExportError if a package is missing or the converter fails.
    """
    try:
        import onnx

        with keras_apart():
            import tf2onnx
    except ImportError as error:
        raise ExportError(f"An ONNX model needs {error.name}: {how_to_install('export')}.") from None
    from retrain.core.tensorflow import quiet
    from retrain.exports.frozen_graph import freeze_saved_model

    frozen = freeze_saved_model(source.export, with_embedding=True)
    try:
        with quiet():
            model, _ = tf2onnx.convert.from_graph_def(
                frozen.graph_def,
                input_names=[frozen.tensors["image"]],
                output_names=list(frozen.outputs.values()),
                opset=OPSET,
                tensors_to_rename={tensor: name for name, tensor in frozen.tensors.items()},
            )
        _name_in_order(model.graph)
        model.ir_version = IR_VERSION
        model.producer_name, model.producer_version = "retrain", ""
        model.graph.name, model.graph.doc_string = "classifier", ""
        onnx.helper.set_model_props(model, source.texts)
        onnx.checker.check_model(model)
    except Exception as error:  # the converter and the checker raise whatever their passes raise
        raise ExportError(f"{path.name} cannot be made: {first_line(error)}") from error
    path.write_bytes(model.SerializeToString(deterministic=True))


def _name_in_order(graph: Any) -> None:
    """Name everything but inputs and outputs by its place: the converter's names count up in a process."""
    if any(attribute.HasField("g") for node in graph.node for attribute in node.attribute):
        return  # the names of an inner graph may be those of the outer one
    names = {"": "", **{value.name: value.name for value in (*graph.input, *graph.output)}}
    for place, node in enumerate(graph.node):
        for tensor in (*node.input, *node.output):
            names.setdefault(tensor, f"t{len(names)}")
        node.name = f"{node.op_type}_{place}"
        _replace(node.input, names)
        _replace(node.output, names)
    place_of = {name: place for place, name in enumerate(names)}
    initializers = sorted((each for each in graph.initializer if each.name in names), key=lambda e: place_of[e.name])
    for initializer in initializers:
        initializer.name = names[initializer.name]
    kept = [type(each).FromString(each.SerializeToString()) for each in initializers]
    del graph.initializer[:], graph.value_info[:]
    graph.initializer.extend(kept)
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "n"


def _replace(tensors: Any, names: Mapping[str, str]) -> None:
    tensors[:] = [names[tensor] for tensor in tensors]


def _embeds(path: Path) -> "Embed":
    from label_image.embedding import onnx_embeds

    return onnx_embeds(path)


FORMATS = (
    Format(
        "onnx",
        ("model.onnx",),
        FLOAT32,
        as_label_image_runs_it,
        conversions=(Conversion(write_onnx),),
        packages=("tf2onnx", "onnx", "onnxruntime"),
        embeds=_embeds,
    ),
)
