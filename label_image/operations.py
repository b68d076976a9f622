"""Finds out what a graph of TensorFlow may do, before any of it runs.

A graph is a program: an operation in it may read and write files, open connections or call Python, and loading a
SavedModel already runs a part of it. So each operation of a graph, of its functions and of what its attributes call
must be one that only computes (`label_image.pure_operations`); the names of all others are in the sentence that
refuses it. A model that was trained here passes, and so do those of Keras and TensorFlow Hub for photos.

A SavedModel brings functions that save and restore its own variables. They are passed over where nothing runs them:
TensorFlow's loader restores variables itself, and calls no function that neither the object graph nor another names,
unless an attribute lets it take the place of another.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from label_image.errors import ModelError, first_line
from label_image.files import reason_of
from label_image.pure_operations import PURE
from label_image.strangers import import_tensorflow

# What the functions that save and restore are made of, besides what only computes.
SAVER = frozenset({"MergeV2Checkpoints", "RestoreV2", "SaveV2", "ShardedFilename"})
SHOWN = 8


def check_saved_model(folder: Path) -> None:
    """Raise ModelError, naming the operations, for a SavedModel that could do more than compute. Imports TensorFlow."""
    import_tensorflow()  # before any part of it
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    file = folder / "saved_model.pb"
    try:
        data = file.read_bytes() if file.is_file() else None  # a FIFO would be read for ever
    except OSError as error:
        raise ModelError(f"The SavedModel {folder} cannot be loaded: {reason_of(error)}.") from None
    if data is None:
        raise ModelError(f"The SavedModel {folder} cannot be loaded: it has no file saved_model.pb.")
    try:
        saved_model = SavedModel.FromString(data)
    except Exception as error:  # protobuf's errors differ between its implementations
        raise ModelError(f"The SavedModel {folder} cannot be loaded: {first_line(error)}") from None
    found: set[str] = set()
    for meta_graph in saved_model.meta_graphs:
        # Otherwise TensorFlow takes another loader, which runs what the graph itself has for restoring.
        has_objects = len(saved_model.meta_graphs) == 1 and meta_graph.HasField("object_graph_def")
        saver = _saver_functions(meta_graph) if has_objects else frozenset()
        found |= impure_operations(meta_graph.graph_def, saver)
    _refuse(found, folder)


def check_graph(graph_def: Any, path: Path) -> None:
    """Raise ModelError, naming the operations, for a frozen graph that could do more than compute."""
    _refuse(impure_operations(graph_def), path)


def impure_operations(graph_def: Any, passed_over: Iterable[str] = ()) -> set[str]:
    """The operations of a GraphDef that are not known to only compute, but for those of some of its functions."""
    passed_over = frozenset(passed_over)
    functions = {function.signature.name for function in graph_def.library.function}
    used = _named(graph_def.node)
    for function in graph_def.library.function:
        if function.signature.name not in passed_over:
            used |= _named(function.node_def)
    # A function with the name of an operation would hide it, or be hidden by it.
    return {name for name in used if name not in PURE and name not in functions} | {
        name for name in functions if _is_registered(name) and name not in PURE
    }


def _saver_functions(meta_graph: Any) -> frozenset[str]:
    """The functions that only save or restore, and that nothing calls but the graph's own nodes, which never run."""
    library = meta_graph.graph_def.library
    functions = {function.signature.name for function in library.function}
    called: set[str] = set()
    saver = set()
    for function in library.function:
        used = _named(function.node_def)
        called |= used
        impure = used - PURE - functions
        if impure and impure <= SAVER and not _may_replace_others(function):
            saver.add(function.signature.name)
    called |= {gradient.gradient_func for gradient in library.gradient}
    called |= {gradient.gradient_func for gradient in library.registered_gradients}
    # Wherever the object graph may name a function: fields differ between versions of TensorFlow.
    objects = meta_graph.object_graph_def.SerializeToString()
    return frozenset(name for name in saver - called if name.encode() not in objects)


def _may_replace_others(function: Any) -> bool:
    """Whether TensorFlow might run a function where another is called, as with the attribute `api_implements`.

    A function that saves or restores has but notes for TensorFlow itself; the names of those begin with "_".
    """
    return any(not name.startswith("_") for name in function.attr)


def _named(nodes: Iterable[Any]) -> set[str]:
    """The operations of nodes, and the functions that their attributes name: either may be the other."""
    names = set()
    for node in nodes:
        names.add(node.op)
        for attribute in node.attr.values():
            names.update(_functions_in(attribute))
    return names


def _functions_in(attribute: Any) -> Iterator[str]:
    """The names of functions in the value of an attribute, also in the attributes of those."""
    functions = [attribute.func] if attribute.HasField("func") else attribute.list.func
    for function in functions:
        yield function.name
        for inner in function.attr.values():
            yield from _functions_in(inner)


def _is_registered(name: str) -> bool:
    from tensorflow.python.framework import op_def_registry

    return op_def_registry.get(name) is not None


def _refuse(operations: Iterable[str], path: Path) -> None:
    names = sorted(operations)
    if not names:
        return
    shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    raise ModelError(
        f"{path} was not run: its graph has operations that may do more than compute, such as writing files: {shown}. "
        f"If you trust whoever made it, pass --trust_model."
    )
