"""The export that Python users hold: what was written, and further formats of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from retrain.core.errors import ParityError
from retrain.core.observing import Observe, not_observed
from retrain.core.progress import SILENT, Progress
from retrain.core.typed import check_kind
from retrain.exports import writer
from retrain.exports.export_config import ExportConfig
from retrain.exports.further_formats import read_manifest
from retrain.exports.registry import check_names
from retrain.photos.record import NAME as RECORD
from retrain.runs.export import ConvertConfig, export_model
from retrain.training.trained import TrainedHead


@dataclass(frozen=True)
class Exported(writer.Exported):
    """What was written, and how to add to it; made by `export`."""

    bottleneck_dir: Path | str = ""

    def __repr__(self) -> str:
        return f"<Exported {self.folder}: {', '.join(self.formats)}>"

    @property
    def path(self) -> Path:
        """The export folder, which `label_image` reads; absolute."""
        return self.folder.absolute()

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats that are in the folder."""
        return tuple(self.manifest["formats"])

    @property
    def parity(self) -> dict[str, dict[str, Any]]:
        """How each format answers beside the model: the greatest difference, and on how many photos."""
        return dict(self.manifest["parity"])

    def add(self, formats: str | Sequence[str], *, force: bool = False, progress: Progress = SILENT) -> "Exported":
        """Write further formats of it, each judged on the photos that it records, as `retrain export` does.

        `force` keeps float16 and int8 formats that lose accuracy. Raises OptionError for what is no format, ParityError
        for the first that does not hold; those before it are kept.
        """
        check_kind(formats, Iterable, "formats", "a list of names")
        names = check_names((formats,) if isinstance(formats, str) else tuple(formats))
        config = ConvertConfig(self.folder, names, str(self.folder / RECORD), self.bottleneck_dir, force)
        report = export_model(config, progress)
        for result in report.results:
            if result.refused is not None:
                raise ParityError(result.refused)
        return replace(self, manifest=read_manifest(self.folder))


def export(
    trained: TrainedHead,
    config: ExportConfig = ExportConfig(),
    *,
    progress: Progress = SILENT,
    observe: Observe = not_observed,
) -> Exported:
    """Write the export folder, which `label_image` reads, and whatever else `config` asks for.

    Each of the formats is loaded again and compared with the model on photos before it takes its place; an export that
    was there is replaced, anything else is not touched. `progress` is told what was moved; `observe` how many formats
    are written and proven, before and after: where it returns False, Stopped is raised, and all is as it was. Raises
    OptionError, ExportError, ParityError for a format that does not answer like the model.
    """
    written = writer.export(trained, config, progress=progress, observe=observe)
    where = trained.bottlenecks.config.bottleneck_dir
    return Exported(written.folder, written.written, written.manifest, where)
