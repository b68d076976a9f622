"""From the options of a command to the configs of the rooms: fields have the names of their options.

Nothing heavy is imported before a command does something.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pathlib import Path

    from retrain.backbones.backbone_config import BackboneConfig
    from retrain.bottlenecks.extraction_config import ExtractionConfig
    from retrain.photos.layouts.reading import Layout
    from retrain.photos.source import SourceConfig
    from retrain.photos.split import SplitConfig
    from retrain.runs.embedding import EmbeddingConfig
    from retrain.runs.train import TrainConfig

Options = Mapping[str, Any]  # by their names
Config = TypeVar("Config")


def made(config: type[Config], options: Options) -> Config:
    """A config of those options that are among its fields."""
    names = {field.name for field in fields(config)}  # type: ignore[arg-type]
    return config(**{name: value for name, value in options.items() if name in names})


def source_config(options: Options) -> "SourceConfig":
    """Which photos."""
    from retrain.photos.source import SourceConfig

    return made(SourceConfig, options)


def split_config(options: Options) -> "SplitConfig":
    """How they are split."""
    from retrain.photos.split import SplitConfig

    return made(SplitConfig, options)


def backbone_config(options: Options) -> "BackboneConfig":
    """Which network."""
    if options.get("tfhub_module") and options.get("weights"):
        raise click.UsageError("--tfhub_module has its own weights: leave --weights out.")
    from retrain.backbones.backbone_config import BackboneConfig

    return made(BackboneConfig, options)


def extraction_config(options: Options) -> "ExtractionConfig":
    """How bottlenecks are computed, and where they are kept."""
    from retrain.bottlenecks.extraction_config import ExtractionConfig

    return made(ExtractionConfig, options)


def embedding_config(data: "Sequence[Path | str]", layout: "Layout", options: Options) -> "EmbeddingConfig":
    """Whose bottlenecks, where photos need no classes."""
    backbone = backbone_config(options)
    from retrain.photos.augmentation import Augmentation
    from retrain.photos.views import ViewsConfig
    from retrain.runs.embedding import EmbeddingConfig

    views = ViewsConfig(made(Augmentation, options), options.get("views"))
    return EmbeddingConfig(data, backbone, extraction_config(options), views, layout, options["source_dir"])


def train_config(options: Options) -> "TrainConfig":
    """All that a training is asked to do."""
    split = split_config(options)
    backbone = backbone_config(options)
    from retrain.exports.export_config import ExportConfig
    from retrain.photos.augmentation import Augmentation
    from retrain.photos.views import ViewsConfig
    from retrain.runs.train import TrainConfig
    from retrain.training.recipe import HeadConfig

    return TrainConfig(
        source_config(options),
        split,
        backbone,
        extraction_config(options),
        ViewsConfig(made(Augmentation, options), options["views"], options["tta"]),
        made(HeadConfig, options),
        made(ExportConfig, options),
        options["fine_tune_layers"],
        options["compare"],
        options["checkpoint_path"],
        options["resume"],
    )
