"""Bottlenecks out of an export: what its network sees in a photo, before the head makes classes of it.

| file | the bottleneck is |
|---|---|
| `model_embed.tflite`, `model.onnx` | the output `embedding` |
| SavedModel | the output of the signature `embed` |
| `model.tflite`, `model_float16.tflite`, `model_dynamic.tflite` | inside, and read out |

The last answer `similarity`, a cosine of the bottleneck, so the way back from it leads through the L2_NORMALIZATION of
the bottleneck. In memory the file is told to answer that tensor instead: nothing is computed twice, and no file
becomes larger for it. In an int8 file the bottleneck is a row of steps, which is not what others computed.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from label_image.errors import ModelError
from label_image.from_file import FromFile, stamps
from label_image.model import Model
from label_image.preprocessing import Pixels
from label_image.runtimes import BATCH, functions_of, load_saved_model, onnx_session, tflite_signature
from label_image.strangers import import_tensorflow
from label_image.tflite_graph import TfliteGraph

EMBEDDING, SIMILARITY, SIGNATURE = "embedding", "similarity", "embed"
TFLITE_FILE = "model_embed.tflite"
STEPS = 8  # operations between the similarity and the normalised bottleneck, at most; there are two

Embeddings = npt.NDArray[np.float32]
Embed = Callable[[Pixels], Embeddings]


def embeds(model: Model) -> Embed:
    """What maps uint8 RGB (n, size, size, 3) to bottlenecks (n, dim), of an export that `load_model` loaded.

    Any number of threads may use it. Raises ModelError where the export has no bottleneck to read out.
    """
    export = model.run
    assert isinstance(export, FromFile)
    found = embeds_of(export.path, export.trust)
    if stamps(export.path) != export.stamps:
        raise ModelError(f"{export.path} was changed while it was loaded: run the same command again.")
    return found


def embeds_of(path: Path, trust: bool = False) -> Embed:
    """The same of a folder of an export, or of its .tflite or .onnx file alone."""
    if path.is_dir():
        return _of_folder(path, trust)
    if path.suffix.lower() == ".tflite":
        return tflite_embeds(path)
    if path.suffix.lower() == ".onnx":
        return onnx_embeds(path)
    raise _nothing(path)


def _of_folder(folder: Path, trust: bool) -> Embed:
    """In the order in which `load_model` chooses; a graph.pb has none, and model_embed.tflite beside it one."""
    if (folder / "model.tflite").is_file():
        return tflite_embeds(folder / "model.tflite")
    if (folder / "saved_model.pb").is_file():
        return saved_model_embeds(load_saved_model(folder, trust), folder)
    if (folder / "model.onnx").is_file():
        return onnx_embeds(folder / "model.onnx")
    if (folder / TFLITE_FILE).is_file():
        return tflite_embeds(folder / TFLITE_FILE)
    raise _nothing(folder)


def _nothing(path: Path, why: str = "") -> ModelError:
    folder = path if path.is_dir() else path.parent
    if (folder / TFLITE_FILE).is_file():
        other = folder / TFLITE_FILE
        return ModelError(f"{path} has nothing to embed photos with{why}: use --model {other}, which has.")
    return ModelError(
        f"{path} has nothing to embed photos with{why}: `retrain export {folder} --to tflite_embed --image_dir PHOTOS` "
        f"writes {TFLITE_FILE}, which has."
    )


def tflite_embeds(path: Path) -> Embed:
    """Of a TFLite file in LiteRT. Raises ModelError."""
    try:
        data, name = path.read_bytes(), EMBEDDING
        graph = TfliteGraph.of(data)
        if EMBEDDING not in graph.outputs:
            bottleneck = _bottleneck(graph)
            if bottleneck is None:
                raise _nothing(path, ", or only in steps of int8")
            data, name = _answering(bytearray(data), bottleneck), SIMILARITY
    except ModelError:
        raise
    except Exception as error:  # a flatbuffer that is damaged is noticed wherever it is read
        raise ModelError(f"{path} cannot be loaded: {error}") from None
    signatures, _, _ = tflite_signature(path, data)

    def answer(photo: Pixels) -> Embeddings:
        with signatures.borrow() as signature:
            found: Embeddings = signature(image=photo[None].astype(np.float32))[name]
            return found.reshape(1, -1)

    return lambda pixels: np.concatenate([answer(photo) for photo in pixels])


def _bottleneck(graph: TfliteGraph) -> int | None:
    """The tensor whose cosine the similarity is; None where that is not in float32."""
    from ai_edge_litert import schema_py_generated as schema

    tensor = graph.output(SIMILARITY) if SIMILARITY in graph.outputs else -1
    for _ in range(STEPS):
        operation, inputs = graph.source(tensor)
        if not inputs:
            return None
        tensor = inputs[0]
        if operation == "L2_NORMALIZATION":
            return tensor if graph.graph.Tensors(tensor).Type() == schema.TensorType.FLOAT32 else None
    return None


def _answering(data: bytearray, bottleneck: int) -> bytes:
    """A TFLite file that answers the bottleneck where it answered the similarity."""
    graph = TfliteGraph.of(data)  # its numbers are views of `data`
    answered = graph.outputs[SIMILARITY]
    outputs = graph.graph.OutputsAsNumpy()
    outputs[outputs == answered.TensorIndex()] = bottleneck
    place = answered._tab.Pos + answered._tab.Offset(6)  # of the number in its table
    data[place : place + 4] = bottleneck.to_bytes(4, "little")
    return bytes(data)


def onnx_embeds(path: Path) -> Embed:
    """Of an ONNX file in onnxruntime. Raises ModelError."""
    session, _ = onnx_session(path)
    if EMBEDDING not in [output.name for output in session.get_outputs()]:
        raise _nothing(path, ", being of an older retrain")
    return _in_batches(lambda batch: session.run([EMBEDDING], {"image": batch.astype(np.float32)})[0])


def saved_model_embeds(loaded: Any, folder: Path) -> Embed:
    """Of a SavedModel that TensorFlow loaded. Raises ModelError for one of an older retrain."""
    if SIGNATURE not in loaded.signatures:
        raise _nothing(folder, ", being of an older retrain")
    tf, functions = import_tensorflow(), functions_of(loaded.signatures[SIGNATURE])

    def answer(batch: Pixels) -> Embeddings:
        assert loaded is not None  # the signature alone does not keep the variables alive
        with functions.borrow() as function:
            found: Embeddings = function(image=tf.constant(batch, tf.float32))[EMBEDDING].numpy()
        return found

    return _in_batches(answer)


def _in_batches(answer: Embed) -> Embed:
    return lambda pixels: np.concatenate(
        [answer(pixels[start : start + BATCH]) for start in range(0, len(pixels), BATCH)]
    )
