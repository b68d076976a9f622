"""What pages are told of a studio: one object, the same for all of them."""

from typing import Any

from retrain.insight.html.rendering import shown
from retrain.studio.changes import Change
from retrain.studio.known import Known, Work, counts_of, taught_by
from retrain.studio.phone import phone_state
from retrain.studio.studio import Studio
from retrain.studio.taking import exports_of

MOST_SKIPPED = 20  # files that cannot be used, by name


def state_of(studio: Studio) -> dict[str, Any]:
    """The state, for JSON."""
    known, config = studio.known, studio.config
    counts = counts_of(known.listing)
    taught = taught_by(known.listing)
    return {
        "folder": {"name": shown(config.folder.name), "path": shown(config.folder)},
        "version": known.listing.version,
        "classes": [{"name": name, "photos": counts[name]} for name in known.listing.classes],
        "unlabelled": counts[None],
        "seeing": _seeing(known),
        "work": None if known.work is None else _work(known.work),
        "training": _training(known, taught),
        "guesses": None if known.guesses is None else len(known.guesses),
        "doctor": _doctor(known, taught),
        "exports": exports_of(config, None if known.training is None else known.training.trained),
        "phone": phone_state(config),
        "undo": None if studio.changes.last is None else change_object(studio.changes.last),
        "failure": known.failure or known.blind,
    }


def change_object(change: Change) -> dict[str, Any]:
    """A change of the folder, for JSON: pages say it in their language."""
    return {"action": change.action, "count": change.count, "label": change.label, "to": change.to}


def _seeing(known: Known) -> dict[str, Any]:
    total = len(known.listing.photos)
    skipped = () if known.seen is None else known.seen.extraction.skipped
    return {
        "done": total if known.is_all_seen else min(known.seeing, total),
        "total": total,
        "skipped": [{"name": shown(item.path), "reason": item.reason} for item in skipped[:MOST_SKIPPED]],
    }


def _work(work: Work) -> dict[str, Any]:
    return {
        "kind": work.kind,
        "what": work.what,
        "done": work.done,
        "total": work.total,
        "sentence": work.sentence,
    }


def _training(known: Known, taught: str) -> dict[str, Any] | None:
    training = known.training
    if training is None:
        return None
    return {**training.result, "isCurrent": training.taught == taught, "more": training.more}


def _doctor(known: Known, taught: str) -> dict[str, Any] | None:
    if known.examination is None:
        return None
    return {"isCurrent": known.examined == taught, "number": known.examination.number}
