"""The sections of a card, each as lines of Markdown.

Plain Python, for every training writes a card: it takes 2 ms here, and took 0.2 s with Jinja (import and template, on a
busy machine).
"""

import json
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal

from retrain.exports.card_content import Beside, Content, licence_of
from retrain.exports.quoted import Quoted
from retrain.exports.registry import FORMATS, SAVED_MODEL

SHOWN = 100  # classes in the table
# What Hugging Face calls programs that run a format; others go by their own names.
TAGS = {"saved_model": "tensorflow", "graph_def": "tensorflow"}
# Controls, line ends, what turns the direction of writing, and what YAML takes for no text.
UNSAID = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff\ufffe\uffff]")
# All that Markdown may read as a sign of its own; an underscore within a word is none.
SIGNS = re.compile(r"[!\"#$%&*+<=>@\[\\\]^`{|}~]|:(?!\s)|(?<=www)\.|(?<![^\W_])_|_(?![^\W_])", re.IGNORECASE)
CODE = """```python
from label_image.model import load_model

model = load_model(".")
with open("photo.jpg", "rb") as photo:
    verdict = model.label(photo.read())
print(verdict)
```"""


def markdown_text(text: str) -> str:
    """Text that Markdown, tables and HTML included, shows as it is."""
    return SIGNS.sub(r"\\\g<0>", UNSAID.sub(_numbered, text))


def yaml_literal(text: str) -> str:
    """A string of YAML, in double quotes, which is one of JSON."""
    return UNSAID.sub(_numbered, json.dumps(text, ensure_ascii=False))


def brief(number: float) -> str:
    """A small number with its first digit that is not 0, and no exponent."""
    return format(Decimal(f"{number:.1g}"), "f")


def front_matter(content: Content) -> Iterator[str]:
    """What the Hub reads."""
    yield "---"
    yield f"license: {licence_of(licence for _, licence in content.networks)}"
    yield from ("library_name: retrain-photos", "pipeline_tag: image-classification", "tags:")
    formats = sorted({TAGS.get(name, name.partition("_")[0]) for name in content.proofs})
    yield from (f"- {tag}" for tag in ("image-classification", "transfer-learning", *formats))
    if content.quoted is not None:
        photos, labels = content.manifest.provenance.photos, len(content.manifest.labels)
        low, high = content.quoted.interval
        by = "by cross-validation" if content.quoted.cross_validation else "on test photos"
        yield from ("metrics:", "- accuracy", "model-index:", f"- name: {yaml_literal(content.title)}", "  results:")
        yield from ("  - task:", "      type: image-classification", "    dataset:")
        yield from (f"      name: {photos:,} photos of {labels:,} classes", "      type: imagefolder", "    metrics:")
        yield from ("    - type: accuracy", f"      value: {content.quoted.accuracy:.4f}")
        yield f"      name: Accuracy {by} (95 % interval {low:.4f} to {high:.4f})"
    yield from ("---", "")


def what_it_knows(content: Content) -> Iterator[str]:
    """The classes, and from how many photos each was learned."""
    photos, classes = content.manifest.provenance.photos, content.classes
    unknown = ", and says *unknown* of a photo that is like none of them" if content.manifest.unknown else ""
    yield from (f"# {markdown_text(content.title)}", "")
    yield from (
        f"A classifier of photos. It tells {len(classes):,} classes apart{unknown}.",
        "",
        "## What it knows",
        "",
    )
    if photos:
        yield from (_trained_on(photos, content.quoted), "")
    rows = ((markdown_text(label), "–" if count is None else f"{count:,}") for label, count in classes[:SHOWN])
    yield from _table(("class", "photos"), ("---", "---:"), rows)
    if len(classes) > SHOWN:
        yield f"{len(classes) - SHOWN:,} more are in `labels.txt`, which has all of them in the order of the scores."
        yield ""


def how_good(content: Content) -> Iterator[str]:
    """The quoted figure, and what is taken for what."""
    yield from ("## How good it is", "")
    quoted, confused = content.quoted, content.manifest.metrics.confused
    if quoted is None:
        yield "Its training measured nothing."
    else:
        low, high = (100 * end for end in quoted.interval)
        how = "by cross-validation, so each photo was answered by heads that had not seen it"
        how = how if quoted.cross_validation else "none of these photos was trained on"
        yield (
            f"Accuracy **{100 * quoted.accuracy:.1f} %** on {quoted.n:,} photos, with a 95 % interval of {low:.1f} "
            f"to {high:.1f} %: {how}. It holds for photos that are like these; how good it is on others, only others "
            "can tell."
        )
    yield ""
    if remarks := content.manifest.metrics.remarks:
        yield from (*(f"- {markdown_text(remark)}" for remark in remarks), "")
    if confused:
        yield from ("What was taken for something else most often:", "")
        rows = ((markdown_text(label), markdown_text(other), f"{count:,}") for label, other, count in confused)
        yield from _table(("photos of", "were taken for", "how many"), ("---", "---", "---:"), rows)


def what_it_does_not_know(content: Content) -> Iterator[str]:
    """When a photo is unknown."""
    unknown, quoted = content.manifest.unknown, content.quoted
    if unknown is None:
        return
    refused = "" if unknown.test_photos_refused is None or quoted is None else (
        f", as {unknown.test_photos_refused:,} of the {quoted.n:,} photos above were"
    )  # fmt: skip
    yield from ("## What it does not know", "")
    yield (
        "Beside the probabilities it gives a similarity, the cosine to the nearest class mean. Below "
        f"{unknown.threshold:.4f} a photo is *unknown*{refused}. What is nearly one of the classes is not noticed: "
        "give it a class of its own."
    )
    yield ""


def files(content: Content) -> Iterator[str]:
    """The formats with their proofs, and what they take."""
    yield from ("## Files", "")
    if content.proofs:
        where = f" ({markdown_text(content.manifest.parity_on)})" if content.manifest.parity_on else ""
        yield from (f"Each was loaded again and compared with the model it was made from, on photos{where}.", "")
        heads = (
            "file",
            "compared on",
            "greatest change of a probability",
            "same first answer",
            "points of accuracy lost (95 %)",
        )
        yield from _table(heads, ("---", *["---:"] * 4), _proofs(content))
    size = content.manifest.input.size
    yield (
        f"All take RGB values from 0 to 255, {size} x {size} pixels; scaling is inside. A photo becomes these by "
        f"`{content.manifest.preprocessing}`. `labels.txt` has the classes in the order of the scores, `model.json` "
        "all figures."
    )
    yield ""


def how_to_use() -> Iterator[str]:
    """On the command line and in Python."""
    yield from ("## How to use it", "")
    yield "With the Python package retrain-photos, in this folder: `label_image --model . photo.jpg`, or in Python:"
    yield from ("", CODE, "")


def where_from(content: Content) -> Iterator[str]:
    """Networks with their licences, digests, versions."""
    yield from ("## Where it comes from", "")
    for name, licence in content.networks:
        says = (
            f"; licence of its published weights: {markdown_text(licence)}" if licence else ", licence not known here"
        )
        yield f"- The network {markdown_text(name)}{says}."
    provenance = content.manifest.provenance
    if provenance.weights_sha256:
        yield f"- SHA-256 of the weights that were used: {markdown_text(provenance.weights_sha256)}."
    if provenance.dataset_digest:
        yield f"- SHA-256 of the list of photos: {markdown_text(provenance.dataset_digest)}."
    if provenance.versions:
        made = sorted(
            f"{markdown_text(name)} {markdown_text(version)}" for name, version in provenance.versions.items()
        )
        yield f"- Made with {', '.join(made)}."
    yield ""
    yield (
        "The `license` at the head of this file is that of the network's weights. Under which one the whole is passed "
        "on is for those to say who have the rights to the photos."
    )
    yield ""


def _trained_on(photos: int, quoted: Quoted | None) -> str:
    """Cross-validation leaves no photo out in the end; a split keeps its test photos out."""
    if quoted is None or quoted.cross_validation:
        return f"It was trained on {photos:,} photos."
    return (
        f"It was made from {photos:,} photos: {quoted.n:,} of them tested it, the others trained it or chose between "
        "heads."
    )


def _proofs(content: Content) -> Iterator[tuple[str, ...]]:
    for name, proof in content.proofs.items():
        format = FORMATS[name]
        yield (
            f"`{format.file}`" + ("" if format.own_program else " (run by TensorFlow)"),
            f"{proof.photos:,}",
            brief(proof.greatest_difference),
            f"{100 * proof.top_1_agreement:.1f} %",
            "–" if proof.test is None or name == SAVED_MODEL else _lost(proof.test),
        )


def _lost(beside: Beside) -> str:
    """In points of accuracy; a format that is right more often has lost less than nothing."""
    lost, low, high = (100 * share + 0.0 for share in (beside.drop, *beside.drop_interval))
    return f"{lost:.1f} ({low:.1f} to {high:.1f})"


def _table(heads: Iterable[str], lines: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'|'.join(lines)}|"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""


def _numbered(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
