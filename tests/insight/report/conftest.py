from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from painting import paint
from stand_ins import asked, bottlenecks_of

from retrain.backbones.backbone import find_backbone
from retrain.bottlenecks.extraction import Extraction
from retrain.exports.writer import Exported
from retrain.photos.dataset import Photo
from retrain.runs.sweep import Configuration, Result, Sweep
from retrain.runs.train import Run
from retrain.training.confidence import with_confidence
from retrain.training.grid import Grid
from retrain.training.metrics import measure
from retrain.training.train_head import train_head

MakeRun = Callable[..., Run]
MakeSweep = Callable[..., Sweep]


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
        config = asked(tmp_path / "photos", output_dir=tmp_path / "model", architecture="fake", **options)
        extraction = Extraction(tuple(photos), np.array(rows, np.float32), (), 0, len(photos), 0, "f", {"read": 0.1})
        bottlenecks = bottlenecks_of(extraction, names, source=str(tmp_path / "photos"), backbone=backbone)
        trained = with_confidence(train_head(bottlenecks, bottlenecks.split(config.how_to_split), config.head))
        exported = Exported(config.export.output_dir, (config.export.output_dir,), {})
        return Run(config, trained, exported, {"head": 0.2, "total": 1.5})

    return make


@pytest.fixture
def make_sweep() -> MakeSweep:
    """The sweep of a grid without any training: each head is worse by 0.01 nats and 1% than the one before it.

    Those with the learning rate 9 diverged. Standard errors of differences to the first are
    0.01 and 0.02.
    """

    def make(
        grid: Grid, labels: Sequence[str] = ("cat", "dog"), tested: int = 40, views: Sequence[int] = (1,)
    ) -> Sweep:
        tried = [
            Configuration(name, recipe, count)
            for recipe in grid.recipes()
            for count in views
            for name in grid.architectures
        ]
        unknown = float("nan")
        results = [
            Result(
                one,
                0.4 + 0.01 * place,
                0.01 * place,
                0.01 if place else 0.0,
                0.995 - 0.01 * place,
                0.02 if place else 0.0,
                0.9 - 0.01 * place,
                0.25,
            )
            for place, one in enumerate(one for one in tried if one.recipe.learning_rate != 9)
        ]
        results += [
            Result(one, float("inf"), unknown, unknown, unknown, unknown, unknown, 0.25)
            for one in tried
            if one.recipe.learning_rate == 9
        ]
        random = np.random.default_rng(3)
        probabilities = random.dirichlet(np.ones(len(labels)), tested).astype(np.float32)
        test = measure(probabilities, random.integers(0, len(labels), tested), labels)
        features = dict.fromkeys(grid.architectures, 1234)
        return Sweep(tuple(results), test, 360, 5, features)

    return make
