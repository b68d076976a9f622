"""The card of an export, `README.md`, in the form of Hugging Face's model cards: what its manifest says, for people.

Its last line holds a digest of the rest: a card that somebody has changed is theirs, and is left alone. It names the
version that wrote it, too: another one may say the same in other words.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from label_image.installing import versions
from retrain.exports import card_sections as sections
from retrain.exports.card_content import content_of

CARD = "README.md"
SEAL = "<!-- made by retrain-photos {version} from model.json; sha256 of the lines above: {digest} -->\n"
SEALED = re.compile(
    r"<!-- made by retrain-photos (?:(?P<version>\S+) )?from model\.json; "
    r"sha256 of the lines above: (?P<digest>[0-9a-f]{64}) -->\n?\Z"
)


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
    return text + SEAL.format(version=_own_version(), digest=hashlib.sha256(text.encode()).hexdigest())


def is_unchanged(text: str) -> bool:
    """Whether a card is as it was written, so that it may be replaced."""
    sealed = SEALED.search(text)
    return sealed is not None and hashlib.sha256(text[: sealed.start()].encode()).hexdigest() == sealed["digest"]


def is_of_this_version(text: str) -> bool:
    """Whether this version wrote a card, so that it would write the same of the same manifest."""
    sealed = SEALED.search(text)
    return sealed is not None and sealed["version"] == _own_version()


def _own_version() -> str:
    return versions(("retrain",))["retrain"]
