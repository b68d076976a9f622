"""What `label_image serve` was told."""

from dataclasses import dataclass
from pathlib import Path

from label_image.serve.limits import Limits


@dataclass(frozen=True)
class Settings:
    """`certificate` are the files of the user's own one, and of its key. `lang`: that of the page."""

    model: Path
    name: str | None
    host: str
    port: int
    token: str | None
    https: bool
    certificate: tuple[Path, Path] | None
    origins: tuple[str, ...]
    hosts: frozenset[str]
    labels: str | None
    lang: str | None
    trust: bool
    threads: int
    limits: Limits

    @property
    def called(self) -> str:
        """What clients call the model."""
        if self.name is not None:
            return self.name
        path = self.model.absolute()
        return (path.stem if path.suffix.lower() in (".tflite", ".onnx", ".pb") else path.name) or "model"
