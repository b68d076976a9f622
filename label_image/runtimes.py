"""Run a model file in the runtime it was made for: LiteRT, TensorFlow or onnxruntime, imported when one is needed.

What runs it may be called by several threads: each borrows an interpreter of LiteRT or kernels of TensorFlow of its own
(see `label_image.pool`). onnxruntime's session is made for threads.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from label_image.errors import ModelError, first_line
from label_image.installing import how_to_install
from label_image.manifest import MANIFEST, Manifest, parse_manifest
from label_image.plain_paths import plain_path
from label_image.pool import MOST, Pool
from label_image.preprocessing import Pixels
from label_image.quiet import quiet
from label_image.strangers import import_onnxruntime, import_tensorflow
from label_image.terminal import lacks_memory

GRAPH_MANIFEST = "retrain_manifest"  # the constant of a frozen graph that holds the manifest
BATCH = 16
ANSWERS = ("scores", "similarity")  # what is asked of a model that may answer more

Probabilities = npt.NDArray[np.float32]
Similarities = npt.NDArray[np.float32]


class Outputs(NamedTuple):
    """What a model says of n photos.

    `probabilities` is (n, labels), in 0..1; `similarity` (n,), in -1..1, says how familiar a photo is, and is
    None for a model that does not.
    """

    probabilities: Probabilities
    similarity: Similarities | None = None

    def of(self, photos: Sequence[int]) -> "Outputs":
        """Those of some of the photos."""
        return Outputs(self.probabilities[photos], None if self.similarity is None else self.similarity[photos])

    @classmethod
    def joined(cls, parts: "Sequence[Outputs]") -> "Outputs":
        """Those of several batches, one after the other."""
        similarities = [part.similarity for part in parts if part.similarity is not None]
        return cls(
            np.concatenate([part.probabilities for part in parts]),
            np.concatenate(similarities) if len(similarities) == len(parts) else None,
        )


Run = Callable[[Pixels], Outputs]


def named_outputs(tensors: Mapping[str, npt.NDArray[np.float32]]) -> Outputs:
    """The named output tensors of a run; `similarity` is (n, 1) in a model."""
    similarity = tensors.get("similarity")
    return Outputs(tensors["scores"], None if similarity is None else similarity.reshape(-1))


def in_batches(run: Run, batch: int = BATCH) -> Run:
    """The same, never on more than `batch` photos at once."""
    return lambda pixels: Outputs.joined([run(pixels[start : start + batch]) for start in range(0, len(pixels), batch)])


def tflite_signature(path: Path, data: bytes | None = None) -> tuple[Pool[Any], Mapping[str, Any], Mapping[str, Any]]:
    """The signature of a TFLite model in LiteRT, what its `image` is, and what its outputs are.

    `data` is what the file holds, or what is run in its place. Raises ModelError if it cannot be loaded.
    """
    from ai_edge_litert.interpreter import Interpreter

    def load() -> Any:
        with quiet():
            interpreter = Interpreter(model_content=data)
            interpreter.allocate_tensors()
            return interpreter.get_signature_runner("serving_default")

    try:
        if data is None:
            data = path.read_bytes()  # once: a later interpreter is of the same file, whatever becomes of it
        signatures = Pool(load)
        with signatures.borrow() as signature:
            return signatures, signature.get_input_details()["image"], signature.get_output_details()
    except (ValueError, RuntimeError, OSError, KeyError) as error:
        raise ModelError(f"{path} cannot be loaded: {error}") from None


def tflite_runner(path: Path) -> Run:
    """A TFLite model in LiteRT, one photo at a time. Raises ModelError if it cannot be loaded."""
    signatures, image, outputs = tflite_signature(path)
    shape = tuple(image["shape"][1:])

    def answer(photo: Pixels) -> Outputs:
        with signatures.borrow() as signature:
            said = signature(image=quantised(photo[None], image))
        return named_outputs({name: _dequantised(values, outputs[name]) for name, values in said.items()})

    def run(pixels: Pixels) -> Outputs:
        if pixels.shape[1:] != shape:  # LiteRT would resize the network to the photo
            raise ValueError(f"photos of shape {pixels.shape[1:]} instead of {tuple(map(int, shape))}")
        return Outputs.joined([answer(photo) for photo in pixels])

    return run


def quantised(values: npt.NDArray[Any], tensor: Mapping[str, Any]) -> npt.NDArray[Any]:
    """Values as a tensor of a TFLite model takes them, by its own scale and zero point; float32 as they are."""
    dtype = tensor["dtype"]
    if dtype == np.float32:
        return values.astype(np.float32)
    scale, zero = tensor["quantization"]
    limits = np.iinfo(dtype)
    quantised: npt.NDArray[Any] = np.clip(np.round(values / scale) + zero, limits.min, limits.max).astype(dtype)
    return quantised


def _dequantised(values: npt.NDArray[Any], tensor: Mapping[str, Any]) -> npt.NDArray[np.float32]:
    """The values that a tensor of a TFLite model stands for, in float32."""
    if values.dtype == np.float32:
        return values
    scale, zero = tensor["quantization"]
    dequantised: npt.NDArray[np.float32] = (values.astype(np.float32) - zero) * np.float32(scale)
    return dequantised


def saved_model_runner(folder: Path, batch: int = BATCH, trust: bool = False) -> Run:
    """A SavedModel in TensorFlow. Raises ModelError if it cannot be loaded."""
    return pixels_runner(load_saved_model(folder, trust), batch)


def load_saved_model(folder: Path, trust: bool = False) -> Any:
    """A SavedModel with its signatures, as TensorFlow loads it. Raises ModelError if that cannot be.

    One that could do more than compute is refused before any of it runs, unless `trust`.
    """
    tf = _tensorflow(f"{folder} has no model.tflite, and its SavedModel")
    if not trust:
        from label_image.operations import check_saved_model

        check_saved_model(folder)
    try:
        with plain_path(folder) as plain, quiet():
            loaded = tf.saved_model.load(str(plain))
        loaded.signatures["serving_default"]
    except Exception as error:  # TensorFlow raises a dozen types for damaged ones
        raise ModelError(f"The SavedModel {folder} cannot be loaded: {first_line(error)}") from None
    return loaded


def functions_of(signature: Any) -> Pool[Any]:
    """A signature of a loaded SavedModel, for several threads."""
    tf = import_tensorflow()
    first = [signature]

    def another() -> Any:
        """A function of another name: it has kernels of its own, and the same variables."""
        with suppress(IndexError):
            return first.pop()
        spec = signature.structured_input_signature[1]["image"]
        return tf.function(lambda image: signature(image=image), autograph=False).get_concrete_function(image=spec)

    return Pool(another, forkable=False)


def pixels_runner(loaded: Any, batch: int = BATCH) -> Run:
    """`serving_default` of a loaded SavedModel."""
    tf = import_tensorflow()
    functions = functions_of(loaded.signatures["serving_default"])

    def run(pixels: Pixels) -> Outputs:
        assert loaded is not None  # the signature alone does not keep the variables alive
        with functions.borrow() as function:
            answers = function(image=tf.constant(pixels, tf.float32))
        return named_outputs({name: value.numpy() for name, value in answers.items()})

    return in_batches(run, batch)


def onnx_session(path: Path) -> tuple[Any, Manifest]:
    """The session of an ONNX model in onnxruntime, and its manifest. Raises ModelError if it cannot be used."""
    try:
        onnxruntime = import_onnxruntime()
    except ImportError as error:
        if lacks_memory(error):
            raise
        raise ModelError(f"{path} needs onnxruntime: {how_to_install('export')}.") from None
    from label_image.onnx_file import check_onnx

    check_onnx(path)
    try:
        with plain_path(path) as plain, quiet():
            # Its fallback would print, and try the same again.
            session = onnxruntime.InferenceSession(plain, providers=["CPUExecutionProvider"], enable_fallback=0)
        text = session.get_modelmeta().custom_metadata_map.get(MANIFEST)
    except Exception as error:  # onnxruntime raises a dozen types of its own, and UnicodeDecodeError for its texts
        raise ModelError(f"{path} cannot be loaded: {first_line(error)}") from None
    if text is None:
        raise ModelError(f"{path} carries no {MANIFEST}: it was not made by retrain.")
    return session, parse_manifest(text.encode(), path)


def load_onnx(path: Path) -> tuple[Run, Manifest]:
    """An ONNX model in onnxruntime, and its manifest. Raises ModelError if it cannot be used."""
    session, manifest = onnx_session(path)
    names = [output.name for output in session.get_outputs() if output.name in ANSWERS]

    def run(pixels: Pixels) -> Outputs:
        answers = session.run(names, {"image": pixels.astype(np.float32)})
        return named_outputs(dict(zip(names, answers, strict=True)))

    return in_batches(run), manifest


def load_graph_def(path: Path, trust: bool = False) -> tuple[Run, Manifest]:
    """A frozen graph in TensorFlow, and its manifest. Raises ModelError if it cannot be used.

    The manifest says, as `tensors`, what the graph calls its input and its outputs. A graph that could do more than
    compute is refused, unless `trust`.
    """
    tf = _tensorflow(str(path))
    try:
        graph_def = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    except Exception as error:  # protobuf's errors differ between its implementations
        raise ModelError(f"{path} is not a frozen graph: {first_line(error)}") from None
    texts = [node.attr["value"].tensor.string_val for node in graph_def.node if node.name == GRAPH_MANIFEST]
    if len(texts) != 1 or len(texts[0]) != 1:
        raise ModelError(f"{path} carries no {MANIFEST}: it was not made by retrain, or by an older one.")
    manifest = parse_manifest(texts[0][0], path)
    tensors = dict(manifest.tensors)
    image = tensors.pop("image", "")
    if not trust:
        from label_image.operations import check_graph

        check_graph(graph_def, path)
    graph = tf.Graph()
    try:
        with quiet(), graph.as_default():
            tf.import_graph_def(graph_def, name="")
            # A session has kernels for every set of outputs that it is asked for: of these no two threads share one.
            copies = [
                {name: tf.identity(graph.get_tensor_by_name(tensor)) for name, tensor in tensors.items()}
                for _ in range(MOST)
            ]
            session = tf.compat.v1.Session()
    except Exception as error:  # TensorFlow raises a dozen types for damaged ones
        raise ModelError(f"{path} cannot be loaded: {first_line(error)}") from None

    fetches = Pool(copies.pop, len(copies), forkable=False)

    def run(pixels: Pixels) -> Outputs:
        with fetches.borrow() as tensors:
            answers = session.run(tensors, {image: pixels.astype(np.float32)})
        return named_outputs(answers)

    return in_batches(run), manifest


def _tensorflow(what: str) -> Any:
    try:
        return import_tensorflow()
    except ImportError as error:
        if lacks_memory(error):
            raise
        raise ModelError(f"{what} needs TensorFlow: {how_to_install('train')}.") from None
