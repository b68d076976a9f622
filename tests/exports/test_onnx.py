import re
import sys
from pathlib import Path

import numpy as np
import pytest

from label_image.heatmap import find_tflite
from label_image.installing import how_to_install
from label_image.model import ModelError, load_model
from retrain.core.errors import ExportError
from retrain.exports.formats.base import Source
from retrain.exports.formats.onnx import write_onnx

onnx = pytest.importorskip("onnx")
PIXELS = np.random.default_rng(0).integers(0, 256, (19, 8, 8, 3), np.uint8)


@pytest.fixture
def made(exported: Path) -> Path:
    return exported / "model.onnx"


def test_its_tensors_have_names(made: Path) -> None:
    graph = onnx.load(made).graph
    assert [value.name for value in graph.input] == ["image"]
    assert {value.name for value in graph.output} == {"scores", "similarity", "embedding"}


def test_an_export_folder_may_hold_nothing_else(made: Path, exported: Path, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(made.read_bytes())
    (tmp_path / "model.json").write_bytes((exported / "model.json").read_bytes())
    assert load_model(tmp_path).run(PIXELS[:1]).probabilities.shape == (1, 3)


@pytest.mark.parametrize("package", ["tf2onnx", "onnx"])
def test_missing_package_is_a_sentence(
    package: str, small_source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ExportError, match=re.escape(f"needs {package}: {how_to_install('export')}.")):
        write_onnx(small_source, tmp_path / "model.onnx")


def test_a_manifest_that_is_missing_is_a_sentence(made: Path, tmp_path: Path) -> None:
    model = onnx.load(made)
    texts = {entry.key: entry.value for entry in model.metadata_props}
    assert set(texts) == {"labels.txt", "model.json"} and texts["labels.txt"].endswith("\n")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(ModelError, match=r"model\.onnx carries no model\.json"):
        load_model(tmp_path / "model.onnx")


def test_missing_runtime_is_a_sentence(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelError, match=re.escape(f"needs onnxruntime: {how_to_install('export')}.")):
        load_model(made)


def test_heat_map_is_refused_with_a_sentence(made: Path) -> None:
    with pytest.raises(ModelError, match=r"has no heat map: it is read from a model\.tflite"):
        find_tflite(made)


def test_conversion_that_fails_is_a_sentence_and_leaves_no_file(
    small_source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise ValueError("an op that ONNX does not have\nand more")

    monkeypatch.setattr("tf2onnx.convert.from_graph_def", fail)
    with pytest.raises(ExportError, match=r"model.onnx cannot be made: an op that ONNX does not have$"):
        write_onnx(small_source, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()
