"""A file of an export is not run beside the manifest of another training, in whatever format it is."""

import json
import shutil
from pathlib import Path

import pytest

from label_image.errors import ModelError
from label_image.model import load_model


@pytest.mark.parametrize("name", ["model.tflite", "model.onnx", "graph.pb"])
def test_the_manifest_in_a_file_is_of_the_training_beside_it(name: str, exported: Path, tmp_path: Path) -> None:
    if not (exported / name).is_file():
        pytest.skip(f"no {name}: a package that writes it is not installed")
    for file in (name, "model.json"):
        shutil.copy(exported / file, tmp_path)
    assert load_model(tmp_path).labels
    content = json.loads((tmp_path / "model.json").read_text())
    content["provenance"]["seed"] = 1
    (tmp_path / "model.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match=f"{name} is of another training than the model.json beside it"):
        load_model(tmp_path)
    assert load_model(tmp_path / name).labels  # alone it is whole
