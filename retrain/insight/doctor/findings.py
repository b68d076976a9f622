"""What the doctor finds, as plain values: made by the modules that look, shown by the page and by reports."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from retrain.core.language import Message, translatable, translated
from retrain.photos.dataset import Photo, Root
from retrain.photos.fixes import KEEP
from retrain.photos.photo_names import name_in

# In the order in which a person should look at them. Said by `heading_of`.
KINDS = MappingProxyType(
    {
        "unreadable": translatable("Files that cannot be used"),
        "label": translatable("Labels that may be wrong"),
        "copy_across_classes": translatable("The same photo in two classes"),
        "copy_across_split": translatable("The same photo in training and in test"),
        "copy": translatable("The same photo twice in a class"),
        "outlier": translatable("Photos unlike all others"),
        "blank": translatable("Photos of a single colour"),
        "blurred": translatable("Blurred photos"),
        "tiny": translatable("Tiny photos"),
        "huge": translatable("Huge photos"),
        "gray": translatable("Photos without colour"),
        "rotated": translatable("Photos that lie on their side"),
        "imbalance": translatable("Classes with few photos"),
    }
)


def heading_of(kind: str) -> str:
    """What the findings of one of KINDS are, in the language of the moment."""
    return translated(KINDS[kind])


@dataclass(frozen=True)
class Finding:
    """One photo (or class, or file) that somebody should look at.

    `said` is what is said of it. `row` is the photo's position in the diagnosis, None where it is no photo. `score`
    ranks the findings of one kind, the worst the highest; what it measures is said where it is made. `suggestion` is
    what `fixes.csv` proposes: keep, remove or relabel:CLASS. `related` are the rows of photos to show beside it.
    """

    kind: str
    path: str
    label: str
    score: float
    said: Message | str
    row: int | None = None
    suggestion: str = KEEP
    related: tuple[int, ...] = ()

    @property
    def sentence(self) -> str:
        """What is said of it, in the language of the moment."""
        return str(self.said)


@dataclass(frozen=True)
class Copies:
    """Photos that are the same picture: `rows`, the best one to keep first.

    `similarity` (0..1) is 1 for the same bytes, else the lowest correlation of thumbnails among its pairs.
    """

    rows: tuple[int, ...]
    similarity: float


@dataclass(frozen=True)
class Shortcut:
    """How far colours alone get: accuracies in 0..1 on photos that the heads did not see.

    `chance` is the accuracy of always answering the largest class.
    """

    colour_accuracy: float
    network_accuracy: float
    chance: float

    @property
    def share(self) -> float:
        """How much of the way from chance to the network's accuracy colours alone go, 0..1."""
        gone, way = self.colour_accuracy - self.chance, self.network_accuracy - self.chance
        if gone <= 0:
            return 0.0
        return min(1.0, gone / way) if way > 0 else 1.0

    @property
    def suspicious(self) -> bool:
        """Whether colours explain most of what the network knows."""
        return self.share > 0.6

    @property
    def sentence(self) -> str:
        """The figures, and what they mean."""
        figures = translated(
            "Colours alone reach an accuracy of {colours:.0%}, the network {network:.0%}, always answering the largest "
            "class {chance:.0%}.",
            colours=self.colour_accuracy,
            network=self.network_accuracy,
            chance=self.chance,
        )
        if self.network_accuracy <= self.chance:
            meaning = translated("The network is no better than guessing.")
        elif self.suspicious:
            meaning = translated(
                "The classes may differ by their backgrounds or their light more than by what they show."
            )
        else:
            meaning = translated("The network sees much more than colours.")
        return f"{figures} {meaning}"


@dataclass(frozen=True)
class Diagnosis:
    """Everything that was found.

    `photos` are those of the extraction and `class_counts` the photos of each class. `findings` are sorted by kind,
    the worst of each kind first. `shortcut` is None where there are too few photos to say. `notes` say what could
    not be looked at; `seconds` what took how long. `roots` are those of the data set, by which photos have their names.
    """

    photos: tuple[Photo, ...]
    class_counts: dict[str, int]
    findings: tuple[Finding, ...]
    copies: tuple[Copies, ...]
    shortcut: Shortcut | None
    notes: tuple[Message, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    roots: tuple[Root, ...] = ()

    def name_of(self, path: str, image_dir: Path) -> str:
        """What a photo is called in tables and on pages, where `image_dir` was examined."""
        return name_in(image_dir, path, self.roots)

    @property
    def remarks(self) -> tuple[str, ...]:
        """The notes, in the language of the moment."""
        return tuple(map(str, self.notes))

    def of_kind(self, kind: str) -> tuple[Finding, ...]:
        """The findings of one of KINDS, the worst first."""
        return tuple(finding for finding in self.findings if finding.kind == kind)

    def counts(self) -> Iterator[tuple[str, str, int]]:
        """Kind, heading and number of findings, of the kinds that have some."""
        for kind in KINDS:
            if number := len(self.of_kind(kind)):
                yield kind, heading_of(kind), number
