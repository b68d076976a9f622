"""Files that promise gigabytes, and files that reach for others: refused in a sentence, in little memory."""

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.lib import format as npy

from label_image.errors import ForeignFileError, ModelError
from label_image.model import load_model
from label_image.onnx_file import check_onnx
from retrain.backbones.backbone import find_backbone
from retrain.backbones.hdf5_files import check_hdf5
from retrain.core.array_files import read_npy, read_npz
from retrain.core.errors import BackboneError, CheckpointError, DatasetError, ExportError, RetrainError
from retrain.photos.fixes import read_fixes
from retrain.photos.opening import list_photos
from retrain.photos.seen_photos import NAME, were_seen
from retrain.training.fitting.checkpoint import read_checkpoint

from .conftest import peak_memory

LITTLE = 3 * 2**27  # of the same file pyarrow's allocator takes 30 MB in one process, and 300 in another


def refused(read: Callable[[], Any], error: type[Exception], reason: str) -> None:
    """The reader raises this error, and takes little memory."""

    def run() -> None:
        with pytest.raises(error, match=reason):
            read()

    assert peak_memory(run) < LITTLE


# Arrays


def header(shape: tuple[int, ...], descr: str = "<u8") -> bytes:
    file = io.BytesIO()
    npy.write_array_header_1_0(file, {"shape": shape, "fortran_order": False, "descr": descr})
    return file.getvalue()


HOSTILE_ARRAYS = {
    "a terabyte": header((2**40,)),
    "more than there is": header((100,)) + bytes(8),
    "less than there is": header((1,)) + bytes(800),
    "sides that overflow": header((2**62, 2**62)),
    "negative": header((1,)).replace(b"(1,), }", b"(-1,),}") + bytes(8),
    "objects": header((1,), "|O") + b"cos\nsystem\n(S'true'\ntR.",
    "not an array": b"\x93NUMPY",
    "nested": b"\x93NUMPY\x01\x00" + (9000).to_bytes(2, "little") + b"(" * 9000,
    "text": b"a,b\n",
    "nothing": b"",
    "not in a row": header((2, 2)) + bytes(32),
}


@pytest.mark.parametrize("name", HOSTILE_ARRAYS)
def test_a_hostile_list_of_seen_photos_is_a_sentence(name: str, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(HOSTILE_ARRAYS[name])
    refused(lambda: were_seen(tmp_path, []), ExportError, rf"{NAME} is damaged.*Export the model again")


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def test_arrays_are_read_as_numpy_reads_them(tmp_path: Path) -> None:
    arrays = {
        "a": np.arange(6.0).reshape(2, 3), "b": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "c": np.array("text"), "d": np.zeros((0, 3)), "e": np.array(3.5, ">f4"),
    }  # fmt: skip
    (tmp_path / "x.npz").write_bytes(npz(**arrays))
    read = read_npz(tmp_path / "x.npz", 2**20)
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].dtype == array.dtype
        np.save(tmp_path / "x.npy", array)
        np.testing.assert_array_equal(read_npy(tmp_path / "x.npy"), array)
    read["a"][0] = 1  # it may be written to
    with pytest.raises(ForeignFileError, match="it may have"):
        read_npz(tmp_path / "x.npz", 200)


def test_a_bomb_of_a_checkpoint_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    path.write_bytes(npz(**{"retrain-checkpoint": np.array('{"format_version": 1}'), "0/x": np.zeros(2**28)}))
    refused(lambda: read_checkpoint(path), CheckpointError, r"c\.npz is damaged")
    for text in ('{"format_version": 1, "fits": [3]}', '{"format_version": 1, "origin": []}', "[" * 10**5, "3"):
        with open(path, "wb") as file:
            np.savez(file, **{"retrain-checkpoint": np.array(text)})
        refused(lambda: read_checkpoint(path), CheckpointError, r"c\.npz is damaged")


# Tables


@pytest.mark.parametrize("read", [list_photos, read_fixes], ids=["photos", "fixes"])
@pytest.mark.parametrize(
    "beginning", [b"", b"path,label\na.jpg,x\n", b'file,action\n"', b'file,action\n"' + b"a\n" * 10**6]
)
def test_a_table_of_three_gigabytes_takes_no_memory(
    beginning: bytes, read: Callable[[Path], Any], tmp_path: Path
) -> None:
    table = tmp_path / "photos.csv"
    table.write_bytes(beginning)
    os.truncate(table, 3 * 2**30)  # what follows takes no place on the disk
    refused(lambda: read(table), DatasetError, r"photos\.csv")


def test_tables_of_very_many_columns_or_members_take_no_memory(tmp_path: Path) -> None:
    wide = json.dumps({f"{number}": 1 for number in range(80_000)})
    long = json.dumps({"path": "a.jpg", "label": "x", "box": [7] * 300_000})
    for name, text in {
        "wide.csv": f"{'a,' * 500_000}\n" * 9,
        "wide.jsonl": f"{wide}\n" * 3,
        "long.jsonl": f"{long}\n" * 20,
    }.items():
        (tmp_path / name).write_text(text)
        refused(lambda name=name: list_photos(tmp_path / name), DatasetError, name)
    column = pa.array([[7] * 2**16] * 500, pa.list_(pa.int8()))
    pq.write_table(pa.table({"path": ["a.jpg"] * 500, "label": ["x"] * 500, "box": column}), tmp_path / "t.parquet")
    refused(lambda: list_photos(tmp_path / "t.parquet"), DatasetError, r"t\.parquet: no photo in column path")


def test_a_quotation_mark_that_is_not_closed_is_named_by_its_line(tmp_path: Path) -> None:
    table = tmp_path / "photos.csv"
    table.write_text("path,label\na.jpg,x\n" + 'b","' * 10**6)
    refused(lambda: list_photos(table), DatasetError, r"photos\.csv, line \d+")


@pytest.mark.parametrize(
    "line", ["[" * 100_000, '{"file_name": "\\ud800", "label": 1}', "x" * 2**21, '{"label": 1e999}']
)
def test_lines_of_json_that_no_one_meant(line: str, tmp_path: Path) -> None:
    (tmp_path / "metadata.jsonl").write_text(f"{line}\n")
    refused(lambda: list_photos(tmp_path, tmp_path / "b"), DatasetError, r"metadata\.jsonl, line 1")


# Parquet


def parquet(path: Path, images: Any, **options: Any) -> Path:
    table = pa.table({"image": images, "label": pa.array(["a", "b"] * (len(images) // 2))})
    pq.write_table(table, path, **options)
    return path


def test_a_cell_of_600_megabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = parquet(tmp_path / "x.parquet", pa.array([bytes(600 * 2**20), b""]), compression="zstd")
    assert path.stat().st_size < 2**20
    refused(lambda: list_photos(path, tmp_path / "b"), DatasetError, r"x\.parquet is not read: its column image")


def test_a_cell_that_is_repeated_is_read_row_by_row(tmp_path: Path) -> None:
    cell = pa.DictionaryArray.from_arrays(pa.array([0] * 200, pa.int32()), pa.array([os.urandom(2**24)]))
    path = parquet(tmp_path / "x.parquet", cell, use_dictionary=True)
    assert path.stat().st_size < 2**25

    def read() -> None:
        from retrain.photos.sources.parquet_file import batches, opened_parquet

        with opened_parquet(path) as file:
            rows = [batch.num_rows for batch in batches(file, path, ["image"], 64)]
        assert sum(rows) == 200 and max(rows) <= 8

    assert peak_memory(read) < 2**29


def test_texts_in_parquet_that_are_no_utf8_are_a_sentence(tmp_path: Path) -> None:
    labels = pa.array([b"\xff", b"\xfe"]).view(pa.string())
    pq.write_table(pa.table({"image": pa.array([b"x", b"y"]), "label": labels}), tmp_path / "x.parquet")
    refused(lambda: list_photos(tmp_path / "x.parquet", tmp_path / "b"), RetrainError, r"x\.parquet")


# HDF5


def external(file: h5py.File, other: Path) -> None:
    file["a"] = h5py.ExternalLink(str(other), "/secret")


def soft(file: h5py.File, other: Path) -> None:
    file["a"] = h5py.SoftLink("/b")


def virtual(file: h5py.File, other: Path) -> None:
    layout = h5py.VirtualLayout((3,), "f4")
    layout[:] = h5py.VirtualSource(str(other), "secret", (3,))
    file.create_virtual_dataset("a", layout)


def stored_outside(file: h5py.File, other: Path) -> None:
    file.create_dataset("a", (3,), "f4", external=[(str(other), 0, 12)])


def never_written(file: h5py.File, other: Path) -> None:
    file.create_dataset("a", (2**40,), "f4", chunks=(2**20,))


def packed(file: h5py.File, other: Path) -> None:
    file.create_dataset("a", data=np.zeros(2**27, np.float32), compression="gzip")


def words(file: h5py.File, other: Path) -> None:
    file["a"] = ["text"]


@pytest.mark.parametrize("make", [external, soft, virtual, stored_outside, never_written, packed, words])
def test_weights_that_reach_for_other_files_or_hold_too_much(make: Callable[..., None], tmp_path: Path) -> None:
    from retrain.backbones.network import load_network

    other, path = tmp_path / "other.h5", tmp_path / "x.weights.h5"
    with h5py.File(other, "w") as file:
        file["secret"] = np.ones(3, np.float32)
    with h5py.File(path, "w") as file:
        make(file.create_group("layers"), other)
    refused(lambda: check_hdf5(path, 2**24), ForeignFileError, "elsewhere|more numbers|instead of numbers")
    backbone = find_backbone("mobilenet_0.25_128", tmp_path, str(path))
    with pytest.raises(BackboneError, match=r"x\.weights\.h5 of mobilenet_0\.25_128 cannot be used: the file"):
        load_network(backbone)


def test_a_group_that_holds_itself_ends(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["a/b"] = np.ones(3, np.float32)
        file["a/c"] = file["a"]
    check_hdf5(tmp_path / "x.h5", 12)
    with pytest.raises(ForeignFileError, match="more numbers"):
        check_hdf5(tmp_path / "x.h5", 11)


# ONNX

onnx = pytest.importorskip("onnx")


def onnx_model(path: Path, texts: bool = True, where: str = "initializer") -> Path:
    """A model that adds three numbers from another file, which lies in the folder above."""
    from onnx import TensorProto, helper

    tensor = TensorProto(name="w", dims=[3], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../secret.bin")
    (path.parent.parent / "secret.bin").write_bytes(np.ones(3, np.float32).tobytes())
    nodes, weights = [helper.make_node("Add", ["image", "w"], ["scores"])], [tensor]
    if where == "constant":
        nodes, weights = [helper.make_node("Constant", [], ["w"], value=tensor), *nodes], []
    if where == "branch":
        inner = helper.make_graph(nodes, "g", [], [helper.make_tensor_value_info("scores", 1, [3])], weights)
        nodes, weights = [helper.make_node("If", ["c"], ["scores"], then_branch=inner, else_branch=inner)], []
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [3]) for name in ("image", "scores")]
    model = helper.make_model(helper.make_graph(nodes, "g", values[:1], values[1:], weights), ir_version=8)
    if where == "function":
        model.graph.ClearField("initializer")
        model.functions.add(name="f").node.add(op_type="Constant").attribute.add(name="value", type=4).t.CopyFrom(
            tensor
        )
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("where", ["initializer", "constant", "branch", "function"])
def test_an_onnx_model_that_takes_numbers_from_other_files_is_refused(where: str, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    path = onnx_model(tmp_path / "model" / "x.onnx", where=where)
    with pytest.raises(ModelError, match=r"x\.onnx was not run: it takes some of its numbers from other files"):
        load_model(path)


def test_numbers_written_in_another_way_do_not_hide_them(tmp_path: Path) -> None:
    """Of a field's number, readers of 32 bits take the lower bits; `location` may come second, or be split in two."""
    tensor = b"\x72\x01\x01"  # a location with the wrong type is not passed over either
    for field in (b"\x70\x01", b"\x70\x81\x00", tensor, b"\x6a\x00"):
        graph = b"\x2a" + bytes([len(field)]) + field
        (tmp_path / "x.onnx").write_bytes(b"\x3a" + bytes([len(graph)]) + graph)
        with pytest.raises(ModelError, match="other files"):
            check_onnx(tmp_path / "x.onnx")
    for data in (b"\xba\x80\x80\x80\x10\x00", b"\x3b\x3c", b"\x3a\x7f", b"\x38\x01", b"\x3a", b"\xff" * 20):
        (tmp_path / "x.onnx").write_bytes(data)
        with pytest.raises(ModelError, match="not an ONNX model"):
            check_onnx(tmp_path / "x.onnx")


def test_texts_of_an_onnx_model_that_are_no_utf8_are_a_sentence(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [3]) for name in ("image", "scores")]
    graph = helper.make_graph([helper.make_node("Relu", ["image"], ["scores"])], "g", values[:1], values[1:])
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 18)])
    helper.set_model_props(model, {"model.json": "ABCDEFGH"})
    (tmp_path / "x.onnx").write_bytes(
        model.SerializeToString().replace(b"ABCDEFGH", b"\xff\xfe\xfd\xfc\xff\xfe\xfd\xfc")
    )
    with pytest.raises(ModelError, match=r"x\.onnx"):
        load_model(tmp_path / "x.onnx")
