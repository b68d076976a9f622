"""Where photos come from: `list_source` understands everything that `--image_dir` may name.

    a folder of class folders, given splits, a manifest    retrain.photos.dataset
    a folder with metadata.csv, .jsonl or .parquet         retrain.photos.sources.hugging_face
    a .parquet file, or a folder of them                   retrain.photos.sources.parquet
    tfds:NAME[:split]                                      retrain.photos.sources.tfds

Photos that are no files (Parquet, tfds) are written once as files, see `retrain.photos.sources.unpack`;
everything later works on paths. docs/sources.md shows each form.
"""

import os
from collections.abc import Callable
from pathlib import Path

from retrain.photos.dataset import Dataset, check_class_names, list_photos, require_two_classes

TFDS = "tfds:"


def list_source(
    source: str | os.PathLike[str],
    bottleneck_dir: str | os.PathLike[str],
    paranoid: bool = False,
    say: Callable[[str], None] = lambda sentence: None,
    observe: Callable[[int, int], None] = lambda done, total: None,
) -> Dataset:
    """List the candidate photos of a source, sorted by class and path.

    Photos that are no files are written below `sources/` beside the bottleneck folder, once.
    `paranoid` reads the files of such a source again, whatever their size and date say; `say` is
    told of what takes long, and `observe` how many photos are written, of how many. Raises DatasetError,
    as `list_photos` does, and OptionError for a `tfds:` that names no set.
    """
    bottleneck_dir = Path(bottleneck_dir)
    # Each kind is imported where it is met: class folders need neither Arrow nor tensorflow-datasets.
    if os.fspath(source).startswith(TFDS):
        from retrain.photos.sources.tfds import list_tfds

        return list_tfds(os.fspath(source).removeprefix(TFDS), bottleneck_dir, paranoid, say, observe)
    path = Path(source)
    if path.suffix.lower() == ".parquet" or path.is_dir():
        from retrain.photos.sources.hugging_face import list_metadata_folder, metadata_files
        from retrain.photos.sources.parquet import list_parquet, parquet_files

        if metadata := metadata_files(path):
            return list_metadata_folder(path, metadata)
        if shards := parquet_files(path):
            return list_parquet(path, shards, bottleneck_dir, paranoid, say, observe)
    return list_photos(path)


def finish(dataset: Dataset, source: str | os.PathLike[str]) -> Dataset:
    """A data set in its stable order, if it holds a classification problem. Raises DatasetError."""
    labels = sorted({file.label for file in dataset.files})
    check_class_names(labels)
    require_two_classes(labels, source)
    files = tuple(sorted(dataset.files, key=lambda file: (file.label, file.path)))
    return Dataset(files, dataset.skipped, dataset.remarks)
