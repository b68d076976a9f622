"""What an export says of itself: how good its training found it, on photos that the answering heads had not seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from label_image.errors import ForeignFileError, ModelError
from label_image.foreign_text import convert
from label_image.manifest import read_manifest

Share = Annotated[float, Meta(ge=0, le=1)]


@dataclass(frozen=True)
class Quoted:
    """The test figure of a training: `accuracy` in 0..1 on `n` photos, with its 95 % interval.

    It is that of `cross_validation` where photos of the training were tested by heads trained on others.
    """

    accuracy: Share
    interval: tuple[Share, Share]
    n: Annotated[int, Meta(ge=1)]
    cross_validation: bool = False

    def __str__(self) -> str:
        """For people, in one line."""
        low, high = self.interval
        by = "by cross-validation" if self.cross_validation else "on test photos that it had not seen"
        figure = f"accuracy {self.accuracy:.1%} on {self.n} photos (95 % interval {100 * low:.1f}-{high:.1%})"
        return f"in its training, {by}: {figure}"


@dataclass(frozen=True)
class _Figures:
    test: Quoted


@dataclass(frozen=True)
class _Provenance:
    photos: int = 0
    options: dict[str, Any] | None = None

    def is_cross_validated(self, tested: int) -> bool:
        """Whether folds took turns; they also do where one split would have left a class without test photos."""
        return bool((self.options or {}).get("folds")) or tested == self.photos


@dataclass(frozen=True)
class _Content:
    metrics: _Figures
    provenance: _Provenance = _Provenance()


def quoted_figure(model: Path) -> Quoted | None:
    """The test figure in the manifest of an export, or of the one beside a file of it; None where there is none."""
    try:
        return figure_in(read_manifest(model if model.is_dir() else model.parent).content)
    except ModelError:
        return None


def figure_in(manifest: Mapping[str, Any]) -> Quoted | None:
    """The test figure in a manifest; None where there is none."""
    try:
        content = convert(manifest, _Content)
    except ForeignFileError:
        return None
    test = content.metrics.test
    return Quoted(test.accuracy, test.interval, test.n, content.provenance.is_cross_validated(test.n))
