"""What `retrain studio` was told."""

import os
from dataclasses import dataclass
from pathlib import Path

from retrain.backbones.backbone_config import BackboneConfig
from retrain.bottlenecks.extraction_config import ExtractionConfig


@dataclass(frozen=True)
class StudioConfig:
    """`folder` has the photos, a folder for each class; the model goes to `output_dir`, by default beside it.

    The page is served on `host` and `port`, encrypted with `https`; who opens it needs `token`, and phones, which may
    only add photos, `phone_token`; empty ones are those of the folder. Without `lang` the page speaks its browser's
    language. `words` are the options of the command, which the page repeats to who has to start it again.
    """

    folder: Path
    output_dir: Path
    backbone: BackboneConfig
    extraction: ExtractionConfig
    host: str
    port: int
    https: bool
    token: str = ""
    phone_token: str = ""
    lang: str | None = None
    words: tuple[str, ...] = ()


def model_beside(folder: Path) -> Path:
    """Where the model of a folder of photos goes if nothing else is said: `cats_model` beside `cats`."""
    folder = Path(os.path.abspath(folder))  # of `..` there is no name
    return folder.parent / f"{folder.name}_model"
