"""All executors, by name; a new one is one line here."""

from collections.abc import Callable, Mapping

from label_image.on_ray import RayConfig
from retrain.bottlenecks.executors.base import Executor
from retrain.bottlenecks.executors.local import Local
from retrain.bottlenecks.executors.ray import Ray
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.core.errors import OptionError

EXECUTORS: Mapping[str, Callable[[ExtractionConfig], Executor]] = {
    "local": lambda config: Local(),
    "ray": lambda config: Ray(RayConfig(config.ray_address)),
}


def find_executor(config: ExtractionConfig) -> Executor:
    """The executor that a config asks for. Raises OptionError for one that is not known."""
    if config.executor not in EXECUTORS:
        raise OptionError(f"`executor` {config.executor} is not known; choose from {', '.join(EXECUTORS)}.")
    return EXECUTORS[config.executor](config)
