"""Graphs from elsewhere: those that only compute run, all others are refused before any of them does."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from stand_ins import converted, evaluated

from label_image.cli import main as label_image
from label_image.model import ModelError, load_model, load_saved_model
from label_image.operations import impure_operations
from label_image.pure_operations import PURE
from retrain.backbones.hub import hub_backbone
from retrain.cli.main import main as retrain
from retrain.core.errors import BackboneError, ExportError
from retrain.core.tensorflow import tf
from retrain.exports.formats.graph_def import write_graph_def

from .conftest import MANIFEST, write_manifest

PIXELS = np.zeros((1, 8, 8, 3), np.uint8)
WEIGHTS = Path(__file__).resolve().parents[3] / "shared" / "weights"


class Scorer(tf.Module):
    """A model of three classes that does `act` beside its work."""

    def __init__(self, act: Callable[[], Any]) -> None:
        super().__init__()
        self.weight = tf.Variable([1.0, 2.0, 3.0])
        self.act = act
        spec = tf.TensorSpec((None, 8, 8, 3), tf.float32, name="image")
        self.serve = tf.function(self.answer, input_signature=[spec], autograph=False)

    def answer(self, image: Any) -> dict[str, Any]:
        self.act()
        return {"scores": tf.nn.softmax(tf.reduce_mean(image, axis=[1, 2]) * self.weight)}

    def save(self, folder: Path) -> Path:
        tf.saved_model.save(self, str(folder), signatures={"serving_default": self.serve})
        return write_manifest(folder)


def write(path: Path) -> Callable[[], Any]:
    return lambda: tf.io.write_file(str(path), "written")


def nested(act: Callable[[], Any]) -> Callable[[], Any]:
    """The same in a branch of a loop's body: three functions deep."""

    def body(number: Any) -> Any:
        def acting() -> Any:
            with tf.control_dependencies([act()]):
                return number + 1

        return tf.cond(number < 10, acting, lambda: number + 1)

    return lambda: tf.while_loop(lambda number: number < 2, body, [tf.constant(0)])


def acts(path: Path) -> dict[str, tuple[str, Callable[[], Any]]]:
    """What a graph may do besides computing, each with the operation that does it."""
    return {
        "write": ("WriteFile", write(path)),
        "write, nested": ("WriteFile", nested(write(path))),
        "read": ("ReadFile", lambda: tf.io.read_file("/etc/hostname")),
        "list": ("MatchingFiles", lambda: tf.io.matching_files("/etc/*")),
        "map into memory": (
            "ImmutableConst",
            lambda: tf.raw_ops.ImmutableConst(dtype=tf.uint8, shape=[1], memory_region_name="/etc/hostname"),
        ),
        "Python": ("EagerPyFunc", lambda: tf.py_function(lambda: path.write_text("written"), [], tf.int64)),
        "print into a file": ("PrintV2", lambda: tf.print("written", output_stream=f"file://{path}")),
        "save": (
            "SaveV2",
            lambda: tf.raw_ops.SaveV2(prefix=str(path), tensor_names=["x"], shape_and_slices=[""], tensors=[1.0]),
        ),
        "restore": (
            "RestoreV2",
            lambda: tf.raw_ops.RestoreV2(
                prefix="/etc/x", tensor_names=["x"], shape_and_slices=[""], dtypes=[tf.float32]
            ),
        ),
        "records": ("TFRecordDataset", lambda: tf.raw_ops.TFRecordDataset(
            filenames=["/etc/hostname"], compression_type="", buffer_size=0)),
        "debug into a file": (
            "DebugIdentityV2",
            lambda: tf.raw_ops.DebugIdentityV2(input=tf.constant(1.0), debug_urls=[f"file://{path}"]),
        ),
    }  # fmt: skip


@pytest.mark.parametrize("act", acts(Path()))
def test_a_saved_model_that_does_more_than_compute_is_refused_by_name(act: str, tmp_path: Path, outside: Path) -> None:
    operation, does = acts(outside)[act]
    model = Scorer(does).save(tmp_path / "model")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ModelError, match=rf"was not run: .* files: {operation}\. .*--trust_model"):
        load_model(model)
    assert sorted(tmp_path.rglob("*")) == before


def test_what_runs_while_a_saved_model_is_loaded_is_found_too(tmp_path: Path, outside: Path) -> None:
    """An initialiser of a resource is run by TensorFlow's loader itself."""

    class Resource(tf.saved_model.experimental.TrackableResource):
        def _create_resource(self) -> Any:
            return tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.string)

        def _initialize(self) -> None:
            tf.io.write_file(str(outside), "written")

    scorer = Scorer(lambda: tf.no_op())
    scorer.resource = Resource()
    model = scorer.save(tmp_path / "model")
    outside.unlink(missing_ok=True)
    with pytest.raises(ModelError, match="WriteFile"):
        load_model(model)
    assert not outside.exists()
    load_saved_model(model, trust=True)
    assert outside.read_text() == "written"


def test_a_trusted_model_runs_all_the_same(tmp_path: Path, outside: Path) -> None:
    model = Scorer(write(outside)).save(tmp_path / "model")
    assert load_model(model, trust=True).run(PIXELS).probabilities.shape == (1, 3)
    assert outside.read_text() == "written"


def test_a_frozen_graph_is_searched_as_well(tmp_path: Path, outside: Path) -> None:
    def classify(image: Any) -> dict[str, Any]:
        with tf.control_dependencies([tf.io.write_file(str(outside), "written")]):
            return {"scores": tf.nn.softmax(tf.reduce_mean(image, axis=[1, 2]))}

    write_graph_def(classify, 8, tmp_path / "graph.pb", manifest=MANIFEST)
    with pytest.raises(ModelError, match=r"graph\.pb was not run: .*WriteFile"):
        load_model(tmp_path / "graph.pb")
    assert not outside.exists()
    load_model(tmp_path / "graph.pb", trust=True)
    assert outside.read_text() == "written"


def test_a_saver_that_something_calls_is_refused(tmp_path: Path) -> None:
    """TensorFlow's loader runs none of the functions that save and restore; one that is called elsewhere may run."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    model = Scorer(lambda: None).save(tmp_path / "model")
    file = model / "saved_model.pb"
    saved = SavedModel.FromString(file.read_bytes())
    (meta_graph,) = saved.meta_graphs
    saver = next(f.signature.name for f in meta_graph.graph_def.library.function if "traced_save" in f.signature.name)
    load_model(model)

    called = SavedModel.FromString(file.read_bytes())
    node = called.meta_graphs[0].graph_def.library.function[0].node_def.add(name="call", op="PartitionedCall")
    node.attr["f"].func.name = saver
    named = SavedModel.FromString(file.read_bytes())
    named.meta_graphs[0].object_graph_def.nodes.add().bare_concrete_function.concrete_function_name = saver
    twice = SavedModel.FromString(file.read_bytes())
    twice.meta_graphs.add().CopyFrom(meta_graph)
    for changed in (called, named, twice):
        file.write_bytes(changed.SerializeToString())
        with pytest.raises(ModelError, match="SaveV2"):
            load_model(model)


def test_a_saver_that_tensorflow_would_put_in_the_place_of_another_function_is_refused(
    tmp_path: Path, outside: Path
) -> None:
    """What has the same `api_implements` as a function that is called may run instead of it, and nothing names it."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    scorer = Scorer(lambda: None)
    scorer.inner = tf.function(lambda: tf.constant(1.0), autograph=False)
    scorer.act = lambda: scorer.inner()
    model = scorer.save(tmp_path / "model")
    file = model / "saved_model.pb"
    saved = SavedModel.FromString(file.read_bytes())
    library = saved.meta_graphs[0].graph_def.library
    called = {name for function in library.function for node in function.node_def for name in _named_functions(node)}
    for function in [one for one in library.function if one.signature.name in called and len(one.node_def) == 2]:
        function.attr["api_implements"].s = b"same"
        function.attr["api_preferred_device"].s = b"GPU"
        other = library.function.add()
        other.CopyFrom(function)
        other.signature.name = "another"
        other.attr["api_preferred_device"].s = b"CPU"
        inputs = {"prefix": str(outside), "names": ["x"], "slices": [""], "value": [1.0]}
        for name, value in inputs.items():
            node, tensor = other.node_def.add(name=name, op="Const"), tf.make_tensor_proto(value)
            node.attr["dtype"].type = tensor.dtype
            node.attr["value"].tensor.CopyFrom(tensor)
        node = other.node_def.add(name="save", op="SaveV2", input=[f"{name}:output:0" for name in inputs])
        node.attr["dtypes"].list.type.append(tf.float32.as_datatype_enum)
        other.signature.control_output.append("save")
        other.control_ret["save"] = "save"
        other.signature.is_stateful = True
    assert "another" in {function.signature.name for function in library.function}
    file.write_bytes(saved.SerializeToString())
    with pytest.raises(ModelError, match="SaveV2"):
        load_model(model)
    assert not list(outside.parent.glob(f"{outside.name}*"))


def _named_functions(node: Any) -> list[str]:
    return [attribute.func.name for attribute in node.attr.values() if attribute.HasField("func")]


def test_a_function_cannot_hide_behind_the_name_of_an_operation_or_in_an_attribute() -> None:
    graph = tf.compat.v1.GraphDef()
    graph.library.function.add().signature.name = "ReadFile"
    graph.node.add(name="x", op="ReadFile")
    assert impure_operations(graph) == {"ReadFile"}
    graph = tf.compat.v1.GraphDef()
    inner = graph.node.add(name="x", op="PartitionedCall").attr["f"].func
    inner.name = "Identity"
    inner.attr["g"].list.func.add().name = "WriteFile"
    assert impure_operations(graph) == {"WriteFile"}
    graph.node.add(name="y", op="SomethingNew")
    assert impure_operations(graph) == {"SomethingNew", "WriteFile"}


def test_every_command_refuses(tmp_path: Path, outside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = Scorer(write(outside)).save(tmp_path / "model")
    photos = tmp_path / "photos"
    for label, colour in (("red", (200, 0, 0)), ("blue", (0, 0, 200))):
        (photos / label).mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (8, 8), (*colour[:2], colour[2] + number)).save(photos / label / f"{number}.png")
    with pytest.raises(ExportError, match=r"WriteFile.*--trust_model"):
        evaluated(model, str(photos), tmp_path / "b")
    with pytest.raises(ExportError, match=r"WriteFile.*--trust_model"):
        converted(model, ("onnx",), str(photos), tmp_path / "b")
    with pytest.raises(BackboneError, match=r"`tfhub_module`: .*WriteFile.*--trust_model"):
        hub_backbone(str(model))
    photo = str(photos / "red" / "0.png")
    store = ["--bottleneck_dir", str(tmp_path / "b")]
    for command, arguments in (
        (label_image, ["--model", str(model), photo]),
        (retrain, ["evaluate", str(model), str(photos), *store]),
        (retrain, ["export", str(model), "--to", "tflite", "--image_dir", str(photos), *store]),
        (
            retrain,
            ["--image_dir", str(photos), "--tfhub_module", str(model), "--output_dir", str(tmp_path / "o"), *store],
        ),
    ):
        with pytest.raises(SystemExit) as leave:
            command(arguments)
        error = capsys.readouterr().err.replace("\n", " ")
        assert (leave.value.code, "WriteFile" in error, "Traceback" in error) == (1, True, False)
    assert not outside.exists()
    label_image(["--model", str(model), "--trust_model", photo])
    assert outside.exists()


def test_models_that_people_share_pass(tmp_path: Path) -> None:
    """A network of Keras with dropout and its training function; one with a table in memory; one that loops."""
    import keras

    network = keras.Sequential(
        [keras.layers.Input((32, 32, 3)), keras.applications.MobileNetV2((32, 32, 3), 0.35, False, None),
         keras.layers.GlobalAveragePooling2D(), keras.layers.Dropout(0.2)]
    )  # fmt: skip
    tf.saved_model.save(network, str(tmp_path / "keras"))
    network.export(str(tmp_path / "exported"), verbose=False)
    for folder in ("keras", "exported"):
        load_saved_model(tmp_path / folder)
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a"], [1]), 0)
    scorer = Scorer(lambda: table.lookup(tf.constant(["a"])))
    scorer.table = table
    load_model(scorer.save(tmp_path / "table"))
    load_model(Scorer(nested(lambda: tf.no_op())).save(tmp_path / "loop"))


@pytest.mark.real
@pytest.mark.skipif(not WEIGHTS.is_dir(), reason="needs ../shared/weights")
def test_the_frozen_graph_of_the_published_mobilenet_passes() -> None:
    graph = tf.compat.v1.GraphDef.FromString((WEIGHTS / "mobilenet_v1_0.25_128_frozen_graph.pb").read_bytes())
    assert len(graph.node) > 100
    assert impure_operations(graph) == set()


def test_the_list_holds_operations_of_tensorflow_and_none_that_reaches_outside() -> None:
    from tensorflow.python.framework import op_def_registry

    assert [name for name in sorted(PURE) if op_def_registry.get(name) is None] == []
    outside = re.compile(
        "File|PyFunc|Print|Proto|Dataset|Save|Restore|Send|Recv|Rpc|Debug|Summary|Reader|Checkpoint|ImmutableConst|"
        "Vocab|Collective|TPU|Xla|Queue"
    )
    assert [name for name in sorted(PURE) if outside.search(name)] == []


def test_a_damaged_saved_model_is_a_sentence(tmp_path: Path) -> None:
    model = Scorer(lambda: None).save(tmp_path / "model")
    file = model / "saved_model.pb"
    os.truncate(file, file.stat().st_size // 2)
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_model(model)
    os.truncate(file, 0)
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_model(model)


def test_a_saved_model_that_is_no_file_is_a_sentence(tmp_path: Path) -> None:
    model = Scorer(lambda: None).save(tmp_path / "model")
    (model / "saved_model.pb").unlink()
    for make in (lambda path: None, lambda path: path.write_text("x"), os.mkfifo):
        make(model / "saved_model.pbtxt")
        with pytest.raises(ModelError, match=r"model cannot be loaded: it has no file saved_model\.pb"):
            load_model(model)
        (model / "saved_model.pbtxt").unlink(missing_ok=True)
    os.mkfifo(model / "saved_model.pb")
    with pytest.raises(ModelError, match=r"it has no file saved_model\.pb"):
        load_model(model)
