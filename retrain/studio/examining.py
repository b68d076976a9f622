"""The doctor inside the studio: its findings as cards, each with decisions that are carried out at once.

A card stands for a photo as it was examined. It goes when the photo does, by whatever change: moved, removed or
replaced in the folder, or kept as it is; and it is there again when that is undone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from label_image.files import reason_of, sha256_of
from retrain.core.errors import StudioError
from retrain.core.progress import SILENT, Progress
from retrain.insight.doctor.cards import HAS_CHOICE, advice_on, choices_of, relation_of
from retrain.insight.doctor.diagnose import diagnose
from retrain.insight.doctor.findings import KINDS, Diagnosis, Finding, heading_of
from retrain.insight.html.rendering import shown
from retrain.photos.fixes import KEEP, RELABEL, REMOVE
from retrain.studio.changes import Change, Changes
from retrain.studio.config import StudioConfig
from retrain.studio.kept import Kept
from retrain.studio.listing import Listing, StudioPhoto
from retrain.studio.seeing import Seen
from retrain.training.trained import TrainedHead

PAIRS = frozenset({"copy_across_classes", "copy_across_split", "copy"})  # kinds that are of two photos

Plain = dict[str, object]


@dataclass(frozen=True)
class Card:
    """A finding on a photo of the listing; `photo` is None where it is about a class."""

    finding: Finding
    photo: StudioPhoto | None
    sha256: str
    related: tuple[StudioPhoto, ...]
    choices: tuple[str, ...]

    def stands(self, listing: Listing, kept: Kept) -> bool:
        """Whether there is still something to decide, or to know."""
        if self.photo is None:
            return self.finding.label in listing.classes
        if (self.sha256, self.finding.kind) in kept or not _is_there(self.photo, listing):
            return False
        return self.finding.kind not in PAIRS or all(_is_there(photo, listing) for photo in self.related)

    def plain(self, listing: Listing) -> Plain:
        """As JSON."""
        return {
            "id": None if self.photo is None else self.photo.id,
            "label": self.finding.label if self.photo is None else self.photo.label,
            "sentence": shown(self.finding.sentence),
            "suggestion": self.finding.suggestion,
            "choices": list(self.choices),
            "related": [
                {"id": photo.id, "label": photo.label, "relation": relation_of(self.finding.kind)}
                for photo in self.related
                if _is_there(photo, listing)
            ],
        }


@dataclass(frozen=True)
class Examination:
    """What the doctor found in the labelled photos of a listing, by its `version`."""

    version: str
    cards: tuple[Card, ...]
    diagnosis: Diagnosis

    def standing(self, listing: Listing, kept: Kept) -> Iterator[Card]:
        """The cards that nothing was decided about yet."""
        return (card for card in self.cards if card.stands(listing, kept))

    def number(self, listing: Listing, kept: Kept) -> int:
        """How many cards there are."""
        return sum(1 for _ in self.standing(listing, kept))

    def plain(self, listing: Listing, kept: Kept) -> Plain:
        """As JSON, for the folder as it is now and what was kept since."""
        found: dict[str, list[Card]] = {}
        for card in self.standing(listing, kept):
            found.setdefault(card.finding.kind, []).append(card)
        shortcut = self.diagnosis.shortcut
        return {
            "version": self.version,
            "sections": [
                {
                    "kind": kind,
                    "heading": heading_of(kind),
                    "advice": advice_on(kind),
                    "number": len(found[kind]),
                    "cards": [card.plain(listing) for card in found[kind]],
                }
                for kind in KINDS
                if kind in found
            ],
            "remarks": list(self.diagnosis.remarks),
            "shortcut": None
            if shortcut is None
            else {"sentence": shortcut.sentence, "suspicious": shortcut.suspicious},
        }


def examine(seen: Seen, trained: TrainedHead | None, config: StudioConfig, progress: Progress = SILENT) -> Examination:
    """Examine the labelled photos; what the folds of a current training said of them is not asked again.

    Raises StudioError with fewer than two classes.
    """
    bottlenecks = seen.labelled(config.extraction)
    if bottlenecks is None:
        raise StudioError("The doctor needs photos of at least two classes: add some.")
    is_current = trained is not None and trained.bottlenecks.photos == bottlenecks.photos
    try:
        diagnosis = diagnose(
            bottlenecks.extraction,
            None,
            bottlenecks.backbone.input_size,
            observe=progress.examining(len(bottlenecks.photos)),
            trained=trained if is_current else None,
            kept_in=config.extraction.local_dir,
        )
    finally:
        progress.finish()
    return Examination(seen.listing.version, tuple(_cards(diagnosis, seen.listing)), diagnosis)


def apply_decision(
    changes: Changes, kept: Kept, listing: Listing, ids: Sequence[str], kind: str, action: str
) -> Change | None:
    """Carry out what was decided about photos that have a finding of a kind; returns the change of files, if any.

    `action` is keep, remove or relabel:CLASS. Raises StudioError for one that is not known, for photos that are not
    there any more, and for a class that is not there.
    """
    asked = dict.fromkeys(ids)
    photos = [listing.by_id[id] for id in asked if id in listing.by_id]
    if len(photos) < len(asked) or not photos:
        raise StudioError("The photo is not in the folder any more: examine the photos again.")
    if kind not in KINDS:
        raise StudioError(f"The kind of finding {kind} is not known.")
    names = [photo.name for photo in photos]
    if action == REMOVE:
        return changes.remove(names)
    if action.startswith(RELABEL):
        label = action.removeprefix(RELABEL)
        if label not in listing.classes:
            raise StudioError(f"There is no class {label} any more: choose another one.")
        return changes.move(names, label)
    if action != KEEP:
        raise StudioError(f"The decision {action} is not known; choose from {KEEP}, {REMOVE} and {RELABEL}CLASS.")
    for sha256 in [_content(photo) for photo in photos]:
        kept.add(sha256, kind)
    return None


def _cards(diagnosis: Diagnosis, listing: Listing) -> Iterator[Card]:
    by_path = {photo.file.path: photo for photo in listing.photos}
    choices = choices_of(diagnosis)
    for finding in diagnosis.findings:
        photo = by_path.get(finding.path)
        related = tuple(by_path[diagnosis.photos[row].path] for row in finding.related[:1])
        sha256 = "" if finding.row is None else diagnosis.photos[finding.row].sha256
        if finding.kind == "unreadable" and photo is not None:
            yield Card(finding, photo, _content_if_any(photo), related, (KEEP, REMOVE))
        else:
            may_choose = finding.kind in HAS_CHOICE and photo is not None
            yield Card(finding, photo, sha256, related, choices[finding.path] if may_choose else ())


def _is_there(photo: StudioPhoto, listing: Listing) -> bool:
    """Whether a photo is what it was, where it was."""
    now = listing.by_id.get(photo.id)
    return now is not None and now.file == photo.file


def _content_if_any(photo: StudioPhoto) -> str:
    try:
        return _content(photo)
    except StudioError:
        return ""  # it may be known by no content, and cannot be kept


def _content(photo: StudioPhoto) -> str:
    try:
        return sha256_of(photo.file.path)
    except OSError as error:
        raise StudioError(f"{shown(photo.name)} cannot be read ({reason_of(error)}).") from None
