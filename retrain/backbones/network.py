"""The backbone as a TensorFlow module: raw RGB in, bottlenecks out.

Imports TensorFlow; imported only when a network has to run or to be exported.
"""

import functools
import threading
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from label_image.errors import ForeignFileError
from label_image.plain_paths import plain_path
from label_image.preprocessing import Arithmetic
from retrain.backbones.backbone import Backbone
from retrain.backbones.families.base import Architecture
from retrain.backbones.hdf5_files import check_hdf5
from retrain.backbones.registry import architecture
from retrain.backbones.weights import CHECKPOINT_SUFFIX
from retrain.core.errors import BackboneError
from retrain.core.tensorflow import quiet, tf

_one_at_a_time = threading.Lock()  # what Keras builds with is the process's
LARGE = 1024  # values; smaller constants stay in a graph, where TensorFlow and XLA fold them
ROOM = 2**20  # bytes of a file of weights besides those of its network


@dataclass(frozen=True)
class FrozenGraph:
    """A GraphDef without variables, and its tensors: float32 RGB (n, size, size, 3) -> float32 (n, dim)."""

    graph_def: Any
    input: str
    output: str


def large_constants(graph_def: Any) -> list[Any]:
    """The nodes of a graph that are weights, or constants as large."""
    return [node for node in graph_def.node if node.op == "Const" and _values_of(node) >= LARGE]


def _values_of(constant: Any) -> int:
    return int(np.prod([side.size for side in constant.attr["value"].tensor.tensor_shape.dim]))


def without(graph_def: Any, names: Collection[str]) -> Any:
    """The same graph without the nodes of these names, for which something else is put in."""
    kept = [node for node in graph_def.node if node.name not in names]
    return tf.compat.v1.GraphDef(versions=graph_def.versions, library=graph_def.library, node=kept)


class Network(tf.Module):
    """Frozen features with their arithmetic inside.

    Calling it maps float32 RGB of shape (n, size, size, 3), 0..255, to float32 bottlenecks of
    shape (n, dim). That of a joined backbone has the networks of its `parts`.
    """

    def __init__(self, backbone: Backbone, features: Any) -> None:
        super().__init__(name="backbone")
        self.backbone = backbone
        self.features = features
        self.parts: tuple[Network, ...] = ()
        self._arithmetic = backbone.preprocessing.arithmetic()

    def __call__(self, pixels: Any) -> Any:
        return self.features(apply_arithmetic(pixels, self._arithmetic))

    def of(self, backbone: Backbone) -> "Network":
        """The network of a backbone: a part of this one, or itself."""
        return next((part for part in self.parts if part.backbone == backbone), self)

    @functools.cached_property
    def function(self) -> Any:
        """The network as a concrete function, its variables as they are."""
        size = self.backbone.input_size
        spec = tf.TensorSpec((None, size, size, 3), tf.float32, name="pixels")
        return tf.function(lambda pixels: self(pixels), autograph=False).get_concrete_function(spec)

    @functools.cached_property
    def frozen(self) -> FrozenGraph:
        """The network with its variables turned into constants."""
        frozen = with_constants(self.function)
        if frozen is None:
            function = freeze(self.function)
            frozen = FrozenGraph(function.graph.as_graph_def(), function.inputs[0].name, function.outputs[0].name)
        return frozen


def kept_network(backbone: Backbone) -> Network:
    """The network of `load_network`, for those who leave its weights alone: the engine and the exports share it.

    Any thread may ask for it.
    """
    with _one_at_a_time:
        return _kept_network(backbone)


@functools.lru_cache(maxsize=1)
def _kept_network(backbone: Backbone) -> Network:
    return load_network(backbone)


def load_network(backbone: Backbone) -> Network:
    """Build the network of a backbone and load its weights. Raises BackboneError."""
    if backbone.parts:
        parts = tuple(load_network(part) for part in backbone.parts)
        network = Network(backbone, lambda x: tf.concat([part(x) for part in parts], axis=1))
        network.parts = parts
        return network
    if not backbone.has_weights:
        return Network(backbone, architecture(backbone.architecture).build(backbone.architecture, backbone.input_size))
    if backbone.weights_file is not None and backbone.weights_file.is_dir():
        return Network(backbone, SavedModelFeatures(backbone.weights_file))
    model = _build(backbone)
    if backbone.weights_file is not None:
        _load_weights(model, backbone.architecture, backbone.weights_file)
    model.trainable = False
    network = Network(backbone, lambda x: model(x, training=False))
    network.model = model  # tracked, so that its variables go into the SavedModel
    return network


def apply_arithmetic(pixels: Any, arithmetic: Arithmetic) -> Any:
    """The steps of a preprocessing string after the resize, on float32 RGB (n, h, w, 3) 0..255."""
    if arithmetic.bgr:
        pixels = tf.reverse(pixels, axis=[-1])
    return pixels * tf.constant(arithmetic.scale, tf.float32) + tf.constant(arithmetic.offset, tf.float32)


def with_constants(function: Any) -> FrozenGraph | None:
    """The graph of a concrete function of one input, with constants where it reads its variables.

    None if it does anything else with a variable, or calls functions: those are for `freeze`, which
    takes any function but imports its whole graph twice, 5 s for Inception-V3 instead of 0.2.
    """
    graph = function.graph.as_graph_def()
    variable_of = {variable.handle.ref(): variable for variable in function.graph.variables}
    captured = {inner.op.name: variable_of.get(outer.ref()) for outer, inner in function.graph.captures}
    if graph.library.function or any(variable is None for variable in captured.values()):
        return None
    nodes = {}
    for node in graph.node:
        variables = [captured[name] for name in node.input if name in captured]
        if variables and node.op != "ReadVariableOp":
            return None
        nodes[node.name] = _constant(node.name, variables[0]) if variables else node
    output = function.outputs[0]
    constants = tf.compat.v1.GraphDef(versions=graph.versions, node=_that_lead_to(output.op.name, nodes))
    return FrozenGraph(constants, function.inputs[0].name, output.name)


def _constant(name: str, variable: Any) -> Any:
    value = tf.make_tensor_proto(variable.numpy())
    node = tf.compat.v1.NodeDef(name=name, op="Const")
    node.attr["dtype"].type = value.dtype
    node.attr["value"].tensor.CopyFrom(value)
    return node


def _that_lead_to(output: str, nodes: Mapping[str, Any]) -> list[Any]:
    """The nodes that a node is computed from, itself among them, in their order.

    Without control inputs: they only put reads of variables before writes, and nothing is written.
    """
    found, new = {output}, [output]
    while new:
        node = nodes[new.pop()]
        node.input[:] = [name for name in node.input if not name.startswith("^")]
        inputs = {name.partition(":")[0] for name in node.input} - found
        found |= inputs
        new += inputs
    return [node for name, node in nodes.items() if name in found]


def freeze(function: Any) -> Any:
    """A concrete function with its variables turned into constants; it returns a list of outputs."""
    # The only way to freeze any function; TensorFlow's own converters use it under this name.
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    with quiet():
        return convert_variables_to_constants_v2(function)


class SavedModelFeatures(tf.Module):
    """The image features of a TF-Hub style SavedModel: float32 (n, h, w, 3) -> float32 (n, dim).

    `input_size` is the size that the model fixes, or None. Raises BackboneError if the folder
    holds no such model.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(name="features")
        try:
            with plain_path(folder) as plain:
                self.loaded = tf.saved_model.load(str(plain))
        except Exception as error:  # TensorFlow raises a dozen types for damaged ones
            raise BackboneError(f"`tfhub_module` {folder} is not a SavedModel that can be loaded: {error}") from None
        signatures = self.loaded.signatures
        signature = signatures.get("serving_default") or signatures.get("default")
        if signature is None:
            raise BackboneError(f"`tfhub_module` {folder} has no serving_default signature.")
        inputs = signature.structured_input_signature[1]
        if len(inputs) != 1:
            raise BackboneError(f"`tfhub_module` {folder} takes {len(inputs)} inputs; one batch of photos is expected.")
        outputs = signature.structured_outputs
        rows = [name for name in ("default", *sorted(outputs)) if name in outputs and outputs[name].shape.rank == 2]
        if not rows:
            raise BackboneError(f"`tfhub_module` {folder} gives no feature vector (a batch of rows of numbers).")
        self._signature, self._output = signature, rows[0]
        ((self._input, spec),) = inputs.items()
        self.input_size: int | None = spec.shape[1] if spec.shape.rank == 4 else None

    def __call__(self, pixels: Any) -> Any:
        return self._signature(**{self._input: pixels})[self._output]


def _build(backbone: Backbone) -> Any:
    from retrain.core.keras import keras

    entry = architecture(backbone.architecture)
    # Layers are numbered per process; from 1 each time, equal models give equal exports.
    keras.utils.clear_session()
    # Only random weights depend on the seed; loaded ones replace them.
    if backbone.weights_sha256.startswith("random-"):
        keras.utils.set_random_seed(int(backbone.weights_sha256.removeprefix("random-")))
    try:
        model = entry.build(entry.name, backbone.input_size)
    except ValueError as error:
        size = backbone.input_size
        raise BackboneError(f"{backbone.architecture} cannot take photos of {size} pixels: {error}") from None
    if model.output_shape[-1] != backbone.dim:
        raise BackboneError(
            f"{backbone.architecture} gives {model.output_shape[-1]} features, not the {backbone.dim} of the registry."
        )
    return model


def _load_weights(model: Any, name: str, file: Path) -> None:
    entry = architecture(name)
    suffixes = [".h5", *([CHECKPOINT_SUFFIX] if entry.set_weights else [])]
    if not file.name.endswith(tuple(suffixes)):
        raise BackboneError(
            f"The weights {file} of {name} must be a file whose name ends in {' or '.join(suffixes)}.{_advice(entry)}"
        )
    if entry.set_weights and file.name.endswith(CHECKPOINT_SUFFIX):
        from retrain.backbones.torch_checkpoint import read_checkpoint

        entry.set_weights(model, read_checkpoint(file))
    else:
        _load_keras_weights(model, name, file)
    if not all(np.isfinite(np.asarray(weight)).all() for weight in model.get_weights()):
        raise BackboneError(f"The weights {file} hold numbers that are not finite; get the file again.")


def _advice(entry: Architecture) -> str:
    """Where a checkpoint of torchvision belongs that was given for the network of Keras."""
    if not entry.namesake:
        return ""
    return f" Weights of torchvision are for `architecture` {entry.namesake}, which is another network."


def _load_keras_weights(model: Any, name: str, file: Path) -> None:
    try:
        # Keras only warns where parts of the file do not match, and leaves those layers random.
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            # Twice what the network takes in float32: float64 would do, a bomb does not.
            check_hdf5(file, 8 * model.count_params() + ROOM)
            with plain_path(file) as plain:
                model.load_weights(str(plain))
    except ForeignFileError as error:
        raise BackboneError(f"The weights {file} of {name} cannot be used: the file {error}.") from None
    except Exception as error:  # h5py and Keras raise half a dozen types for files that do not fit
        raise BackboneError(
            f"The weights {file} do not fit the architecture {name}: give the weights of that network, "
            "or the architecture that the weights were made for."
        ) from error
