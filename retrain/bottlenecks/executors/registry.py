"""All executors, by name; a new one is one line here."""

from collections.abc import Callable, Mapping

from retrain.bottlenecks.executors.base import Executor
from retrain.bottlenecks.executors.local import Local

EXECUTORS: Mapping[str, Callable[[], Executor]] = {
    "local": Local,
}
