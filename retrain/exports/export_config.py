"""What is exported and where to; what cannot be written there is refused before any work."""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from label_image.files import remove_scratch_leftovers
from retrain.core.defaults import FINAL_TENSOR_NAME
from retrain.core.errors import OptionError
from retrain.core.outputs import (
    check_distinct,
    check_file,
    check_not_among_photos,
    check_outside,
    check_replaceable_folder,
)
from retrain.core.typed import check_fields, check_kind
from retrain.exports.folder import check_export_dir, previous_of
from retrain.exports.registry import SAVED_MODEL, TRAINING_FORMATS, check_formats
from retrain.photos.record import NAME as RECORD

NONE: Mapping[str, Path | None] = MappingProxyType({})


@dataclass(frozen=True)
class ExportConfig:
    """The export folder with its formats, and what is written beside it, as in 2017.

    By default not the folder of the command line: what was made there stays as it is.
    `final_tensor_name` is the output of the frozen graph that goes to `output_graph`. Raises OptionError for a format
    that is not known, and for what is made of a SavedModel where none is written.
    """

    output_dir: Path = Path("tf_files/python_model")
    formats: tuple[str, ...] = TRAINING_FORMATS
    output_graph: Path | None = None
    output_labels: Path | None = None
    saved_model_dir: Path | None = None
    final_tensor_name: str = FINAL_TENSOR_NAME

    def __post_init__(self) -> None:
        formats = (self.formats,) if isinstance(self.formats, str) else self.formats
        check_kind(formats, Collection, "formats", "a list of names")
        object.__setattr__(self, "formats", check_formats(formats))
        check_fields(self)
        object.__setattr__(self, "output_dir", Path(self.output_dir))  # text is taken, too
        made_of_it = {"`output_graph`": self.output_graph, "`saved_model_dir`": self.saved_model_dir}
        option = next((option for option, path in made_of_it.items() if path is not None), None)
        if option and SAVED_MODEL not in self.formats:
            raise OptionError(f"{option} is made of the SavedModel: add {SAVED_MODEL} to `formats`, or leave it out.")

    def check(
        self,
        image_dir: Path,
        kept: Mapping[str, Path | None] = NONE,
        beside: Mapping[str, Path | None] = NONE,
        add_images: Sequence[Path] = (),
    ) -> None:
        """Refuse, before any work, what cannot be written, or would lie where something else is. Makes nothing.

        `kept` are the places where the run keeps what it needs again, `beside` its other outputs, each by its option.
        Raises OptionError or ExportError.
        """
        files = {"`output_graph`": self.output_graph, "`output_labels`": self.output_labels}
        outputs = {**files, "`saved_model_dir`": self.saved_model_dir, **beside}
        remove_scratch_leftovers()
        check_export_dir(self.output_dir)
        # The record of the run before may be where the new one comes: it is read before anything is replaced.
        own = os.path.realpath(image_dir) == os.path.realpath(self.output_dir / RECORD)
        photos = {} if own else {"`image_dir`": image_dir}
        check_outside(self.output_dir, {**outputs, **kept, **photos})
        for added in add_images:
            check_outside(self.output_dir, {"`add_images`": added})
            check_not_among_photos(added, {"`output_dir`": self.output_dir, **outputs})
        check_outside(previous_of(self.output_dir), {**outputs, **kept}, "the place of the export before,")
        check_not_among_photos(image_dir, {"`output_dir`": self.output_dir, **outputs})
        check_distinct(outputs)
        for option, path in files.items():
            if path is not None:
                check_file(path, option)
        if self.saved_model_dir is not None:
            check_outside(self.saved_model_dir, {**kept, "`image_dir`": image_dir}, "`saved_model_dir`")
            check_replaceable_folder(self.saved_model_dir, "`saved_model_dir`")
