"""Steps that several runs share."""

from retrain.backbones.backbone import Backbone
from retrain.backbones.backbone_config import BackboneConfig
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.core.progress import SILENT, Progress


def choose_backbone(asked: BackboneConfig, extraction: ExtractionConfig, progress: Progress = SILENT) -> Backbone:
    """The backbone that is asked for, with its weights at hand and its precision chosen."""
    extraction.choose_precision()  # what is not there is refused before anything is downloaded
    backbone = extraction.computed_and_kept(asked.find(progress))
    progress.say(f"Backbone: {backbone.describe()}.")
    return backbone
