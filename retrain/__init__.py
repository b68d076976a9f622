"""Retrain an image classifier on a folder of photos per class, with cached bottlenecks.

The names below are the Python API; docs/api.md shows them at work. Importing this package imports neither
TensorFlow nor anything else that is slow: they are loaded when they are first used.
"""

from importlib import import_module

TYPE_CHECKING = False  # that of `typing`, which is slow to import
if TYPE_CHECKING:
    from retrain.api import Bottlenecks, TrainedHead, evaluate, export, extract, fit_head
    from retrain.architectures import ARCHITECTURES
    from retrain.backbones import Backbone
    from retrain.dataset import Dataset
    from retrain.errors import RetrainError
    from retrain.head import Head
    from retrain.metrics import Metrics
    from retrain.split import Division

_HOMES = {
    "api": ("Bottlenecks", "TrainedHead", "evaluate", "export", "extract", "fit_head"),
    "architectures": ("ARCHITECTURES",),
    "backbones": ("Backbone",),
    "dataset": ("Dataset",),
    "errors": ("RetrainError",),
    "head": ("Head",),
    "metrics": ("Metrics",),
    "split": ("Division",),
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
