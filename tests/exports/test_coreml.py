import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from label_image.installing import how_to_install
from label_image.model import ModelError, saved_model_runner
from retrain.core.errors import ExportError
from retrain.exports.formats.coreml import SPECIFICATION, coreml_runner, write_coreml

pytest.importorskip("coremltools")
PIXELS = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)
# coremltools is written for older versions of what it meets.
pytestmark = pytest.mark.filterwarnings("ignore")


def make(small_export: Path, package: Path, float16: bool = False) -> Path:
    manifest = json.loads((small_export / "model.json").read_text(encoding="utf-8"))
    write_coreml(small_export, package, manifest, float16)
    return package


@pytest.fixture(scope="module")
def made(small_export: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(small_export, tmp_path_factory.mktemp("coreml") / "model.mlpackage")


def specification_of(package: Path) -> object:
    from coremltools.proto.Model_pb2 import Model

    return Model.FromString((package / SPECIFICATION).read_bytes())


def test_its_program_answers_like_the_saved_model(made: Path, small_export: Path) -> None:
    said, expected = coreml_runner(made)(PIXELS), saved_model_runner(small_export)(PIXELS)
    assert np.ptp(expected.probabilities) > 0.1
    assert np.allclose(said.probabilities, expected.probabilities, atol=1e-5)
    assert said.similarity is not None and expected.similarity is not None
    assert np.allclose(said.similarity, expected.similarity, atol=1e-5)


def test_float16_answers_nearly_so_and_is_float16(small_export: Path, tmp_path: Path) -> None:
    package = make(small_export, tmp_path / "half.mlpackage", float16=True)
    said, expected = coreml_runner(package)(PIXELS), saved_model_runner(small_export)(PIXELS)
    assert 1e-6 < np.abs(said.probabilities - expected.probabilities).max() < 0.01
    assert said.similarity is not None and expected.similarity is not None
    assert np.allclose(said.similarity, expected.similarity, atol=0.01)


@pytest.mark.parametrize("float16", [False, True])
def test_it_is_a_classifier_of_images(
    float16: bool, made: Path, small_export: Path, tmp_path: Path, small_manifest: dict[str, object]
) -> None:
    package = make(small_export, tmp_path / "half.mlpackage", True) if float16 else made
    description = specification_of(package).description
    (image,) = description.input
    assert image.name == "image"
    assert (image.type.imageType.width, image.type.imageType.height) == (8, 8)
    assert image.type.imageType.ColorSpace.Name(image.type.imageType.colorSpace) == "RGB"
    kinds = {output.name: output.type.WhichOneof("Type") for output in description.output}
    expected = {"classLabel": "stringType", "classLabel_probs": "dictionaryType", "similarity": "multiArrayType"}
    assert kinds == expected
    assert description.predictedFeatureName == "classLabel"
    assert description.predictedProbabilitiesName == "classLabel_probs"
    texts = description.metadata.userDefined
    assert json.loads(texts["model.json"]) == small_manifest
    assert texts["labels.txt"].split("\n") == [*small_manifest["labels"], ""]


def test_labels_in_another_order_are_noticed(made: Path, tmp_path: Path) -> None:
    package = shutil.copytree(made, tmp_path / "other.mlpackage")
    specification = specification_of(package)
    manifest = json.loads(specification.description.metadata.userDefined["model.json"])
    manifest["labels"].reverse()
    specification.description.metadata.userDefined["model.json"] = json.dumps(manifest)
    (package / SPECIFICATION).write_bytes(specification.SerializeToString())
    with pytest.raises(ModelError, match="other labels"):
        coreml_runner(package)


def test_an_op_that_is_not_known_is_never_passed_over(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from retrain.exports.proof import mil

    monkeypatch.setattr(mil, "OPS", {name: op for name, op in mil.OPS.items() if name != "softmax"})
    with pytest.raises(ModelError, match="the op softmax of Core ML is not known"):
        coreml_runner(made)


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_damaged_package_is_a_sentence(damage: str, made: Path, tmp_path: Path) -> None:
    package = shutil.copytree(made, tmp_path / "damaged.mlpackage")
    if damage == "cut":
        (package / SPECIFICATION).write_bytes((made / SPECIFICATION).read_bytes()[:-99])
    else:
        (package / SPECIFICATION).unlink()
    with pytest.raises(ModelError, match="cannot be loaded"):
        coreml_runner(package)


def test_missing_package_is_a_sentence(small_export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "coremltools", None)
    with pytest.raises(ExportError, match=re.escape(how_to_install("export"))):
        write_coreml(small_export, tmp_path / "model.mlpackage", {"labels": []})


def test_conversion_that_fails_is_a_sentence_and_leaves_nothing(
    small_export: Path, tmp_path: Path, small_manifest: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise ValueError("an op that Core ML does not have\nand more")

    monkeypatch.setattr("coremltools.convert", fail)
    with pytest.raises(ExportError, match=r"model\.mlpackage cannot be made: an op that Core ML does not have$"):
        write_coreml(small_export, tmp_path / "model.mlpackage", small_manifest)
    assert not (tmp_path / "model.mlpackage").exists()
