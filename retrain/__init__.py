"""Retrain an image classifier on a folder of photos per class, with cached bottlenecks.

The names below are the Python API; docs/api.md shows them at work. Importing this package imports neither
TensorFlow nor anything else that is slow: they are loaded when they are first used.
"""

from importlib import import_module

TYPE_CHECKING = False  # that of `typing`, which is slow to import
if TYPE_CHECKING:
    from retrain.api import Bottlenecks, TrainedHead, evaluate, export, extract, fit_head
    from retrain.backbones.backbone import Backbone
    from retrain.backbones.registry import ARCHITECTURES
    from retrain.core.errors import RetrainError
    from retrain.photos.opening import Dataset
    from retrain.photos.split import Division
    from retrain.training.head import Head
    from retrain.training.metrics import Metrics

_HOMES = {
    "api": ("Bottlenecks", "TrainedHead", "evaluate", "export", "extract", "fit_head"),
    "backbones.backbone": ("Backbone",),
    "backbones.registry": ("ARCHITECTURES",),
    "core.errors": ("RetrainError",),
    "photos.opening": ("Dataset",),
    "photos.split": ("Division",),
    "training.head": ("Head",),
    "training.metrics": ("Metrics",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "ARCHITECTURES",
    "Backbone",
    "Bottlenecks",
    "Dataset",
    "Division",
    "Head",
    "Metrics",
    "RetrainError",
    "TrainedHead",
    "evaluate",
    "export",
    "extract",
    "fit_head",
]


def __getattr__(name: str) -> object:
    if name in _HOME_OF:
        return getattr(import_module(f"retrain.{_HOME_OF[name]}"), name)
    raise AttributeError(f"module 'retrain' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
