"""The card of an export, `README.md`, in the form of Hugging Face's model cards: what its manifest says, for people.

Its last line holds a digest of the rest: a card that somebody has changed is theirs, and is left alone. And one of what
it was made of, so that it can be told whether it is still true, however it is worded.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from label_image.files import sha256_of_bytes
from retrain.exports import card_sections as sections
from retrain.exports.card_content import Content, content_of

CARD = "README.md"
SEAL = "<!-- made by retrain-photos; sha256 of the lines above: {text}, of what they were made of: {source} -->\n"
DIGEST = "([0-9a-f]{64})"
SEALED = re.compile(re.escape(SEAL.rstrip("\n")).replace(r"\{text\}", DIGEST).replace(r"\{source\}", DIGEST) + "\n?\\Z")


def write_card(folder: Path, manifest: Mapping[str, Any], present: Iterable[str]) -> None:
    """Write the card of an export with these formats. Raises ExportError for a manifest that says something else."""
    (folder / CARD).write_text(card(manifest, present), encoding="utf-8", newline="\n")


def card(manifest: Mapping[str, Any], present: Iterable[str]) -> str:
    """The card of an export with these formats. Raises ExportError for a manifest that says something else."""
    content = content_of(manifest, present)
    lines = [
        *sections.front_matter(content),
        *sections.what_it_knows(content),
        *sections.how_good(content),
        *sections.what_it_does_not_know(content),
        *sections.files(content),
        *sections.how_to_use(),
        *sections.where_from(content),
    ]
    text = "".join(f"{line}\n" for line in lines)
    return text + SEAL.format(text=sha256_of_bytes(text.encode()), source=_source(content))


def is_unchanged(text: str) -> bool:
    """Whether a card is as it was written, so that it may be replaced."""
    sealed = SEALED.search(text)
    return sealed is not None and sha256_of_bytes(text[: sealed.start()].encode()) == sealed[1]


def is_of(text: str, manifest: Mapping[str, Any], present: Iterable[str]) -> bool:
    """Whether a card was made of this manifest and these formats. Raises ExportError, as `card` does."""
    sealed = SEALED.search(text)
    return sealed is not None and sealed[2] == _source(content_of(manifest, present))


def _source(content: Content) -> str:
    """The SHA-256 of all that the card says; how long a format took, and other proofs, are none of it."""
    said = asdict(replace(content, manifest=replace(content.manifest, parity={})))
    return sha256_of_bytes(json.dumps(said, sort_keys=True).encode())
