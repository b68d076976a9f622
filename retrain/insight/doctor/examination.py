"""`retrain doctor`: from the options to the files that are written."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from retrain.backbones.backbone import Backbone
from retrain.backbones.engines.base import Engine
from retrain.backbones.engines.registry import start_engine
from retrain.insight.doctor.diagnose import diagnose
from retrain.insight.doctor.findings import Diagnosis
from retrain.insight.doctor.written import Written, check_output_dir, write_diagnosis
from retrain.photos.dataset import require_two_classes
from retrain.photos.split import split_photos
from retrain.runs.train import Options, Screen, choose_backbone, extract_with_progress, gather_dataset, look_for_gpu


def examine(
    options: Options, output_dir: Path, screen: Screen, start: Callable[[Backbone], Engine] | None = None
) -> tuple[Diagnosis, Written]:
    """Examine the photos of `options.image_dir` and write what was found; `start` makes another engine.

    Classes have the names of their folders, which is what fixes.csv needs. Raises a RetrainError for whatever a
    user can cause.
    """
    check_output_dir(output_dir, options.image_dir)
    look_for_gpu(options, screen)
    dataset, _ = gather_dataset(options, screen)
    backbone = choose_backbone(options, screen)
    start = start or partial(start_engine, engine=options.engine)
    extraction = extract_with_progress(dataset, backbone, options, screen, start)
    screen.finish()
    require_two_classes(sorted({photo.label for photo in extraction.photos}), options.image_dir)
    division = split_photos(extraction.photos, options.testing_percentage, options.validation_percentage, options.seed)
    screen.say("Looking at each photo once …")
    sides = division.splits if division.folds is None else None
    diagnosis = diagnose(extraction, sides, backbone.input_size, options.seed)
    return diagnosis, write_diagnosis(diagnosis, options.image_dir, output_dir)
