"""A classifier as one graph without variables: what most formats are converted from."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from label_image.errors import ModelError
from label_image.runtimes import load_saved_model
from retrain.backbones.network import freeze
from retrain.core.tensorflow import tf
from retrain.exports.formats.saved_model import EMBEDDING

Classify = Callable[[Any], Mapping[str, Any]]
MORE = ("similarity", EMBEDDING)  # what a classifier may answer besides its scores


@dataclass(frozen=True)
class FrozenGraph:
    """A GraphDef without variables or functions; `tensors` says what `image` and what it answers are there."""

    graph_def: Any
    tensors: Mapping[str, str]

    @property
    def outputs(self) -> dict[str, str]:
        """The names of what it answers."""
        return {name: tensor for name, tensor in self.tensors.items() if name != "image"}


def frozen_graph(classify: Classify, size: int, image: str = "image", scores: str = "scores") -> FrozenGraph:
    """A function of pixels (n, size, size, 3) as a graph; `image` and `scores` are the names of its tensors there."""
    tensors = {}

    def forward(pixels: Any) -> dict[str, Any]:
        said = classify(pixels)
        named = {"scores": tf.identity(said["scores"], name=scores)}
        named.update({name: tf.identity(said[name], name=name) for name in MORE if name in said})
        # TensorFlow appends a number to a name that is taken.
        tensors.update({"image": pixels.name} | {name: tensor.name for name, tensor in named.items()})
        return named

    spec = tf.TensorSpec((None, size, size, 3), tf.float32, name=image)
    function = tf.function(forward, autograph=False).get_concrete_function(spec)
    # Only what the answers need: a signature of a SavedModel also captures its labels.
    graph_def = name_captures(freeze(function).graph.as_graph_def())
    nodes = [tensor.partition(":")[0] for tensor in tensors.values()]
    return FrozenGraph(tf.compat.v1.graph_util.extract_sub_graph(graph_def, nodes), tensors)


def freeze_saved_model(folder: Path, with_embedding: bool = False) -> FrozenGraph:
    """The `serving_default` of a SavedModel, without its constant labels, and what it `embed`s where that is wanted.

    Raises ModelError if it cannot be loaded.
    """
    loaded = load_saved_model(folder, trust=True)  # searched by `export_model`
    signature = loaded.signatures["serving_default"]
    image = signature.structured_input_signature[1]["image"].shape
    size = image[1] if image.rank == 4 else None
    if size is None:
        raise ModelError(f"The SavedModel {folder} does not say which size its photos have.")
    # Of older trainings there is no such signature.
    embed = loaded.signatures.get("embed") if with_embedding else None
    return frozen_graph(lambda image: {**signature(image=image), **(embed(image=image) if embed else {})}, size)


def name_captures(graph_def: Any) -> Any:
    """The same graph, its captured constants named in their order, and not after ids that count up in a process."""
    taken = {node.name for node in graph_def.node}
    free = (name for name in map("constant_{}".format, itertools.count()) if name not in taken)
    names = {node.name: next(free) for node in graph_def.node if node.op == "Const" and node.name.isdecimal()}
    named = tf.compat.v1.GraphDef()
    named.CopyFrom(graph_def)
    for node in named.node:
        node.name = names.get(node.name, node.name)
        node.input[:] = [_renamed(tensor, names) for tensor in node.input]
        if "_class" in node.attr:  # nodes to be placed with
            places = node.attr["_class"].list
            places.s[:] = [b"loc:@" + _renamed(place[5:].decode(), names).encode() for place in places.s]
    return named


def _renamed(tensor: str, names: Mapping[str, str]) -> str:
    """A node's input: `name`, `name:output`, or `^name` for a control dependency."""
    control = "^" if tensor.startswith("^") else ""
    name, colon, output = tensor.removeprefix("^").partition(":")
    return f"{control}{names.get(name, name)}{colon}{output}"
