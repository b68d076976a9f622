"""All executors, by name; a new one is one line here. Commands know the names, and load none of them."""

from importlib import import_module
from typing import TYPE_CHECKING

from retrain.core.errors import OptionError

if TYPE_CHECKING:
    from retrain.bottlenecks.executors.base import Executor
    from retrain.bottlenecks.extraction_config import ExtractionConfig

# Each is a module beside this one, which makes it by `executor(config)`.
EXECUTORS = (
    "local",
    "ray",
)


def find_executor(config: "ExtractionConfig") -> "Executor":
    """The executor that a config asks for. Raises OptionError for one that is not known."""
    if config.executor not in EXECUTORS:
        raise OptionError(f"`executor` {config.executor} is not known; choose from {', '.join(EXECUTORS)}.")
    executor: Executor = import_module(f"retrain.bottlenecks.executors.{config.executor}").executor(config)
    return executor
