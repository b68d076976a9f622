"""What pages are told of a studio: one object, the same for all of them."""

import shlex
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from retrain.insight.html.rendering import shown
from retrain.studio.changes import Change
from retrain.studio.config import StudioConfig
from retrain.studio.known import Known, Work, counts_of, labelled_files
from retrain.studio.phone import phone_addresses
from retrain.studio.seeing import Seen
from retrain.studio.sentences import told
from retrain.studio.studio import Studio
from retrain.studio.taking import Taken, exports
from retrain.studio.training import is_current, remarks_on
from retrain.training.trained import TrainedHead

MOST_SKIPPED = 20  # files that cannot be used, by name


def state_of(studio: Studio) -> dict[str, Any]:
    """The state, for JSON."""
    known, config = studio.known, studio.config
    counts, failure = counts_of(known.listing), known.blind or known.failure
    return {
        "folder": {"name": shown(config.folder.name), "path": shown(config.folder)},
        "options": shlex.join(config.words),
        "version": known.listing.version,
        "classes": [{"name": shown(name), "photos": counts[name]} for name in known.listing.classes],
        "unlabelled": counts[None],
        "seeing": _seeing(known),
        "work": None if known.work is None else _work(known.work),
        "training": _training(known),
        "guesses": None if known.guesses is None else len(known.guesses),
        "doctor": _doctor(studio, known),
        "exports": _exports(config, known),
        "phone": phone_addresses(config).plain(),
        "undo": None if studio.changes.last is None else change_object(studio.changes.last),
        "failure": None if failure is None else told(failure),
    }


def change_object(change: Change) -> dict[str, Any]:
    """A change of the folder, for JSON: pages say it in their language."""
    return {
        "action": change.action,
        "count": change.count,
        "label": None if change.label is None else shown(change.label),
        "to": None if change.to is None else shown(change.to),
        "remark": change.remark,
    }


def _seeing(known: Known) -> dict[str, Any]:
    total = len(known.listing.photos)
    skipped = () if known.seen is None else known.seen.extraction.skipped
    return {
        "done": total if known.is_all_seen else min(known.seeing, total),
        "total": total,
        "skipped": [{"name": shown(item.path), "reason": told(item.reason)} for item in skipped[:MOST_SKIPPED]],
    }


def _work(work: Work) -> dict[str, Any]:
    return {
        "kind": work.kind,
        "what": work.what,
        "done": work.done,
        "total": work.total,
        "sentence": told(work.sentence),
    }


def _training(known: Known) -> dict[str, Any] | None:
    training = known.training
    if training is None:
        return None
    return {
        **training.result,
        "isCurrent": is_current(training.trained, known.listing),
        "remarks": remarks_on(training.trained),
        "more": training.more,
    }


def _doctor(studio: Studio, known: Known) -> dict[str, Any] | None:
    if known.examination is None:
        return None
    return {
        "isCurrent": known.examined == labelled_files(known.listing),
        "number": known.examination.number(known.listing, studio.kept),
    }


def _exports(config: StudioConfig, known: Known) -> list[dict[str, Any]]:
    """What can be taken away: nothing before a training, unless an earlier one left something."""
    trained = None if known.training is None else known.training.trained
    places = (config.output_dir, config.output_dir / "model.json", config.folder / ".studio")
    found = _exports_at(config, trained, known.seen, tuple(map(_changed, places)))
    return [one.plain() for one in found] if trained is not None or any(one.is_written for one in found) else []


@lru_cache(maxsize=1)
def _exports_at(
    config: StudioConfig, trained: TrainedHead | None, seen: Seen | None, changed: tuple[int, ...]
) -> Sequence[Taken]:
    """Looked up again where something was written: the state is asked for all the time."""
    return exports(config, trained, seen)


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
