"""The way in: whatever `--image_dir` may name, and `--add_images` beside it, as a data set.

The source is recognised and read (`retrain.photos.sources`), then put in order; a file of fixes and a limit for each
class choose among its photos.
"""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from retrain.core.errors import DatasetError, OptionError
from retrain.photos import dataset
from retrain.photos.adding import joined
from retrain.photos.fixes import apply_fixes
from retrain.photos.layouts.reading import LAYOUTS, Layout
from retrain.photos.sources.base import Source, Unpacking, is_folder
from retrain.photos.sources.folders import FOLDERS
from retrain.photos.sources.registry import SOURCES
from retrain.photos.subset import limit_per_class


def list_photos(
    source: str | os.PathLike[str],
    bottleneck_dir: str | os.PathLike[str] = Unpacking.bottleneck_dir,
    paranoid: bool = False,
    say: Callable[[str], None] = lambda sentence: None,
    observe: Callable[[int, int], None] = lambda done, total: None,
    layout: Layout = "auto",
) -> dataset.Dataset:
    """List the candidate photos of a source, sorted by class and path.

    Photos that are no files are written below `sources/` beside the bottleneck folder, once; see `Unpacking`. Raises
    DatasetError where there is no such source, it cannot be read, or holds no two classes whose names can be told
    apart; OptionError for a `tfds:` that names no set, and for a folder that can be read in two ways: `layout` says
    in which.
    """
    unpacking = Unpacking(Path(bottleneck_dir), paranoid, say, observe, layout)
    return dataset.in_order(_read(os.fspath(source), unpacking), Path(source))


def list_together(sources: Sequence[str | os.PathLike[str]], unpacking: Unpacking) -> dataset.Dataset:
    """The photos of several sources as those of one; of those after the first a single class will do.

    Each is read as `list_photos` reads it, the folders among them as `unpacking.layout` says.
    """
    names = [os.fspath(source) for source in sources]
    if unpacking.layout != "auto" and not any(map(is_folder, names)):
        _sources(names[0], unpacking.layout)  # which says what is wrong
    parts = []
    for part, name in enumerate(names):
        layout = unpacking.layout if is_folder(name) or len(names) == 1 else "auto"
        class_name = _class_name(name) if part else None
        parts.append((name, _read(name, replace(unpacking, layout=layout, class_name=class_name))))
    return dataset.in_order(joined(parts), Path(names[0]))


def open_dataset(
    source: str | os.PathLike[str],
    *,
    add_images: Sequence[str | os.PathLike[str]] = (),
    bottleneck_dir: str | os.PathLike[str] = Unpacking.bottleneck_dir,
    fixes: str | os.PathLike[str] | None = None,
    max_images_per_class: int | None = None,
    paranoid: bool = False,
    say: Callable[[str], None] = lambda sentence: None,
    observe: Callable[[int, int], None] = lambda done, total: None,
    layout: Layout = "auto",
) -> "Dataset":
    """The photos of whatever `--image_dir` takes: a folder, a manifest, Parquet, `tfds:NAME`.

    Those of `add_images` are added to them: each is whatever a source may be, or a folder of one class. `fixes` and
    `max_images_per_class` choose among all. Photos that are no files are written once beside `bottleneck_dir`; `say`
    and `observe` are told of it. `layout` says how a folder is to be read, where its names do not (docs/photos.md).
    Raises DatasetError if there are fewer than two classes, or the source or the fixes cannot be read; OptionError.
    """
    unpacking = Unpacking(Path(bottleneck_dir), paranoid, say, observe, layout)
    found = list_together([source, *add_images], unpacking)
    found = apply_fixes(found, None if fixes is None else Path(fixes), source, add_images)
    found = limit_per_class(found, max_images_per_class)
    return Dataset(found.files, found.skipped, found.remarks, os.fspath(source), found.reading, found.ordinary)


class Dataset(dataset.Dataset):
    """The value with its way in, `Dataset.open(source)`: what `retrain.Dataset` is.

    Here, and not on the value, which the sources make: they would have to import each other.
    """

    open = staticmethod(open_dataset)


def _read(name: str, unpacking: Unpacking) -> dataset.Dataset:
    """The photos of one source, in any order."""
    for one in _sources(name, unpacking.layout):
        if one.recognises(name):
            return one.read(name, unpacking)
    raise _nothing_known(Path(name), "`image_dir`" if unpacking.class_name is None else "`add_images`")


def _class_name(source: str) -> str:
    """What photos without classes are called: as their folder, or their file without its extensions."""
    name = os.path.basename(os.path.abspath(source))
    return name if is_folder(source) else re.sub(r"(\.tar)?\.[^.]+$", "", name)


def _sources(name: str, layout: Layout) -> Sequence[Source]:
    """Those that are asked for a name; that of folders alone if it is said how one is to be read."""
    if layout not in LAYOUTS:
        raise OptionError(f"`layout` {layout} is not known: give one of {', '.join(LAYOUTS)}.")
    if layout != "auto" and is_folder(name):
        return (FOLDERS,)
    if layout != "auto" and any(source.recognises(name) for source in SOURCES):
        raise OptionError(f"{name} is not a folder: leave `layout` {layout} out.")
    return SOURCES


def _nothing_known(path: Path, option: str) -> DatasetError:
    try:
        os.stat(path)
    except FileNotFoundError:
        return DatasetError(f"There is no folder or manifest {path}; check {option}.")
    except (OSError, ValueError) as error:
        return DatasetError(f"{path} cannot be read: {getattr(error, 'strerror', error)}; check {option}.")
    return DatasetError(f"{path} is neither a folder of class folders nor a table (.csv, .tsv, .jsonl, .parquet).")
