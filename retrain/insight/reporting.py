"""What is told about a run beyond its last lines: a page, TensorBoard summaries, trackers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from retrain.core.defaults import TOP_K
from retrain.core.html_files import check_page
from retrain.core.outputs import check_folder


@dataclass(frozen=True)
class ReportConfig:
    """Where the page about a run and its TensorBoard summaries go, and how many answers are shown of a photo.

    `track` names the trackers that are told of it.
    """

    report: Path | None = None
    summaries_dir: Path | None = None
    top_k: int = TOP_K
    track: tuple[str, ...] = ()

    @property
    def outputs(self) -> Mapping[str, Path | None]:
        """What is written, by its option."""
        return {"`summaries_dir`": self.summaries_dir, "`report`": self.report}

    def check(self) -> None:
        """Refuse, before any work, what cannot be written. Raises OptionError or ExportError; makes nothing."""
        if self.summaries_dir is not None:
            check_folder(self.summaries_dir, "`summaries_dir`")
        if self.report is not None:
            check_page(self.report, "`report`")
        if self.track:
            from retrain.insight.tracking.registry import check_trackers

            check_trackers(self.track)
