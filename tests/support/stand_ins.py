"""Bottlenecks that no backbone made, and an export that writes nothing."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from retrain.backbones.backbone import Backbone, find_backbone
from retrain.bottlenecks.bottlenecks import Bottlenecks
from retrain.bottlenecks.extraction import Extraction
from retrain.cli.configs import train_config
from retrain.cli.train import train
from retrain.core.progress import SILENT, Silent
from retrain.exports.export_config import ExportConfig
from retrain.exports.writer import Exported
from retrain.photos.dataset import Dataset
from retrain.runs.evaluate import EvaluateConfig, Evaluation, evaluate_export
from retrain.runs.export import ConvertConfig, Report, export_model
from retrain.runs.train import TrainConfig
from retrain.training.trained import TrainedHead

Say = Callable[[str], None]


def bottlenecks_of(
    extraction: Extraction,
    labels: Sequence[str],
    views: np.ndarray | None = None,
    source: str = "pets",
    backbone: Backbone | None = None,
) -> Bottlenecks:
    """An extraction as the bottlenecks of a data set; `views` are those of all views, by default the photos alone."""
    backbone = backbone or find_backbone("fake", Path("unused"))
    matrix = extraction.matrix if views is None else views
    return Bottlenecks(Dataset((), source=source), backbone, extraction, matrix, tuple(labels))


def with_bottlenecks(trained: TrainedHead, extraction: Extraction) -> TrainedHead:
    """A head as if it had been trained on these bottlenecks."""
    known = replace(trained.bottlenecks, extraction=extraction, views=extraction.matrix)
    return replace(trained, bottlenecks=known)


def no_export(trained: TrainedHead, config: ExportConfig, *others: object) -> Exported:
    """In place of `write_outputs`, which takes long."""
    return Exported(config.output_dir, (), {})


def asked(image_dir: Path | str = "photos", **options: object) -> TrainConfig:
    """What a run is asked to do by these options of the command line, with its defaults."""
    defaults = train.make_context("train", ["--image_dir", str(image_dir)]).params
    return train_config({**defaults, **options})


class Said(Silent):
    """Tells these alone: what is said, and how many photos are unpacked."""

    def __init__(self, say: Say = SILENT.say, unpacking: Callable[[int, int], None] = SILENT.unpacking) -> None:
        self.say = say  # type: ignore[method-assign]
        self.unpacking = unpacking  # type: ignore[method-assign]


def evaluated(model: Path, data: str, bottleneck_dir: Path, say: Say = SILENT.say, **more: Any) -> Evaluation:
    """What `retrain evaluate` finds out."""
    return evaluate_export(EvaluateConfig(model, data, bottleneck_dir, **more), Said(say))


def converted(
    model: Path, formats: Sequence[str], image_dir: str, bottleneck_dir: Path, say: Say = SILENT.say, **more: Any
) -> Report:
    """What comes of `retrain export`."""
    return export_model(ConvertConfig(model, tuple(formats), image_dir, bottleneck_dir, **more), Said(say))
