"""How the answer for one photo is told: in lines for a person, or as an object of JSON."""

from collections.abc import Mapping
from typing import Any

from label_image.json_outputs import versioned
from label_image.model import Verdict
from label_image.rows import Asked, Row
from label_image.terminal import shown


def json_object(asked: Asked, row: Row, **more: str) -> dict[str, Any]:
    """A photo as `--json` prints it; `more` is said of one that was read."""
    if row.probabilities is None:
        return versioned({"image": row.path, "error": row.sentence})
    return versioned({"image": row.path, **verdict_object(asked.verdict(row)), **more})


def verdict_object(verdict: Verdict) -> dict[str, Any]:
    """What the model says of a photo, as `--json` and the server tell it."""
    top = [{"label": answer.label, "probability": answer.probability} for answer in verdict.answers]
    decided = {"unknown": verdict.unknown, "similarity": verdict.similarity, "threshold": verdict.threshold}
    return {**top[0], **decided, "top": top}


def lines_of(asked: Asked, row: Row, drawn: Mapping[str, str]) -> list[str]:
    """A photo that was read, for a person; `drawn` are its pictures by their kind."""
    verdict = asked.verdict(row)
    answers = [f"  {answer.probability:6.1%}  {shown(answer.label)}" for answer in verdict.answers]
    # Beside unknown stands no probability: it would be read as the answer.
    return [
        shown(row.path),
        *([f"  {shown(verdict)}"] if verdict.unknown else answers),
        *(f"  {name}: {shown(file)}" for name, file in drawn.items()),
    ]
