"""Retrain an image classifier on a folder of photos per class, with cached bottlenecks.

Importing this package imports neither TensorFlow nor anything else that is slow: the names below
are loaded when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retrain.backbones import ARCHITECTURES, Backbone, find_backbone
    from retrain.bottlenecks import Extraction, extract
    from retrain.dataset import Listing, Photo, list_photos
    from retrain.errors import RetrainError
    from retrain.fitting.mini_batches import fit_mini_batches
    from retrain.head import Fit, Head, Sample, fit_to_convergence
    from retrain.images import Preprocessing, load_pixels
    from retrain.metrics import Metrics, measure, wilson_interval
    from retrain.pipeline import Options, Run, run_training
    from retrain.recipe import HeadRecipe, choose_recipe
    from retrain.split import Division, split_photos
    from retrain.store import Key, Store

_HOMES = {
    "backbones": ("ARCHITECTURES", "Backbone", "find_backbone"),
    "bottlenecks": ("Extraction", "extract"),
    "dataset": ("Listing", "Photo", "list_photos"),
    "errors": ("RetrainError",),
    "metrics": ("Metrics", "measure", "wilson_interval"),
    "head": ("Fit", "Head", "Sample", "fit_to_convergence"),
    "images": ("Preprocessing", "load_pixels"),
    "fitting.mini_batches": ("fit_mini_batches",),
    "pipeline": ("Options", "Run", "run_training"),
    "recipe": ("HeadRecipe", "choose_recipe"),
    "split": ("Division", "split_photos"),
    "store": ("Key", "Store"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "ARCHITECTURES",
    "Backbone",
    "Division",
    "Extraction",
    "Fit",
    "Head",
    "HeadRecipe",
    "Key",
    "Listing",
    "Metrics",
    "Options",
    "Photo",
    "Preprocessing",
    "RetrainError",
    "Run",
    "Sample",
    "Store",
    "choose_recipe",
    "extract",
    "find_backbone",
    "fit_mini_batches",
    "fit_to_convergence",
    "list_photos",
    "load_pixels",
    "measure",
    "run_training",
    "split_photos",
    "wilson_interval",
]


def __getattr__(name: str) -> object:
    if name in _HOME_OF:
        return getattr(import_module(f"retrain.{_HOME_OF[name]}"), name)
    raise AttributeError(f"module 'retrain' has no attribute {name!r}")
