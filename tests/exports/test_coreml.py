import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from label_image.installing import how_to_install
from label_image.model import ModelError
from retrain.core.errors import ExportError
from retrain.exports.formats.base import Source
from retrain.exports.formats.coreml import SPECIFICATION, coreml_runner, write_coreml

pytest.importorskip("coremltools")
PIXELS = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)
# coremltools is written for older versions of what it meets.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def made(exported: Path) -> Path:
    return exported / "model.mlpackage"


def specification_of(package: Path) -> object:
    from coremltools.proto.Model_pb2 import Model

    return Model.FromString((package / SPECIFICATION).read_bytes())


@pytest.mark.parametrize("file", ["model.mlpackage", "model_float16.mlpackage"])
def test_it_is_a_classifier_of_images(file: str, exported: Path) -> None:
    package = exported / file
    manifest = json.loads((exported / "model.json").read_text(encoding="utf-8"))
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
    assert json.loads(texts["model.json"])["labels"] == manifest["labels"]
    assert texts["labels.txt"].split("\n") == [*manifest["labels"], ""]


def test_float16_is_float16(exported: Path) -> None:
    exact, half = coreml_runner(exported / "model.mlpackage"), coreml_runner(exported / "model_float16.mlpackage")
    assert 1e-6 < np.abs(exact(PIXELS).probabilities - half(PIXELS).probabilities).max() < 0.05


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


def test_missing_package_is_a_sentence(small_source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "coremltools", None)
    with pytest.raises(ExportError, match=re.escape(how_to_install("export"))):
        write_coreml(small_source, tmp_path / "model.mlpackage")


def test_conversion_that_fails_is_a_sentence_and_leaves_nothing(
    small_source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise ValueError("an op that Core ML does not have\nand more")

    monkeypatch.setattr("coremltools.convert", fail)
    with pytest.raises(ExportError, match=r"model\.mlpackage cannot be made: an op that Core ML does not have$"):
        write_coreml(small_source, tmp_path / "model.mlpackage")
    assert not (tmp_path / "model.mlpackage").exists()
