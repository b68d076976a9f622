"""The way in to all sources: what is no source, and what is imported."""

import subprocess
import sys
from pathlib import Path

import pytest
from shades import save

from retrain.core.errors import DatasetError
from retrain.photos.opening import list_photos


@pytest.mark.parametrize("source", ["nowhere", "nowhere.parquet", "nowhere.csv"])
def test_a_source_that_does_not_exist(source: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nowhere.*check `image_dir`\."):
        list_photos(tmp_path / source, tmp_path / "bottlenecks")


def test_class_folders_need_no_tensorflow_datasets(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        save(tmp_path / name / "1.png", 5)
    code = (
        "import sys; from retrain.photos.opening import list_photos; list_photos(sys.argv[1], 'b'); "
        "print({'tensorflow', 'tensorflow_datasets'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
