"""What Prometheus reads at `/metrics`: counts and times that the service tells of each answer."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """Of one server."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._all = CollectorRegistry()
        ProcessCollector(registry=self._all)
        self._requests = Counter(
            "label_image_requests", "Requests that were answered.", ("route", "status"), registry=self._all
        )
        self._seconds = Histogram(
            "label_image_request_seconds", "From a request's head to its answer.", ("route",), buckets=SECONDS,
            registry=self._all,
        )  # fmt: skip
        self._photos = Counter("label_image_photos", "Photos that the model answered.", registry=self._all)
        self._version = Gauge("label_image_model_version", "Which model of this server it is.", registry=self._all)
        self._failures = Counter(
            "label_image_model_failures", "New models that could not be loaded.", registry=self._all
        )

    def show(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """A number that is asked for when it is read."""
        Gauge(f"label_image_{name}", meaning, registry=self._all).set_function(value)

    def answered(self, route: str, status: int, seconds: float) -> None:
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def photos(self, number: int) -> None:
        self._photos.inc(number)

    def loaded(self, version: int) -> None:
        self._version.set(version)

    def failed(self) -> None:
        self._failures.inc()

    def text(self) -> bytes:
        return generate_latest(self._all)
