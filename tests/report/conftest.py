from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from retrain.backbones import find_backbone
from retrain.bottlenecks import Extraction
from retrain.confidence import with_confidence
from retrain.dataset import Photo
from retrain.pipeline import Options, Run
from retrain.split import split_photos
from retrain.training import train_head

MakeRun = Callable[..., Run]


def paint(path: Path, colour: Sequence[int], size: tuple[int, int] = (40, 30)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, tuple(int(value) for value in colour)).save(path)
    return path


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """A run over random bottlenecks: `labels` with `each` photos, as far apart as `apart`; painted where asked for."""

    def make(
        labels: Sequence[str], each: int = 12, apart: float = 1.0, painted: bool = False, **options: object
    ) -> Run:
        random = np.random.default_rng(3)
        names = sorted(labels)
        centres = random.normal(0, apart, (len(names), 16))
        photos, rows = [], []
        for index, name in enumerate(names):
            for number in range(each):
                path = tmp_path / "photos" / str(index) / f"{number}.jpg"
                if painted:
                    paint(path, random.integers(0, 256, 3))
                photos.append(Photo(str(path), name, f"{index:030x}{number:034x}"))
                rows.append(np.abs(centres[index] + random.normal(size=16)))
        backbone = find_backbone("fake", tmp_path)
        asked = Options(tmp_path / "photos", output_dir=tmp_path / "model", architecture="fake", **options)
        extraction = Extraction(tuple(photos), np.array(rows, np.float32), (), 0, len(photos), 0, "f", {"read": 0.1})
        division = split_photos(photos, asked.testing_percentage, asked.validation_percentage)
        trained = train_head(extraction, division, tuple(names), asked)
        trained = with_confidence(trained, extraction, division, names)
        written = (asked.output_dir,)
        return Run(asked, backbone, extraction, division, tuple(names), trained, written, {"head": 0.2, "total": 1.5})

    return make
