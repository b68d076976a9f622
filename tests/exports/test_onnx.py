import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from label_image.heatmap import find_tflite
from label_image.installing import how_to_install
from label_image.model import ModelError, load_model, saved_model_runner
from label_image.runtimes import load_onnx
from retrain.core.errors import ExportError
from retrain.exports.formats.onnx import write_onnx

onnx = pytest.importorskip("onnx")
PIXELS = np.random.default_rng(0).integers(0, 256, (19, 8, 8, 3), np.uint8)


@pytest.fixture(scope="module")
def made(small_export: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    write_onnx(small_export, path, json.loads((small_export / "model.json").read_text(encoding="utf-8")))
    return path


@pytest.mark.parametrize("photos", [1, 5, 19])
def test_it_answers_like_the_saved_model_on_any_number_of_photos(made: Path, small_export: Path, photos: int) -> None:
    said, expected = load_onnx(made)[0](PIXELS[:photos]), saved_model_runner(small_export)(PIXELS[:photos])
    assert said.probabilities.shape == (photos, 3) and np.ptp(expected.probabilities) > 0.1
    assert np.allclose(said.probabilities, expected.probabilities, atol=1e-5)
    assert said.similarity is not None and expected.similarity is not None
    assert np.allclose(said.similarity, expected.similarity, atol=1e-5)


def test_its_tensors_have_names(made: Path) -> None:
    graph = onnx.load(made).graph
    assert [value.name for value in graph.input] == ["image"]
    assert {value.name for value in graph.output} == {"scores", "similarity"}


def test_labels_and_threshold_are_in_the_file(made: Path, small_manifest: dict[str, object], tmp_path: Path) -> None:
    alone = tmp_path / "alone.onnx"
    alone.write_bytes(made.read_bytes())
    model = load_model(alone)
    assert (list(model.labels), model.threshold) == (small_manifest["labels"], 0.5)
    texts = {entry.key: entry.value for entry in onnx.load(alone).metadata_props}
    assert texts["labels.txt"].split("\n") == [*model.labels, ""]


def test_an_export_folder_may_hold_nothing_else(made: Path, small_export: Path, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(made.read_bytes())
    (tmp_path / "model.json").write_bytes((small_export / "model.json").read_bytes())
    assert load_model(tmp_path).run(PIXELS[:1]).probabilities.shape == (1, 3)


@pytest.mark.parametrize("package", ["tf2onnx", "onnx"])
def test_missing_package_is_a_sentence(
    package: str, small_export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ExportError, match=re.escape(f"needs {package}: {how_to_install('export')}.")):
        write_onnx(small_export, tmp_path / "model.onnx", {"labels": []})


def test_missing_runtime_is_a_sentence(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelError, match=re.escape(f"needs onnxruntime: {how_to_install('export')}.")):
        load_model(made)


def test_heat_map_is_refused_with_a_sentence(made: Path) -> None:
    with pytest.raises(ModelError, match=r"has no heat map: it is read from a model\.tflite"):
        find_tflite(made)


@pytest.mark.parametrize("damage", ["cut", "no manifest", "not a model"])
def test_file_that_cannot_be_used_is_a_sentence(damage: str, made: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    if damage == "cut":
        path.write_bytes(made.read_bytes()[:-1000])
    elif damage == "no manifest":
        model = onnx.load(made)
        del model.metadata_props[:]
        onnx.save(model, path)
    else:
        path.write_bytes(b"not a model" * 99)
    with pytest.raises(ModelError, match=r"model\.onnx c"):
        load_model(path)


def test_conversion_that_fails_is_a_sentence_and_leaves_no_file(
    small_export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise ValueError("an op that ONNX does not have\nand more")

    monkeypatch.setattr("tf2onnx.convert.from_graph_def", fail)
    with pytest.raises(ExportError, match=r"model.onnx cannot be made: an op that ONNX does not have$"):
        write_onnx(small_export, tmp_path / "model.onnx", {"labels": []})
    assert not (tmp_path / "model.onnx").exists()
