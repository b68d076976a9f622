"""On the machines of a Ray cluster: Ray Data hands out the photos, and the workers keep what they compute."""

from collections.abc import Iterator
from contextlib import contextmanager

from label_image.on_ray import RayConfig, connected
from retrain.backbones.backbone import Backbone
from retrain.bottlenecks.executors.base import Session, StartEngine
from retrain.bottlenecks.executors.local import Local


class Ray:
    """The executor of a Ray cluster."""

    def __init__(self, config: RayConfig = RayConfig()) -> None:
        self._config = config

    @contextmanager
    def open(self, backbone: Backbone, start: StartEngine) -> Iterator[Session]:
        with connected(self._config), Local().open(backbone, start) as session:
            yield session
