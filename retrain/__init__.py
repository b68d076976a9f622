"""Retrain an image classifier on a folder of photos per class, with cached bottlenecks.

The names below are the Python API; docs/api.md shows them at work. Importing this package imports neither
TensorFlow nor anything else that is slow: they are loaded when they are first used.
"""

from importlib import import_module

TYPE_CHECKING = False  # that of `typing`, which is slow to import
if TYPE_CHECKING:
    from retrain.backbones.embedding import Backbone
    from retrain.backbones.registry import ARCHITECTURES
    from retrain.bottlenecks.bottlenecks import Bottlenecks, extract
    from retrain.bottlenecks.extraction_config import ExtractionConfig
    from retrain.core.errors import RetrainError
    from retrain.exports.export_config import ExportConfig
    from retrain.insight.terminal import TerminalScreen
    from retrain.photos.augmentation import Augmentation
    from retrain.photos.division import Division
    from retrain.photos.opening import Dataset
    from retrain.photos.split import SplitConfig
    from retrain.photos.views import ViewsConfig
    from retrain.runs.exporting import Exported, export
    from retrain.runs.photo_classifier import PhotoClassifier
    from retrain.training.fit_head import evaluate, fit_head
    from retrain.training.head import Head
    from retrain.training.metrics import Metrics
    from retrain.training.recipe import HeadConfig
    from retrain.training.trained_head import TrainedHead

_HOMES = {
    "backbones.embedding": ("Backbone",),
    "backbones.registry": ("ARCHITECTURES",),
    "bottlenecks.bottlenecks": ("Bottlenecks", "extract"),
    "bottlenecks.extraction_config": ("ExtractionConfig",),
    "core.errors": ("RetrainError",),
    "exports.export_config": ("ExportConfig",),
    "insight.terminal": ("TerminalScreen",),
    "photos.augmentation": ("Augmentation",),
    "photos.division": ("Division",),
    "photos.opening": ("Dataset",),
    "photos.split": ("SplitConfig",),
    "photos.views": ("ViewsConfig",),
    "runs.exporting": ("Exported", "export"),
    "runs.photo_classifier": ("PhotoClassifier",),
    "training.fit_head": ("evaluate", "fit_head"),
    "training.head": ("Head",),
    "training.metrics": ("Metrics",),
    "training.recipe": ("HeadConfig",),
    "training.trained_head": ("TrainedHead",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "ARCHITECTURES",
    "Augmentation",
    "Backbone",
    "Bottlenecks",
    "Dataset",
    "Division",
    "ExportConfig",
    "Exported",
    "ExtractionConfig",
    "Head",
    "HeadConfig",
    "Metrics",
    "PhotoClassifier",
    "RetrainError",
    "SplitConfig",
    "TerminalScreen",
    "TrainedHead",
    "ViewsConfig",
    "evaluate",
    "export",
    "extract",
    "fit_head",
]


def __getattr__(name: str) -> object:
    if name in _HOME_OF:
        return getattr(import_module(f"retrain.{_HOME_OF[name]}"), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("retrain-photos")
    raise AttributeError(f"module 'retrain' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
