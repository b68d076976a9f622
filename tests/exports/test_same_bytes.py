"""The same model is the same file, whatever a process did before and however it orders its sets."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from retrain.exports.formats.coreml import write_coreml
from retrain.exports.formats.onnx import write_onnx
from retrain.exports.formats.tfjs import write_tfjs

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_same_bytes import write_all
write_all(Path(sys.argv[2]), Path(sys.argv[3]))
"""


def write_all(export: Path, folder: Path, order: int = 1) -> None:
    """In the opposite order if `order` is -1: what a converter counts is then further on, or less far."""
    manifest = json.loads((export / "model.json").read_text(encoding="utf-8"))
    folder.mkdir()
    writers = [
        lambda: write_coreml(export, folder / "half.mlpackage", manifest, float16=True),
        lambda: write_coreml(export, folder / "model.mlpackage", manifest),
        lambda: write_tfjs(export, folder / "tfjs", manifest),
        lambda: write_onnx(export, folder / "model.onnx", manifest),
    ]
    for write in writers[::order]:
        write()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.filterwarnings("ignore")  # coremltools is written for older versions of what it meets
def test_every_format_is_the_same_bytes_in_another_process(small_export: Path, tmp_path: Path) -> None:
    pytest.importorskip("coremltools")
    pytest.importorskip("tf2onnx")
    command = [sys.executable, "-c", PROGRAM, Path(__file__).parent, small_export, tmp_path / "other"]
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True, env=environment)
    write_all(small_export, tmp_path / "this", -1)
    this, other = contents(tmp_path / "this"), contents(tmp_path / "other")
    assert len(this) >= 7 and this.keys() == other.keys()
    assert [name for name in this if this[name] != other[name]] == []
