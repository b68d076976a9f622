"""Which backbone: what is asked for, and the network with its weights that comes of it."""

from dataclasses import dataclass
from pathlib import Path

from retrain.backbones.backbone import Backbone, Weights, find_backbone
from retrain.backbones.registry import DEFAULT_ARCHITECTURE
from retrain.core.defaults import MODEL_DIR, SEED
from retrain.core.errors import OptionError
from retrain.core.progress import SILENT, Progress


@dataclass(frozen=True)
class BackboneConfig:
    """An architecture of the registry, by default DEFAULT_ARCHITECTURE, or a TF-Hub module.

    `weights` are those that `find_backbone` takes, random ones made from `seed`. A module or SavedModel that could do
    more than compute runs only with `trust_model`. Raises OptionError for what does not go together.
    """

    architecture: str | None = None
    weights: Weights = None
    tfhub_module: str | None = None
    trust_model: bool = False
    image_size: int | None = None
    model_dir: Path = Path(MODEL_DIR)
    seed: int = SEED

    def __post_init__(self) -> None:
        if self.tfhub_module is not None and self.architecture is not None:
            raise OptionError(
                f"`tfhub_module` is a backbone of its own, as is `architecture` {self.architecture}: "
                "leave one of them out."
            )
        if self.tfhub_module is None and self.architecture is None and self.weights not in (None, "random"):
            raise OptionError("`weights` needs `architecture`: say which network the weights are for.")

    def find(self, progress: Progress = SILENT) -> Backbone:
        """The backbone in float32, its weights at hand. Raises OptionError, BackboneError or DownloadError."""
        if self.tfhub_module is not None:
            from retrain.backbones.hub import hub_backbone

            return hub_backbone(self.tfhub_module, self.image_size, self.trust_model)
        name = self.architecture or DEFAULT_ARCHITECTURE
        return find_backbone(name, self.model_dir, self.weights, self.image_size, self.seed, progress.downloading)
