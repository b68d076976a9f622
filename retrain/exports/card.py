"""The card of an export, `README.md`, in the form of Hugging Face's model cards: what its manifest says, for people.

Its last line holds a digest of the rest: a card that somebody has changed is theirs, and is left alone.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from label_image.errors import ForeignFileError
from label_image.foreign_text import convert
from label_image.manifest import MANIFEST
from retrain.backbones.registry import ARCHITECTURES
from retrain.core.errors import ExportError
from retrain.exports.quoted import figure_in
from retrain.exports.registry import FORMATS
from retrain.exports.rendering import render

CARD = "README.md"
SEAL = "<!-- made by retrain-photos from model.json; sha256 of the lines above: {digest} -->\n"
SEALED = re.compile(re.escape(SEAL.rstrip("\n")).replace(re.escape("{digest}"), "([0-9a-f]{64})") + "\n?\\Z")
NAMED = 3  # classes in the title
SHOWN = 100  # classes in the table
LONGEST_TITLE = 100  # letters
# How the licences of the registry begin, and what Hugging Face calls them.
LICENCES = {"Apache 2.0": "apache-2.0", "MIT": "mit", "BSD 3-clause": "bsd-3-clause",
            "Creative Commons Attribution 4.0": "cc-by-4.0"}  # fmt: skip
# What Hugging Face calls programs that run a format; others go by their own names.
TAGS = {"saved_model": "tensorflow", "graph_def": "tensorflow"}
# Controls, line ends, what turns the direction of writing, and what YAML takes for no text.
UNSAID = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff\ufffe\uffff]")
# All that Markdown may read as a sign of its own; an underscore within a word is none.
SIGNS = re.compile(r"[!\"#$%&*+<=>@\[\\\]^`{|}~]|:(?!\s)|(?<=www)\.|(?<![^\W_])_|_(?![^\W_])", re.IGNORECASE)


@dataclass(frozen=True)
class _Proof:
    """What `parity` says of a format. A training gives no accuracy, `retrain export` does."""

    greatest_difference: float
    top_1_agreement: float
    photos: int
    test: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Metrics:
    confused: tuple[tuple[str, str, int], ...] = ()


@dataclass(frozen=True)
class _Unknown:
    threshold: float
    photos: int | None = None
    test_photos_refused: int | None = None


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
class _Content:
    """What a card needs of a manifest."""

    labels: tuple[str, ...]
    preprocessing: str
    input: _Input
    architecture: str = ""
    metrics: _Metrics = _Metrics()
    unknown: _Unknown | None = None
    provenance: _Provenance = _Provenance()
    parity: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    parity_on: str = ""


def write_card(folder: Path, manifest: Mapping[str, Any], present: Iterable[str]) -> None:
    """Write the card of an export with these formats. Raises ExportError for a manifest that says something else."""
    (folder / CARD).write_text(card(manifest, present), encoding="utf-8", newline="\n")


def card(manifest: Mapping[str, Any], present: Iterable[str]) -> str:
    """The card of an export with these formats."""
    try:
        content = convert(manifest, _Content)
        proofs = {name: convert(content.parity[name], _Proof) for name in present if content.parity.get(name)}
    except ForeignFileError as error:
        raise ExportError(f"The {MANIFEST} {error}: export the model again.") from None
    filters: dict[str, Callable[..., str]] = {"text": markdown_text, "yaml": yaml_literal, "brief": brief}
    text = render(CARD, filters, {**_values(content, proofs), "quoted": figure_in(manifest)})
    return text + SEAL.format(digest=hashlib.sha256(text.encode()).hexdigest())


def is_unchanged(text: str) -> bool:
    """Whether a card is as it was written, so that it may be replaced."""
    sealed = SEALED.search(text)
    return sealed is not None and hashlib.sha256(text[: sealed.start()].encode()).hexdigest() == sealed[1]


def _values(content: _Content, proofs: Mapping[str, _Proof]) -> dict[str, object]:
    title = title_of(content.labels)
    networks = [(name, ARCHITECTURES[name].licence if name in ARCHITECTURES else "")
                for name in content.architecture.split("+") if name]  # fmt: skip
    photos = content.provenance.photos_of_classes
    counts: tuple[int | None, ...] = photos if len(photos) == len(content.labels) else (None,) * len(content.labels)
    return {
        "content": content,
        "title": title if len(title) <= LONGEST_TITLE else f"{title[:LONGEST_TITLE]}…",
        "classes": list(zip(content.labels, counts, strict=True))[:SHOWN],
        "networks": networks,
        "licence": licence_of(licence for _, licence in networks),
        "tags": sorted({TAGS.get(name, name.partition("_")[0]) for name in proofs}),
        "formats": [(name, FORMATS[name], proof) for name, proof in proofs.items()],
    }


def title_of(labels: Sequence[str]) -> str:
    """The first classes, and how many more there are."""
    if len(labels) > NAMED:
        return f"{', '.join(labels[:NAMED])} and {len(labels) - NAMED} more"
    return " or ".join(filter(None, [", ".join(labels[:-1]), labels[-1]]))


def licence_of(licences: Iterable[str]) -> str:
    """What Hugging Face calls the licence of weights, where all that were used are under one that it knows."""
    found = {
        next((known for start, known in LICENCES.items() if each.startswith(start)), "unknown") for each in licences
    }
    return found.pop() if len(found) == 1 else "unknown"


def markdown_text(text: str) -> str:
    """Text that Markdown, tables and HTML included, shows as it is."""
    return SIGNS.sub(r"\\\g<0>", UNSAID.sub(_numbered, text))


def yaml_literal(text: str) -> str:
    """A string of YAML, in double quotes, which is one of JSON."""
    return UNSAID.sub(_numbered, json.dumps(text, ensure_ascii=False))


def brief(number: float) -> str:
    """A small number with its first digit that is not 0, and no exponent."""
    return format(Decimal(f"{number:.1g}"), "f")


def _numbered(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
