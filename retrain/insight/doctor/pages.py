"""The findings as one page: self-contained, readable on a phone, with thumbnails and a choice for each photo."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from retrain.insight.doctor.findings import KINDS, Diagnosis, Finding
from retrain.photos.fixes import KEEP, REMOVE, name_in
from retrain.photos.thumbnails import whole_uris

SHOWN = 40  # findings of a kind; findings.csv has all
RELATED = 2  # photos beside one

ADVICE = {
    "unreadable": "They are left out of everything.",
    "label": "The classifier, trained without the photo, disagrees with its class. Beside it are typical photos of "
    "the class that it looks like. Relabel what is wrong; keep what is right: hard photos are the useful ones.",
    "copy_across_classes": "One of the two labels must be wrong. Remove or relabel it.",
    "copy_across_split": "The accuracy on the test photos is too good to be true with them. Remove one of each.",
    "copy": "They do no harm in training, but count twice. Remove them if you like.",
    "outlier": "They may show something else, or only be unusual. Remove what does not belong.",
    "blank": "Nothing can be learned from them. If they are not empty in another program, say which file it is.",
    "blurred": "Keep them if the photos you want to label will be like this.",
    "tiny": "They are enlarged for the network. Keep them if the photos you want to label are as small.",
    "huge": "They only take time to read.",
    "gray": "Keep them if the photos you want to label have no colours either.",
    "rotated": "There is nothing to do here. Other programs may show them lying on their side.",
    "imbalance": "Add photos to these classes, if you can.",
}
HAS_CHOICE = {"label", "copy_across_classes", "copy_across_split", "copy", "outlier", "blank", "blurred", "tiny"}


@dataclass(frozen=True)
class Picture:
    """A thumbnail as a data URI (empty if there is none), and what is written below it."""

    uri: str
    caption: str


@dataclass(frozen=True)
class Card:
    """One finding on a page.

    `choices` are the actions that it offers, none where there is nothing to decide; `decision` is the one that the
    user chose before.
    """

    name: str
    label: str
    sentence: str
    suggestion: str
    picture: Picture
    related: tuple[Picture, ...]
    choices: tuple[str, ...]
    decision: str = KEEP


@dataclass(frozen=True)
class Section:
    """The findings of one kind; `more` of them are not shown."""

    kind: str
    heading: str
    advice: str
    number: int
    cards: tuple[Card, ...]
    more: int


def make_sections(
    diagnosis: Diagnosis, image_dir: Path, shown: int = SHOWN, decisions: Mapping[str, str] = MappingProxyType({})
) -> tuple[Section, ...]:
    """The findings by kind, with thumbnails of at most `shown` of each: for a page of the doctor's or any other.

    `decisions` are actions that the user chose before, by `name_in` of the photo.
    """
    listed = {kind: diagnosis.of_kind(kind)[:shown] for kind, _, _ in diagnosis.counts()}
    paths = [
        path
        for findings in listed.values()
        for finding in findings
        if finding.row is not None
        for path in (finding.path, *(diagnosis.photos[row].path for row in finding.related[:RELATED]))
    ]
    gone = {photo.path for photo in diagnosis.photos if photo.gone}
    uris = whole_uris(path for path in paths if path not in gone)
    suggestions: dict[str, list[str]] = {}  # of a photo on several cards, which offer the same
    for finding in diagnosis.findings:
        suggestions.setdefault(finding.path, []).append(finding.suggestion)
    choices = {path: tuple(dict.fromkeys((KEEP, *more, REMOVE))) for path, more in suggestions.items()}
    return tuple(
        Section(
            kind,
            KINDS[kind],
            ADVICE[kind],
            len(diagnosis.of_kind(kind)),
            tuple(_card(finding, diagnosis, image_dir, uris, choices[finding.path], decisions) for finding in findings),
            len(diagnosis.of_kind(kind)) - len(findings),
        )
        for kind, findings in listed.items()
    )


def render_page(diagnosis: Diagnosis, image_dir: Path, decided: Sequence[tuple[str, ...]] = ()) -> str:
    """The page as HTML that needs no other file.

    `decided` are rows of fixes.csv (file, class, action, suggestion, reason) that the user decided on before.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("page.html.jinja").render(
        title=_text(Path(image_dir).name or str(image_dir)),
        diagnosis=diagnosis,
        sections=make_sections(diagnosis, image_dir, decisions={file: action for file, _, action, *_ in decided}),
        decided=decided,
        most=max(diagnosis.class_counts.values(), default=1),
    )


def _card(
    finding: Finding,
    diagnosis: Diagnosis,
    image_dir: Path,
    uris: Mapping[str, str],
    choices: tuple[str, ...],
    decisions: Mapping[str, str],
) -> Card:
    related = [diagnosis.photos[row] for row in finding.related[:RELATED]]
    name = name_in(image_dir, finding.path)
    decision = decisions.get(name, KEEP)
    # A name that is no text cannot be written into fixes.csv.
    may_choose = finding.kind in HAS_CHOICE and _text(name) == name
    return Card(
        _text(name),
        finding.label,
        _text(finding.sentence),
        finding.suggestion,
        Picture(uris.get(finding.path, ""), finding.label),
        tuple(Picture(uris.get(photo.path, ""), photo.label) for photo in related),
        tuple(dict.fromkeys((*choices, decision))) if may_choose else (),
        decision,
    )


def _text(path: str) -> str:
    """A path as text that fits into UTF-8, also where its bytes do not."""
    return os.fsencode(path).decode(errors="backslashreplace")
