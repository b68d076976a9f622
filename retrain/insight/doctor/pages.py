"""The findings as one page: self-contained, readable on a phone, with thumbnails and a choice for each photo."""

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from retrain.core.language import moment, translated
from retrain.insight.doctor.cards import HAS_CHOICE, advice_on, choices_of, relation_of
from retrain.insight.doctor.findings import Diagnosis, Finding, heading_of
from retrain.insight.html.rendering import render, script, shown, source_name
from retrain.photos.fixes import KEEP
from retrain.photos.thumbnails import LONGER_SIDE, whole_uris

SHOWN = 40  # findings of a kind; findings.csv has all
CLASSES_AT_ONCE = 40  # of the counts of photos; more are below a heading that opens
ENLARGED = 320  # pixels of a photo's longer side on the doctor's own page, where it can be enlarged

DOWNLOADED = "~/Downloads/fixes.csv"  # where most browsers save what the page writes


@dataclass(frozen=True)
class Picture:
    """A thumbnail as a data URI (empty if there is none); `relation` is what it is to the photo beside it."""

    uri: str
    label: str
    name: str
    relation: str = ""

    @property
    def words(self) -> str:
        """What it is, for those who do not see it."""
        return f"{self.relation} {self.label}: {self.name}"


@dataclass(frozen=True)
class Card:
    """One finding on a page.

    `choices` are the actions that it offers, none where there is nothing to decide; `decision` is the one that the
    user chose before. `also` are the other findings of its photo that offer the same: kind and heading of each.
    """

    name: str
    label: str
    sentence: str
    suggestion: str
    picture: Picture
    related: tuple[Picture, ...]
    choices: tuple[str, ...]
    decision: str = KEEP
    also: tuple[tuple[str, str], ...] = ()

    @property
    def proposes(self) -> bool:
        """Whether something is suggested that can be accepted."""
        return bool(self.choices) and self.suggestion != KEEP


@dataclass(frozen=True)
class Section:
    """The findings of one kind; `number` of them in all, of which some are not shown.

    `unseen` are the suggestions (file, class, suggestion, reason) of those that are not.
    """

    kind: str
    heading: str
    advice: str
    number: int
    cards: tuple[Card, ...]
    unseen: tuple[tuple[str, ...], ...] = ()

    @property
    def more(self) -> int:
        """How many are not shown."""
        return self.number - len(self.cards)

    @property
    def proposals(self) -> int:
        """How many suggestions there are to accept."""
        return sum(card.proposes for card in self.cards) + len(self.unseen)

    @property
    def compared(self) -> bool:
        """Whether there are photos beside the photos."""
        return any(card.related for card in self.cards)


def make_sections(
    diagnosis: Diagnosis,
    image_dir: Path,
    most: int = SHOWN,
    decisions: Mapping[str, str] = MappingProxyType({}),
    side: int = LONGER_SIDE,
) -> tuple[Section, ...]:
    """The findings by kind, with thumbnails of at most `most` of each: for a page of the doctor's or any other.

    `decisions` are actions that the user chose before, by the names of photos (`Diagnosis.name_of`). `side` is that of
    the thumbnails.
    """
    found = {kind: diagnosis.of_kind(kind) for kind, _, _ in diagnosis.counts()}
    uris = _thumbnails(diagnosis, [finding for findings in found.values() for finding in findings[:most]], side)
    choices, kinds = choices_of(diagnosis), _kinds_with_choice(diagnosis)

    def card(finding: Finding) -> Card:
        made = _card(finding, diagnosis, image_dir, uris, choices[finding.path], decisions)
        others = (kind for kind in kinds.get(finding.path, ()) if kind != finding.kind)
        return replace(made, also=tuple((kind, heading_of(kind)) for kind in others)) if made.choices else made

    return tuple(
        Section(
            kind,
            heading_of(kind),
            advice_on(kind),
            len(findings),
            tuple(map(card, findings[:most])),
            tuple(
                (one.name, one.label, one.suggestion, one.sentence)
                for one in map(card, findings[most:])
                if one.proposes
            ),
        )
        for kind, findings in found.items()
    )


def render_page(
    diagnosis: Diagnosis,
    image_dir: Path,
    decided: Sequence[tuple[str, ...]] = (),
    command: str | None = None,
) -> str:
    """The page as HTML that needs no other file.

    `decided` are rows of fixes.csv (file, class, action, suggestion, reason) that the user decided on before.
    `command` trains on these photos as the doctor saw them, but without fixes; by default, with no options at all.
    """
    decisions = {file: action for file, _, action, *_ in decided}
    sections = make_sections(diagnosis, image_dir, decisions=decisions, side=ENLARGED)
    text, digest = script("doctor.js")
    counts = sorted(diagnosis.class_counts.items(), key=lambda one: one[1])
    return render(
        "doctor.html",
        name=source_name(image_dir),
        written=moment(datetime.now()),
        diagnosis=diagnosis,
        sections=sections,
        choices=bool(decided) or any(card.choices for section in sections for card in section.cards),
        counts=counts,
        at_once=CLASSES_AT_ONCE,
        most=max(diagnosis.class_counts.values(), default=1),
        command=_command(image_dir, command),
        decided=decided,
        unseen={section.kind: section.unseen for section in sections if section.unseen},
        script=text,
        script_hash=digest,
        words=_script_words(),
    )


def _command(image_dir: Path, training: str | None) -> str:
    """How to train by the decisions."""
    return f"{shown(training or shlex.join(['retrain', '--image_dir', str(image_dir)]))} --fixes {DOWNLOADED}"


def _script_words() -> dict[str, str]:
    """What doctor.js says."""
    return {
        "one": translated("1 decision"),
        "many": translated("{count} decisions"),
        "saved": translated("Saved as fixes.csv, where your browser puts downloads. Train with it:"),
    }


def _thumbnails(diagnosis: Diagnosis, findings: Sequence[Finding], side: int) -> dict[str, str]:
    """Of the photos of these findings, and of those beside them, by path."""
    paths = [
        path
        for finding in findings
        if finding.row is not None
        for path in (finding.path, *(diagnosis.photos[row].path for row in finding.related[:1]))
    ]
    gone = {photo.path for photo in diagnosis.photos if photo.gone}
    return whole_uris((path for path in paths if path not in gone), side)


def _card(
    finding: Finding,
    diagnosis: Diagnosis,
    image_dir: Path,
    uris: Mapping[str, str],
    choices: tuple[str, ...],
    decisions: Mapping[str, str],
) -> Card:
    name = diagnosis.name_of(finding.path, image_dir)
    decision = decisions.get(name, KEEP)
    # A name that is no text cannot be written into fixes.csv.
    may_choose = finding.kind in HAS_CHOICE and _text(name) == name
    relation = relation_of(finding.kind)
    return Card(
        _text(name),
        finding.label,
        _text(finding.sentence),
        finding.suggestion,
        Picture(uris.get(finding.path, ""), finding.label, _text(name)),
        tuple(
            Picture(uris.get(photo.path, ""), photo.label, _text(diagnosis.name_of(photo.path, image_dir)), relation)
            for photo in (diagnosis.photos[row] for row in finding.related[:1])
        ),
        tuple(dict.fromkeys((*choices, decision))) if may_choose else (),
        decision,
    )


def _kinds_with_choice(diagnosis: Diagnosis) -> dict[str, tuple[str, ...]]:
    """By path what was found of a photo that something can be decided about, in the order of the page."""
    kinds: dict[str, tuple[str, ...]] = {}
    for kind, _, _ in diagnosis.counts():
        for finding in diagnosis.of_kind(kind) if kind in HAS_CHOICE else ():
            kinds[finding.path] = tuple(dict.fromkeys((*kinds.get(finding.path, ()), kind)))
    return kinds


def _text(path: str) -> str:
    """A path as text that fits into UTF-8, also where its bytes do not."""
    return os.fsencode(path).decode(errors="backslashreplace")
