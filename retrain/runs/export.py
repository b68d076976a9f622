"""`retrain export`: further formats of an export, each run on photos before it takes its place.

One that does not hold, and an interruption, leave what was there untouched.
"""

import functools
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from label_image.errors import ModelError
from label_image.files import remove_scratch_leftovers
from label_image.preprocessing import Preprocessing
from retrain.core.defaults import BOTTLENECK_DIR
from retrain.core.errors import ExportError
from retrain.core.outputs import (
    check_folder,
    check_not_among_photos,
    check_outside,
    check_replaceable_folder,
    exported_beside,
)
from retrain.core.places import place_of
from retrain.core.progress import SILENT, Progress
from retrain.exports.companions import write_missing_clients, write_own_card
from retrain.exports.formats.base import Source
from retrain.exports.further_formats import FurtherFormats, Result, read_manifest
from retrain.exports.proof.judgement import Judgement
from retrain.exports.proof.photos import ExportPhotos, export_photos
from retrain.exports.publication import PROOFS, check_labels
from retrain.exports.registry import SAVED_MODEL, check_packages
from retrain.photos.layouts.reading import Layout
from retrain.photos.source import SourceConfig


@dataclass(frozen=True)
class Report:
    """What came of all formats; `photos` are those whose accuracy is told, answers may have been compared on more.

    `reference` is how good the SavedModel is, the first of the results; `serving` the version folder, where one was
    asked for.
    """

    results: tuple[Result, ...]
    reference: Judgement
    photos: int
    serving: Path | None = None


@dataclass(frozen=True)
class ConvertConfig:
    """Which formats an export is written in, and on which photos they are judged.

    `image_dir` is whatever `Dataset.open` takes, read as `layout` says; photos that are no files are unpacked to
    `source_dir`, or else beside `bottleneck_dir`. `force` keeps float16 and int8 formats that lose accuracy. A
    SavedModel that could do more than compute is refused unless `trust_model`. The SavedModel is also copied to
    `serving_dir`, where that is given.
    """

    model: Path
    formats: tuple[str, ...]
    image_dir: str
    bottleneck_dir: Path | str = Path(BOTTLENECK_DIR)
    force: bool = False
    serving_dir: Path | None = None
    category_names: Path | None = None
    trust_model: bool = False
    layout: Layout = "auto"
    source_dir: Path | None = None

    @property
    def source(self) -> SourceConfig:
        """The photos, named as those of the training were."""
        return SourceConfig(
            self.image_dir, category_names=self.category_names, layout=self.layout, source_dir=self.source_dir
        )


def export_model(config: ConvertConfig, progress: Progress = SILENT) -> Report:
    """Write formats by their names into an export folder, judged on the photos of a source.

    Raises a RetrainError for whatever a user can cause; a format that cannot be made or does not hold is a `refused`
    result, and the others go on.
    """
    export = config.model
    manifest = read_manifest(export)
    check_packages(config.formats)
    if not config.trust_model:
        _search(export)
    remove_scratch_leftovers()
    check_replaceable_folder(export, "MODEL")
    if config.serving_dir is not None:
        check_outside(export, {"`serving_dir`": config.serving_dir}, "the export")
        check_not_among_photos(Path(config.image_dir), {"`serving_dir`": config.serving_dir})
        check_folder(config.serving_dir, "`serving_dir`")
    preprocessing = Preprocessing.parse(manifest["preprocessing"])
    labels = tuple(str(label) for label in manifest["labels"])
    check_labels(export, labels)
    photos = export_photos(
        export,
        labels,
        preprocessing,
        config.source,
        place_of(config.bottleneck_dir).local_dir,
        progress,
    )
    with exported_beside(export) as temporary:
        with ExitStack() as stack:
            formats_from = _source(export, manifest, photos, stack)
            proofs = manifest.get("parity", {})
            work = FurtherFormats(export, temporary, formats_from, proofs, photos, config.force, progress.say)
            reference = work.saved_model()
            results = [Result(SAVED_MODEL, reference)]
            results += [work.serve_bytes() if name == SAVED_MODEL else work.further(name) for name in config.formats]
        write_missing_clients(export, temporary, progress.say)
        write_own_card(export, temporary, progress.say)
        serving = None
        if config.serving_dir is not None:
            from retrain.exports.serving import write_serving

            serving = write_serving(export, config.serving_dir, preprocessing.size)
        return Report(tuple(results), reference, photos.tested, serving)


def _search(export: Path) -> None:
    """Refuse a SavedModel that could do more than compute, before any of it runs. Raises ExportError."""
    from label_image.operations import check_saved_model

    try:
        check_saved_model(export)
    except ModelError as error:
        raise ExportError(str(error)) from None


def _source(export: Path, manifest: Mapping[str, Any], photos: ExportPhotos, stack: ExitStack) -> Source:
    def made(make: Callable[[Path], AbstractContextManager[Path]]) -> Path:
        return stack.enter_context(make(export))

    short = {key: value for key, value in manifest.items() if key not in PROOFS}
    return Source(export, short, functools.cache(photos.calibration), functools.cache(made))
