import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from label_image.model import ModelError
from retrain.core.errors import ExportError
from retrain.exports.formats import tfjs
from retrain.exports.formats.base import Source
from retrain.exports.formats.tfjs import read_weights, tfjs_runner, write_tfjs

PIXELS = np.random.default_rng(0).integers(0, 256, (19, 8, 8, 3), np.uint8)


@pytest.fixture(scope="module")
def made(exported: Path) -> Path:
    return exported / "tfjs"


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "tfjs")


def model_of(folder: Path) -> dict:
    return json.loads((folder / "model.json").read_text(encoding="utf-8"))


def test_model_json_is_what_tensorflow_js_reads(made: Path, exported: Path) -> None:
    """As tfjs-core's `ModelJSON` and tfjs-converter's operation mapper have it."""
    model = model_of(made)
    assert model["format"] == "graph-model"
    tensor = model["signature"]["inputs"]["image"]
    assert tensor["dtype"] == "DT_FLOAT"
    assert [side["size"] for side in tensor["tensorShape"]["dim"]] == ["-1", "8", "8", "3"]
    nodes = {node["name"]: node for node in model["modelTopology"]["node"]}
    for tensors in model["signature"].values():
        assert {value["name"].removesuffix(":0") for value in tensors.values()} <= {*nodes}
    constants = {name for name, node in nodes.items() if node["op"] == "Const"}
    (group,) = model["weightsManifest"]
    assert {weight["name"] for weight in group["weights"]} == constants
    assert not any("value" in nodes[name]["attr"] for name in constants)
    assert {weight["dtype"] for weight in group["weights"]} <= {"float32", "int32", "bool"}
    manifest = json.loads((exported / "model.json").read_text(encoding="utf-8"))
    del manifest["parity"], manifest["template"], manifest["formats"]
    assert model["userDefinedMetadata"]["model.json"] == manifest


def test_weights_are_split_into_files_of_one_size(
    small_source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tfjs(small_source, made := tmp_path / "tfjs")
    monkeypatch.setattr(tfjs, "SHARD", 50)  # not a multiple of 4: a value may be in two files
    write_tfjs(small_source, tmp_path / "split")
    files = sorted((tmp_path / "split").glob("*.bin"))
    assert len(files) > 1 and {path.stat().st_size for path in files[:-1]} == {50}
    assert files[0].name == f"group1-shard1of{len(files)}.bin"
    expected = read_weights(made, model_of(made))
    weights = read_weights(tmp_path / "split", model_of(tmp_path / "split"))
    assert weights.keys() == expected.keys()
    assert all(np.array_equal(weights[name], expected[name]) for name in expected)


def test_another_weight_is_another_answer(copy: Path) -> None:
    """What the runner proves: the files are what answers."""
    before = tfjs_runner(copy)(PIXELS).probabilities
    (shard,) = copy.glob("*.bin")
    data = np.frombuffer(shard.read_bytes(), np.uint8).copy()
    data.view("<f4")[data.view("<f4") > 0.5] *= 2
    shard.write_bytes(data.tobytes())
    assert np.abs(tfjs_runner(copy)(PIXELS).probabilities - before).max() > 0.01


DAMAGES = {
    "no model.json": lambda folder: (folder / "model.json").unlink(),
    "no weights": lambda folder: next(folder.glob("*.bin")).unlink(),
    "cut weights": lambda folder: next(folder.glob("*.bin")).write_bytes(b"1234"),
    "more weights": lambda folder: next(folder.glob("*.bin")).write_bytes(b"1234" * 999),
    "not JSON": lambda folder: (folder / "model.json").write_text("{"),
    "no topology": lambda folder: (folder / "model.json").write_text("{}"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_a_sentence(damage: str, copy: Path) -> None:
    DAMAGES[damage](copy)
    with pytest.raises(ModelError, match="cannot be loaded"):
        tfjs_runner(copy)


@pytest.mark.parametrize("values", [np.array([2**40]), np.array([b"text"]), np.array([1.0])])
def test_constant_that_has_no_type_there_is_refused(values: np.ndarray) -> None:
    with pytest.raises(ExportError, match="no type for axis"):
        tfjs._storable("axis", values)


def test_numbers_of_64_bits_that_fit_are_kept_in_32() -> None:
    stored = tfjs._storable("axis", np.array([1, -1], np.int64))
    assert stored.dtype == np.int32 and stored.tolist() == [1, -1]


def test_a_single_number_stays_one() -> None:
    """The axis of a concatenation must not become a list of one axis."""
    assert tfjs._storable("axis", np.array(3, np.int32)).shape == ()
