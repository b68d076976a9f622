"""TFLite Model Metadata: what an app has to know of a model, inside the file itself.

With it Android's and MediaPipe's ImageClassifier take the file as it is: the labels (`labels.txt` in
the zip at its end), the normalisation (mean 0, std 1: pixels stay 0..255), and which output is what.
They read outputs by their position, so `scores` becomes the first; the signature names tensors by
their number, which stays.

The model is not written again, since Python's generated classes would drop the alignment of its
weights. The few new tables are built in front of it: offsets in a flatbuffer lead forwards only,
so the new root leads to the old tables where they are. Metadata itself follows `metadata_schema.fbs`
of tflite-support, whose numbers of fields are below.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from retrain.core.errors import ExportError

NAME, IDENTIFIER, VERSION = "TFLITE_METADATA", b"M001", "1.0.0"
LABELS_FILE = "labels.txt"
ALIGNMENT = 16  # of a model's weights, from the start of the file
ROOM = 4096  # for the new tables in bytes; a builder grows if it has to
# Enumerations and unions of the schema.
TENSOR_AXIS_LABELS, RGB = 2, 1
FEATURE_PROPERTIES, IMAGE_PROPERTIES = 1, 2
NORMALIZATION_OPTIONS = 1
OUTPUTS = {  # in this order
    "scores": "Probability of each class.",
    "similarity": "Cosine to the nearest class mean: below the threshold of model.json a photo is none of the classes.",
    "embedding": "The bottleneck: photos whose embeddings have a cosine near 1 look alike.",
}
LIMITS = {"scores": (0.0, 1.0), "similarity": (-1.0, 1.0)}  # of the values; an embedding has none


def with_metadata(model: bytes) -> bytes:
    """A TFLite model with its outputs in the order of OUTPUTS, and with metadata that says what they are.

    Raises ExportError for a model that lacks them, or has more.
    """
    data = bytearray(model.ljust(-(-len(model) // ALIGNMENT) * ALIGNMENT, b"\0"))
    outputs = _sort_outputs(data)
    return _append_metadata(data, metadata(outputs))


def metadata(outputs: Sequence[str]) -> bytes:
    """The metadata of an image classifier with raw RGB as input and some of OUTPUTS."""
    builder = flatbuffers.Builder(1024)
    image = _tensor(
        builder,
        "image",
        "RGB photo, values 0 to 255 as they are.",
        (IMAGE_PROPERTIES, _table(builder, {}, {0: RGB})),
        (0.0, 255.0),
        {4: _vector(builder, [_normalisation(builder)])},
    )
    tensors = []
    for name in outputs:
        labels = {6: _vector(builder, [_labels_file(builder)])} if name == "scores" else {}
        content = (FEATURE_PROPERTIES, _table(builder, {}))
        tensors.append(_tensor(builder, name, OUTPUTS[name], content, LIMITS.get(name), labels))
    graph = _table(builder, {2: _vector(builder, [image]), 3: _vector(builder, tensors)})
    texts = {0: builder.CreateString("Image classifier"), 7: builder.CreateString(VERSION)}
    builder.Finish(_table(builder, {**texts, 3: _vector(builder, [graph])}), IDENTIFIER)
    return bytes(builder.Output())


def _sort_outputs(data: bytearray) -> list[str]:
    """Put the outputs of a model in order, in place; returns their names."""
    model = schema.Model.GetRootAs(data, 0)
    numbers = {}
    for signature in map(model.SignatureDefs, range(model.SignatureDefsLength())):
        for output in map(signature.Outputs, range(signature.OutputsLength())):
            numbers[output.Name().decode()] = output.TensorIndex()
    names = [name for name in OUTPUTS if name in numbers]
    positions = model.Subgraphs(0).OutputsAsNumpy()  # a view of `data`
    if "scores" not in names or sorted(numbers.values()) != sorted(positions.tolist()) or set(numbers) != set(names):
        raise ExportError(
            f"The TFLite model has the outputs {sorted(numbers)}: this TensorFlow's converter is not known."
        )
    positions[:] = [numbers[name] for name in names]
    for name in names:
        _rename(data, model.Subgraphs(0).Tensors(numbers[name]), name)
    _rename(data, model.Subgraphs(0).Tensors(model.Subgraphs(0).Inputs(0)), "image")
    return names


def _rename(data: bytearray, tensor: Any, name: str) -> None:
    """Shorten the name that the converter gave a tensor, in place: no program needs it, a person may."""
    table, new = tensor._tab, name.encode()
    start = table.Vector(table.Offset(10))  # of the bytes; their number stands before them
    length = int.from_bytes(data[start - 4 : start], "little")
    if len(new) <= length:
        data[start - 4 : start + length] = len(new).to_bytes(4, "little") + new.ljust(length, b"\0")


def _append_metadata(data: bytearray, content: bytes) -> bytes:
    """The model with one more buffer and one more entry of metadata."""
    model = schema.Model.GetRootAs(data, 0)
    builder = flatbuffers.Builder(0)
    builder.Bytes = bytearray(ROOM + len(content)) + data
    builder.head = ROOM + len(content)
    builder.minalign = ALIGNMENT  # whatever is put in front has a length that keeps the alignment of the rest

    def old(table: Any) -> int:
        """Where a table of the old model is, as a builder counts: from the end."""
        return len(data) - int(table._tab.Pos)

    buffers = list(map(old, map(model.Buffers, range(model.BuffersLength()))))
    entries = list(map(old, map(model.Metadata, range(model.MetadataLength()))))
    builder.StartVector(1, len(content), ALIGNMENT)
    builder.head -= len(content)
    builder.Bytes[builder.head : builder.head + len(content)] = content
    buffers.append(_table(builder, {0: builder.EndVector()}))
    name = builder.CreateString(NAME)
    builder.StartObject(2)
    builder.PrependUOffsetTRelativeSlot(0, name, 0)
    builder.PrependUint32Slot(1, len(buffers) - 1, 0)
    entries.append(builder.EndObject())
    fields = {slot: offset for slot in range(1, 10) if (offset := _field(model, slot, len(data)))}
    fields |= {4: _vector(builder, buffers), 6: _vector(builder, entries)}
    builder.StartObject(10)
    builder.PrependUint32Slot(0, model.Version(), 0)
    for slot, offset in fields.items():
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    builder.Finish(builder.EndObject(), b"TFL3")
    return bytes(builder.Output())


def _field(model: Any, slot: int, length: int) -> int:
    """Where a field of the old root leads, counted from the end; 0 if it is not there."""
    table = model._tab
    offset = table.Offset(4 + 2 * slot)
    return length - table.Indirect(table.Pos + offset) if offset else 0


def _tensor(
    builder: Any,
    name: str,
    description: str,
    content: tuple[int, int],
    limits: tuple[float, float] | None,
    more: Mapping[int, int],
) -> int:
    ends = [builder.CreateNumpyVector(np.array([limit], np.float32)) for limit in limits or ()]
    fields = {
        0: builder.CreateString(name),
        1: builder.CreateString(description),
        3: _union(builder, content),
        **({5: _table(builder, {0: ends[1], 1: ends[0]})} if ends else {}),
        **more,
    }
    return _table(builder, fields)


def _normalisation(builder: Any) -> int:
    """(value - 0) / 1: the network scales its input itself."""
    mean, std = (builder.CreateNumpyVector(np.array([value], np.float32)) for value in (0.0, 1.0))
    return _union(builder, (NORMALIZATION_OPTIONS, _table(builder, {0: mean, 1: std})))


def _labels_file(builder: Any) -> int:
    name = builder.CreateString(LABELS_FILE)
    return _table(builder, {0: name}, {2: TENSOR_AXIS_LABELS})


def _union(builder: Any, content: tuple[int, int]) -> int:
    """A table of a union: its kind in field 0, the table itself in field 1."""
    kind, table = content
    return _table(builder, {1: table}, {0: kind})


def _table(builder: Any, offsets: Mapping[int, int], enums: Mapping[int, int] | None = None) -> int:
    """A table of fields by their number: offsets to what is built already, and enumerations of one byte."""
    enums = enums or {}
    builder.StartObject(max((*offsets, *enums), default=-1) + 1)
    for slot, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    for slot, value in enums.items():
        builder.PrependInt8Slot(slot, value, 0)
    return int(builder.EndObject())


def _vector(builder: Any, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())
