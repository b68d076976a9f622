"""What the card of an export needs of its manifest, read against types: others may have changed it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from label_image.errors import ForeignFileError
from label_image.foreign_text import convert
from label_image.manifest import MANIFEST
from retrain.backbones.registry import ARCHITECTURES
from retrain.core.errors import ExportError
from retrain.exports.quoted import Quoted, figure_in

NAMED = 3  # classes in the title
LONGEST_TITLE = 100  # letters
# How the licences of the registry begin, and what Hugging Face calls them.
LICENCES = {"Apache 2.0": "apache-2.0", "MIT": "mit", "BSD 3-clause": "bsd-3-clause",
            "Creative Commons Attribution 4.0": "cc-by-4.0"}  # fmt: skip


@dataclass(frozen=True)
class Beside:
    """Which share of the photos a format gets right less often than the SavedModel, with its 95 % interval.

    The accuracy that stands beside it in the manifest is none to show: the photos may be those of the training.
    """

    drop: float
    drop_interval: tuple[float, float]


@dataclass(frozen=True)
class Proof:
    """What `parity` says of a format. A training gives no `test`, `retrain export` does."""

    greatest_difference: float
    top_1_agreement: float
    photos: int
    test: Beside | None = None


@dataclass(frozen=True)
class Unknown:
    """Below which similarity a photo is unknown, and how many of those that were tested are."""

    threshold: float
    test_photos_refused: int | None = None


@dataclass(frozen=True)
class _Metrics:
    confused: tuple[tuple[str, str, int], ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Provenance:
    photos: int = 0
    photos_of_classes: tuple[int, ...] = ()
    weights_sha256: str | None = None
    dataset_digest: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Input:
    size: int


@dataclass(frozen=True)
class _Manifest:
    labels: tuple[str, ...]
    preprocessing: str
    input: _Input
    architecture: str = ""
    metrics: _Metrics = _Metrics()
    unknown: Unknown | None = None
    provenance: _Provenance = _Provenance()
    parity: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    parity_on: str = ""


@dataclass(frozen=True)
class Content:
    """The manifest, the proofs of the formats that are there, and the figure that its training quotes."""

    manifest: _Manifest
    proofs: Mapping[str, Proof]
    quoted: Quoted | None

    @property
    def title(self) -> str:
        """The first classes, and how many more there are."""
        labels: Sequence[str] = self.manifest.labels
        if len(labels) > NAMED:
            title = f"{', '.join(labels[:NAMED])} and {len(labels) - NAMED} more"
        else:
            title = " or ".join(filter(None, [", ".join(labels[:-1]), labels[-1]]))
        return title if len(title) <= LONGEST_TITLE else f"{title[:LONGEST_TITLE]}…"

    @property
    def classes(self) -> list[tuple[str, int | None]]:
        """Each class, and how many photos of it were there."""
        labels, photos = self.manifest.labels, self.manifest.provenance.photos_of_classes
        return list(zip(labels, photos if len(photos) == len(labels) else [None] * len(labels), strict=True))

    @property
    def networks(self) -> list[tuple[str, str]]:
        """The networks of the backbone with the licences of their weights; "" where it is not known."""
        names = filter(None, self.manifest.architecture.split("+"))
        return [(name, ARCHITECTURES[name].licence if name in ARCHITECTURES else "") for name in names]


def content_of(manifest: Mapping[str, Any], present: Iterable[str]) -> Content:
    """What is needed of a manifest beside these formats. Raises ExportError for one that says something else."""
    try:
        content = convert(manifest, _Manifest)
        proofs = {name: convert(content.parity[name], Proof) for name in present if content.parity.get(name)}
    except ForeignFileError as error:
        raise ExportError(f"The {MANIFEST} {error}: export the model again.") from None
    return Content(content, proofs, figure_in(manifest))


def licence_of(licences: Iterable[str]) -> str:
    """What Hugging Face calls the licence of weights, where all that were used are under one that it knows."""
    found = {
        next((known for start, known in LICENCES.items() if each.startswith(start)), "unknown") for each in licences
    }
    return found.pop() if len(found) == 1 else "unknown"
