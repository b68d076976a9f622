"""The options of a training that say where its results go: all checked before the work."""

from typing import TYPE_CHECKING

from label_image.files import remove_scratch_leftovers
from retrain.core.html_files import check_page
from retrain.core.outputs import (
    check_distinct,
    check_file,
    check_folder,
    check_not_among_photos,
    check_outside,
    check_replaceable_folder,
)
from retrain.exports.folder import check_export_dir, previous_of

if TYPE_CHECKING:
    from retrain.runs.train import Options


def check_outputs(options: "Options") -> None:
    """Refuse, before any work, what cannot be written, or would lie where something else is. Makes nothing.

    Raises OptionError or ExportError.
    """
    files = {"--output_graph": options.output_graph, "--output_labels": options.output_labels}
    outputs = {
        **files,
        "--saved_model_dir": options.saved_model_dir,
        "--summaries_dir": options.summaries_dir,
        "--report": options.report,
    }
    kept = {
        "--bottleneck_dir": options.bottleneck_dir,
        "--model_dir": options.model_dir,
        "--checkpoint_path": options.checkpoint_path,
    }
    remove_scratch_leftovers()
    check_export_dir(options.output_dir)
    check_outside(options.output_dir, {**outputs, **kept, "--image_dir": options.image_dir})
    check_outside(previous_of(options.output_dir), {**outputs, **kept}, "the place of the export before,")
    check_not_among_photos(options.image_dir, {"--output_dir": options.output_dir, **outputs})
    check_distinct(outputs)
    for option, path in files.items():
        if path is not None:
            check_file(path, option)
    if options.saved_model_dir is not None:
        check_outside(options.saved_model_dir, {**kept, "--image_dir": options.image_dir}, "--saved_model_dir")
        check_replaceable_folder(options.saved_model_dir, "--saved_model_dir")
    if options.summaries_dir is not None:
        check_folder(options.summaries_dir, "--summaries_dir")
    if options.report is not None:
        check_page(options.report, "--report")
