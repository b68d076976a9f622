"""Each reader of files from elsewhere, on mutations of a valid one: it reads, or says in a sentence why not.

A few hundred inputs each, always the same; `--hypothesis-profile=long` gives each ten thousand new ones, and -s shows
what they took.
"""

import io
import json
import re
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from label_image.appended_zip import read_appended_manifest
from label_image.errors import ForeignFileError, ModelError
from label_image.foreign_text import read_lines
from label_image.manifest import parse_manifest
from label_image.onnx_file import check_onnx
from retrain.backbones.hdf5_files import check_hdf5
from retrain.core.array_files import read_npz
from retrain.core.errors import RetrainError
from retrain.photos.category_names import read_category_names
from retrain.photos.dataset import Photo
from retrain.photos.fixes import read_fixes
from retrain.photos.opening import list_photos
from retrain.photos.record import write_record
from retrain.photos.seen_photos import were_seen
from retrain.photos.sources.base import Unpacking
from retrain.photos.sources.hugging_face import list_metadata_folder
from retrain.photos.sources.parquet import list_parquet
from retrain.photos.split import Division
from retrain.training.fitting.checkpoint import State, read_checkpoint, write_checkpoint

from .conftest import MANIFEST, peak_memory

SHORT = settings(
    max_examples=200, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
LONG = settings.get_profile("long")
SETTINGS = LONG if settings().max_examples == LONG.max_examples else SHORT
MEMORY = 2**30
MANIFEST_JSON = json.dumps(MANIFEST).encode()


@dataclass(frozen=True)
class Reader:
    """A reader, the name of the file that it is given, and a valid content; `raises` is what it may raise."""

    read: Callable[[Path], Any]
    name: str
    valid: bytes
    raises: tuple[type[Exception], ...] = (ModelError, RetrainError)


def zipped(method: int) -> bytes:
    file = io.BytesIO(b"model" * 10)
    with zipfile.ZipFile(file, "a", method) as archive:
        archive.writestr("labels.txt", "a\n")
        archive.writestr("model.json", MANIFEST_JSON)
    return file.getvalue()


def arrays() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **{"stem/kernel": np.ones((3, 3), np.float16), "stem/bias": np.zeros(3, np.float16)})
    return file.getvalue()


def seen() -> bytes:
    file = io.BytesIO()
    np.save(file, np.arange(5, dtype=np.uint64))
    return file.getvalue()


def checkpoint() -> bytes:
    path = Path(TEMPORARY, "valid.npz")
    write_checkpoint(path, {"photos": 3}, {"fit": State({"kernel": np.ones((2, 2))}, {"step": 3})})
    return path.read_bytes()


def parquet(columns: dict[str, list[Any]]) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, compression="snappy")
    return file.getvalue()


def record() -> bytes:
    photos = [Photo(f"{label}.jpg", label, label * 64) for label in ("a", "b")]
    write_record(Path(TEMPORARY), photos, Division(("training", "testing")), "class folders a, b")
    return Path(TEMPORARY, "dataset.parquet").read_bytes()


def hdf5() -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w") as opened:
        opened.create_dataset("layers/a/vars/0", data=np.ones((3, 3), np.float32))
        opened.create_dataset("layers/b/vars/0", data=np.ones(300, np.float32), compression="gzip")
    return file.getvalue()


def onnx() -> bytes:
    from onnx import TensorProto, helper

    node = helper.make_node("Add", ["image", "w"], ["scores"])
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [3]) for name in ("image", "scores")]
    graph = helper.make_graph(
        [node], "g", value[:1], value[1:], [helper.make_tensor("w", TensorProto.FLOAT, [3], [1, 2, 3])]
    )
    model = helper.make_model(graph)
    helper.set_model_props(model, {"model.json": MANIFEST_JSON.decode()})
    return model.SerializeToString()


def graph() -> Any:
    from retrain.core.tensorflow import tf

    with tf.Graph().as_default() as made:
        image = tf.compat.v1.placeholder(tf.float32, (None, 8, 8, 3), "image")
        tf.nn.softmax(tf.reduce_mean(image, axis=[1, 2]), name="scores")
        tf.constant(
            json.dumps({**MANIFEST, "tensors": {"image": "image:0", "scores": "scores:0"}}), name="retrain_manifest"
        )
    return made


def read_graph(path: Path) -> None:
    from label_image.runtimes import load_graph_def

    load_graph_def(path)


def saved_model() -> bytes:
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    model = SavedModel()
    model.meta_graphs.add().graph_def.CopyFrom(graph().as_graph_def())
    return model.SerializeToString()


def read_saved_model(path: Path) -> None:
    from label_image.operations import check_saved_model

    check_saved_model(path.parent)


def read_parquet(path: Path) -> None:
    list_parquet(path, [path], Unpacking(path.parent / "store" / "b"))


def read_metadata(path: Path) -> None:
    list_metadata_folder(path.parent, [path])


TEMPORARY = ""
CSV = b'path,label,split\r\na.jpg,"x\ny",train\nb.jpg,z,test\n'
HF = [{"file_name": "1.jpg", "label": "a"}, {"file_name": "2.jpg", "label": "b"}]
READERS: dict[str, Callable[[], Reader]] = {
    "manifest": lambda: Reader(lambda path: parse_manifest(path.read_bytes(), path), "model.json", MANIFEST_JSON),
    "tflite, stored": lambda: Reader(read_appended_manifest, "m.tflite", zipped(zipfile.ZIP_STORED)),
    "tflite, packed": lambda: Reader(read_appended_manifest, "m.tflite", zipped(zipfile.ZIP_DEFLATED)),
    "onnx": lambda: Reader(check_onnx, "m.onnx", onnx()),
    "graph": lambda: Reader(read_graph, "graph.pb", graph().as_graph_def().SerializeToString()),
    "saved model": lambda: Reader(read_saved_model, "saved_model.pb", saved_model()),
    "labels": lambda: Reader(read_lines, "labels.txt", "a\ncafé\n".encode(), (ForeignFileError,)),
    "seen photos": lambda: Reader(lambda path: were_seen(path.parent, []), "seen_photos.npy", seen()),
    "checkpoint": lambda: Reader(read_checkpoint, "c.npz", checkpoint()),
    "arrays": lambda: Reader(lambda path: read_npz(path, 2**20), "w.npz", arrays(), (ForeignFileError,)),
    "weights": lambda: Reader(lambda path: check_hdf5(path, 2**20), "w.h5", hdf5(), (ForeignFileError,)),
    "table": lambda: Reader(list_photos, "photos.csv", CSV),
    "other table": lambda: Reader(list_photos, "ids.tsv", "\ufeffBreed\tid\nx\ta\nz\tb\n".encode("utf-16-le")),
    "table.jsonl": lambda: Reader(list_photos, "t.jsonl", b'{"id": 1, "class": "x"}\n{"id": 2, "class": "y"}\n'),
    "table.parquet": lambda: Reader(list_photos, "t.parquet", parquet({"id": ["1", "2"], "class": ["a", "b"]})),
    "record": lambda: Reader(list_photos, "dataset.parquet", record()),
    "fixes": lambda: Reader(read_fixes, "fixes.csv", b"file,action\na.jpg,keep\nb.jpg,relabel:x\n"),
    "category names": lambda: Reader(read_category_names, "names.json", b'{"21": "fire lily", "a": "\\u00fc"}'),
    "metadata.csv": lambda: Reader(read_metadata, "metadata.csv", b"file_name,label\n1.jpg,a\n2.jpg,b\n"),
    "metadata.jsonl": lambda: Reader(read_metadata, "metadata.jsonl", "\n".join(map(json.dumps, HF)).encode()),
    "metadata.parquet": lambda: Reader(
        read_metadata, "metadata.parquet", parquet({"file_name": ["1.jpg", "2.jpg"], "label": ["a", "b"]})
    ),
    "parquet": lambda: Reader(
        read_parquet, "p.parquet", parquet({"image": [{"bytes": b"x" * 50}, {"bytes": b"y"}], "label": ["a", "b"]})
    ),
}  # fmt: skip


def mutated(data: bytes, seed: int) -> bytes:
    """Bytes with some of them changed, repeated or taken out, and numbers made very large or negative."""
    random = Random(seed)
    for _ in range(random.randint(1, 6)):
        place, new = random.randrange(len(data) + 1), random.randbytes(random.choice((1, 1, 2, 4, 8)))
        kind = random.choice(("set", "set", "set", "insert", "delete", "repeat", "move", "cut", "number"))
        if kind == "set":
            data = data[:place] + new + data[place + len(new) :]
        elif kind == "insert":
            data = data[:place] + new + data[place:]
        elif kind == "delete":
            data = data[:place] + data[place + new[0] :]
        elif kind == "repeat":
            data = data[:place] + data[place : place + 64] * (new[0] + 1) + data[place:]
        elif kind == "move":
            data = data[place:] + data[:place]
        elif kind == "cut":
            data = data[:place]
        else:
            data = data[:place] + b"\xff" * len(new) + data[place + len(new) :]
    return data


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    global TEMPORARY
    folder = tmp_path_factory.mktemp("fuzz")
    TEMPORARY = str(folder)
    return folder


@pytest.mark.parametrize("name", READERS)
def test_a_mutated_file_is_read_or_refused_in_a_sentence(name: str, temporary: Path) -> None:
    reader = READERS[name]()
    path = temporary / re.sub(r"\W", "_", name) / reader.name
    path.parent.mkdir()
    path.write_bytes(reader.valid)
    read_if_it_can(reader, path)
    count = 0

    @SETTINGS
    @given(st.integers(0, 2**64))  # a seed: hypothesis would take longer to make the changes than a reader to read them
    def mutate(seed: int) -> None:
        nonlocal count
        count += 1
        path.write_bytes(mutated(reader.valid, seed))
        read_if_it_can(reader, path)

    measured(name, mutate, lambda: count)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["\ud800", 10**400, "\x1b[2J"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def test_a_manifest_of_other_types_is_read_or_refused(temporary: Path) -> None:
    count = 0

    @SETTINGS
    @given(st.dictionaries(st.sampled_from([*MANIFEST, "parity", "tensors", "content"]), values, max_size=3))
    def change(entries: dict[str, Any]) -> None:
        nonlocal count
        count += 1
        try:
            manifest = parse_manifest(json.dumps({**MANIFEST, **entries}).encode(), temporary)
        except ModelError:
            return
        assert all(isinstance(label, str) for label in manifest.labels)
        assert manifest.threshold is None or np.isfinite(manifest.threshold)
        assert isinstance(manifest.content, dict) and manifest.content["format_version"] == 1

    measured("manifest of other types", change, lambda: count)


def read_if_it_can(reader: Reader, path: Path) -> None:
    try:
        reader.read(path)
    except reader.raises as error:
        assert str(error)


def measured(name: str, run: Callable[[], None], count: Callable[[], int]) -> None:
    began = time.perf_counter()
    peak = peak_memory(run)
    print(f"\n{name}: {count()} inputs, {time.perf_counter() - began:.0f} s, {peak >> 20} MiB")
    assert peak < MEMORY
