"""The way in: whatever `--image_dir` may name, as a data set.

The source is recognised and read (`retrain.photos.sources`), then put in order; a file of fixes and a limit for each
class choose among its photos.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from label_image.folders import is_litter
from retrain.core.errors import DatasetError, OptionError
from retrain.core.progress import SILENT, Progress
from retrain.photos import dataset
from retrain.photos.fixes import apply_fixes
from retrain.photos.layouts.reading import LAYOUTS, Layout
from retrain.photos.layouts.words import LITTER
from retrain.photos.sources.base import Source, Unpacking, is_folder
from retrain.photos.sources.folders import FOLDERS
from retrain.photos.sources.manifests import MANIFESTS
from retrain.photos.sources.registry import SOURCES
from retrain.photos.subset import limit_per_class

MOST_AROUND = 5  # folders, one in the other, around a data set in an archive


def list_photos(
    source: str | os.PathLike[str],
    bottleneck_dir: str | os.PathLike[str] = Unpacking.bottleneck_dir,
    paranoid: bool = False,
    say: Callable[[str], None] = lambda sentence: None,
    observe: Callable[[int, int], None] = lambda done, total: None,
    layout: Layout = "auto",
    source_dir: str | os.PathLike[str] | None = None,
    progress: Progress = SILENT,
) -> dataset.Dataset:
    """List the candidate photos of a source, sorted by class and path.

    Photos that are no files are written to `source_dir`, once; without one to `sources/` beside the bottleneck folder;
    see `Unpacking`. `progress` is told of downloads and archives. Raises DatasetError where there is no such source,
    it cannot be read, or holds no two classes whose names can be told apart; DownloadError; OptionError for a `tfds:`
    that names no set, and for a folder that can be read in two ways: `layout` says in which.
    """
    name = os.fspath(source)
    unpacking = Unpacking(
        Path(bottleneck_dir),
        paranoid,
        say,
        observe,
        layout,
        progress.downloading,
        progress.opening,
        None if source_dir is None else Path(source_dir),
        _read_unpacked,
    )
    for one in _sources(name, layout):
        if one.recognises(name):
            return dataset.in_order(one.read(name, unpacking), name)
    raise _nothing_known(Path(name))


def open_dataset(
    source: str | os.PathLike[str],
    *,
    bottleneck_dir: str | os.PathLike[str] = Unpacking.bottleneck_dir,
    fixes: str | os.PathLike[str] | None = None,
    max_images_per_class: int | None = None,
    paranoid: bool = False,
    say: Callable[[str], None] = lambda sentence: None,
    observe: Callable[[int, int], None] = lambda done, total: None,
    layout: Layout = "auto",
    source_dir: str | os.PathLike[str] | None = None,
    progress: Progress = SILENT,
) -> "Dataset":
    """The photos of whatever `--image_dir` takes: a folder, a manifest, Parquet, an archive, an address, `tfds:NAME`.

    `fixes` and `max_images_per_class` choose among them. Photos that are no files are written once to `source_dir`, or
    else beside `bottleneck_dir`; `say` and `observe` are told of it, and `progress` of downloads. `layout` says how a
    folder is to be read, where its names do not (docs/photos.md). Raises DatasetError if there are fewer than two
    classes, or the source or the fixes cannot be read; DownloadError; OptionError.
    """
    found = list_photos(source, bottleneck_dir, paranoid, say, observe, layout, source_dir, progress)
    found = apply_fixes(found, None if fixes is None else Path(fixes), source)
    found = limit_per_class(found, max_images_per_class)
    return Dataset(found.files, found.skipped, found.remarks, os.fspath(source), found.reading, found.ordinary)


class Dataset(dataset.Dataset):
    """The value with its way in, `Dataset.open(source)`: what `retrain.Dataset` is.

    Here, and not on the value, which the sources make: they would have to import each other.
    """

    open = staticmethod(open_dataset)


def _sources(name: str, layout: Layout) -> Sequence[Source]:
    """Those that are asked for a name; that of folders alone if it is said how one is to be read."""
    if layout not in LAYOUTS:
        raise OptionError(f"`layout` {layout} is not known: give one of {', '.join(LAYOUTS)}.")
    if layout != "auto" and is_folder(name):
        return (FOLDERS,)
    if layout != "auto" and (holders := [one for one in SOURCES if one.holds_others and one.recognises(name)]):
        return holders
    if layout != "auto" and any(source.recognises(name) for source in SOURCES):
        raise OptionError(f"{name} is not a folder: leave `layout` {layout} out.")
    return SOURCES


def _read_unpacked(place: str, unpacking: Unpacking) -> dataset.Dataset:
    """The photos of what was unpacked or fetched: a folder, as a rule; or what lies alone in folders around it."""
    if not is_folder(place):
        source = next((one for one in _sources(place, unpacking.layout) if one.recognises(place)), None)
        if source is None:
            raise _nothing_known(Path(place))
        return source.read(place, unpacking)
    inner = place
    for _ in range(MOST_AROUND):
        if unpacking.layout == "auto":
            source = next(one for one in SOURCES if one.recognises(inner))
            if source is not FOLDERS:
                return source.read(inner, unpacking)
        entries = [name for name in os.listdir(inner) if not is_litter(name) and name.lower() not in LITTER]
        if len(entries) != 1 or not is_folder(os.path.join(inner, entries[0])):
            break
        inner = os.path.join(inner, entries[0])
    try:
        return FOLDERS.read(place, unpacking)
    except (DatasetError, OptionError) as error:
        tables = sorted(name for name in os.listdir(inner) if MANIFESTS.recognises(os.path.join(inner, name)))
        if not tables:
            raise
        table = os.path.join(inner, tables[0])
        raise type(error)(f"{error} There are tables in it: if one has the classes, pass it, as {table}.") from None


def _nothing_known(path: Path) -> DatasetError:
    try:
        os.stat(path)
    except FileNotFoundError:
        return DatasetError(f"There is no folder or manifest {path}; check `image_dir`.")
    except (OSError, ValueError) as error:
        return DatasetError(f"{path} cannot be read: {getattr(error, 'strerror', error)}; check `image_dir`.")
    return DatasetError(
        f"{path} is neither a folder of class folders, nor a table (.csv, .tsv, .jsonl, .parquet), nor an archive "
        "(.zip, .tar, .tar.gz)."
    )
