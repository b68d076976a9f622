"""What a tracker is."""

from collections.abc import Callable
from dataclasses import dataclass

from retrain.insight.tracking.record import Record


@dataclass(frozen=True)
class Tracker:
    """A tracker by its name.

    `check` raises OptionError where it cannot work, before anything is computed. `place` says where it writes, for
    people. `keep` writes a record there, and raises ExportError.
    """

    name: str
    check: Callable[[], None]
    place: Callable[[], str]
    keep: Callable[[Record], None]
