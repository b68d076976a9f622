"""A studio over painted photos, seen by the average-colour network."""

from pathlib import Path

from painting import paint_classes

from retrain.backbones.backbone_config import BackboneConfig
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.photos.split import SplitConfig
from retrain.studio.config import StudioConfig
from retrain.studio.listing import list_folder
from retrain.studio.seeing import Eye, Seen
from retrain.training.confidence import with_confidence
from retrain.training.train_head import train_head
from retrain.training.trained import TrainedHead

COLOURS = ("red", "green", "blue")


def studio_in(room: Path, photos: int = 12) -> StudioConfig:
    """A studio over `photos` in a room, with so many photos of each of three colours."""
    folder = paint_classes(room / "photos", {name: name for name in COLOURS}, range(photos))
    return StudioConfig(
        folder=folder,
        output_dir=room / "photos_model",
        backbone=BackboneConfig(architecture="fake", model_dir=room / "m"),
        extraction=ExtractionConfig(bottleneck_dir=room / "b"),
        host="127.0.0.1",
        port=8000,
        https=False,
        token="token",
        phone_token="phone token",
    )


def seen_in(config: StudioConfig) -> Seen:
    """What is in the folder of a studio now."""
    return Eye(config.backbone, config.extraction).see(list_folder(config.folder))


def trained_on(seen: Seen, config: StudioConfig) -> TrainedHead:
    """A calibrated head of the labelled photos."""
    bottlenecks = seen.labelled(config.extraction)
    assert bottlenecks is not None
    return with_confidence(train_head(bottlenecks, bottlenecks.split(SplitConfig())))
