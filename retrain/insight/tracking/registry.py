"""The registry of trackers. A new one is a file beside this one, which declares it as `TRACKER`, and a line here."""

from collections.abc import Sequence

from retrain.core.errors import OptionError
from retrain.core.progress import Progress
from retrain.insight.tracking import mlflow
from retrain.insight.tracking.record import record_of
from retrain.runs.train import Run

TRACKERS = {tracker.name: tracker for tracker in (mlflow.TRACKER,)}


def check_trackers(names: Sequence[str]) -> None:
    """Raises OptionError for a tracker that is not known, or that cannot work here."""
    for name in names:
        if name not in TRACKERS:
            raise OptionError(f"`track` {name} is not known; choose from {', '.join(TRACKERS)}.")
        TRACKERS[name].check()


def track(names: Sequence[str], run: Run, progress: Progress) -> None:
    """Tell trackers of a run that has ended; where they write is said first. Raises ExportError."""
    for name in names:
        progress.say(f"Keeping the run in {TRACKERS[name].place()} for {name} …")
        TRACKERS[name].keep(record_of(run))
