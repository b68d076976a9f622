"""The way in: whatever `--image_dir` may name, and `--add_images` beside it, as a data set.

The source is recognised and read (`retrain.photos.sources`), then put in order; a file of fixes and a limit for each
class choose among its photos.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from label_image.files import reason_of
from retrain.core.errors import DatasetError, OptionError
from retrain.core.observing import Observe, not_observed, observed
from retrain.core.progress import SILENT, Progress
from retrain.core.typed import check_kind
from retrain.photos import dataset, handling
from retrain.photos.adding import joined
from retrain.photos.fixes import apply_fixes
from retrain.photos.layouts.reading import LAYOUTS, Layout
from retrain.photos.layouts.words import is_litter_folder
from retrain.photos.reading import absolute_paths
from retrain.photos.sources.base import Source, Unpacking, is_folder
from retrain.photos.sources.folders import FOLDERS
from retrain.photos.sources.manifests import MANIFESTS
from retrain.photos.sources.objects import OBJECTS
from retrain.photos.sources.registry import SOURCES
from retrain.photos.subset import limit_per_class

MOST_AROUND = 5  # folders, one in the other, around a data set in an archive


def list_photos(
    source: str | os.PathLike[str],
    bottleneck_dir: str | os.PathLike[str] = Unpacking.bottleneck_dir,
    paranoid: bool = False,
    layout: Layout = "auto",
    source_dir: str | os.PathLike[str] | None = None,
    progress: Progress = SILENT,
) -> dataset.Dataset:
    """List the candidate photos of a source, sorted by class and path.

    Photos that are no files are written to `source_dir`, once; without one to `sources/` beside the bottleneck folder;
    see `Unpacking`. `progress` is told of it, of downloads and of archives. Raises DatasetError where there is no such
    source, it cannot be read, or holds no two classes whose names can be told apart; DownloadError; OptionError for a
    `tfds:` that names no set, and for a folder that can be read in two ways: `layout` says in which.
    """
    unpacking = unpacking_beside(bottleneck_dir, paranoid, layout, source_dir, progress)
    name = os.fspath(source)
    return dataset.in_order(read_source(name, unpacking), name)


def list_together(sources: Sequence[str | os.PathLike[str]], unpacking: Unpacking) -> dataset.Dataset:
    """The photos of several sources as those of one; of those after the first a single class will do.

    Each is read as `list_photos` reads it, what a layout can be said of as `unpacking.layout` says.
    """
    names = [os.fspath(source) for source in sources]
    if unpacking.layout != "auto" and not any(map(_has_layout, names)):
        _sources(names[0], unpacking.layout)  # which says what is wrong
    parts = []
    for part, name in enumerate(names):
        layout = unpacking.layout if _has_layout(name) or len(names) == 1 else "auto"
        class_name = _class_name(name) if part else None
        parts.append((name, read_source(name, replace(unpacking, layout=layout, class_name=class_name))))
    return dataset.in_order(joined(parts), names[0])


def open_dataset(
    source: str | os.PathLike[str],
    *,
    add_images: Sequence[str | os.PathLike[str]] = (),
    bottleneck_dir: str | os.PathLike[str] = Unpacking.bottleneck_dir,
    fixes: str | os.PathLike[str] | None = None,
    max_images_per_class: int | None = None,
    paranoid: bool = False,
    layout: Layout = "auto",
    source_dir: str | os.PathLike[str] | None = None,
    progress: Progress = SILENT,
    observe: Observe = not_observed,
    absolute: bool = True,
) -> "Dataset":
    """The photos of whatever `--image_dir` takes: a folder, a manifest, Parquet, an archive, an address, `tfds:NAME`.

    Those of `add_images` are added to them: each is whatever a source may be, or a folder of one class. `fixes` and
    `max_images_per_class` choose among all. Photos that are no files are written once to `source_dir`, or else beside
    `bottleneck_dir`; `progress` is told of it, of downloads and of archives, and so is `observe`, as two numbers: where
    it returns False, Stopped is raised. `layout` says how a folder is to be read, where its names do not
    (docs/photos.md). Paths are `absolute`, so that they mean the same files wherever the program goes, or as the source
    has them. Raises DatasetError if there are fewer than two classes, or the source or the fixes cannot be read;
    DownloadError; OptionError.
    """
    if not isinstance(source, str | os.PathLike):
        raise OptionError(f"`image_dir` is a path or an address; Dataset.open got {type(source).__name__}.")
    if isinstance(add_images, str | os.PathLike):
        add_images = (add_images,)
    check_kind(add_images, Iterable, "add_images", "a list of paths")
    progress = observed(progress, observe)
    unpacking = unpacking_beside(bottleneck_dir, paranoid, layout, source_dir, progress)
    found = list_together([source, *add_images], unpacking)
    return chosen(found, source, add_images, fixes, max_images_per_class, absolute=absolute)


def chosen(
    found: dataset.Dataset,
    source: str | os.PathLike[str],
    add_images: Sequence[str | os.PathLike[str]] = (),
    fixes: str | os.PathLike[str] | None = None,
    max_images_per_class: int | None = None,
    *,
    name_of: Mapping[str, str] = MappingProxyType({}),
    absolute: bool = False,
) -> "Dataset":
    """Those of the photos of several sources that count; `fixes` may call classes by what `name_of` shows for them."""
    found = apply_fixes(found, None if fixes is None else Path(fixes), source, add_images, name_of)
    found = limit_per_class(found, max_images_per_class)
    if absolute:
        found = _absolute(found, os.fspath(source))
    return Dataset(
        found.files,
        found.skipped,
        found.remarks,
        os.fspath(source),
        found.reading,
        found.ordinary,
        found.max_images_per_class,
        found.opened_in,
        found.roots,
    )


def _absolute(found: dataset.Dataset, source: str) -> dataset.Dataset:
    """The same with paths that do not depend on the working folder; addresses and what is gone as they are."""
    paths = absolute_paths(file.path for file in found.files)
    files = [
        file if path == file.path or file.gone else replace(file, path=path)
        for file, path in zip(found.files, paths, strict=True)
    ]
    skipped = zip(found.skipped, absolute_paths(one.path for one in found.skipped), strict=True)
    return replace(
        found,
        files=tuple(files),
        skipped=tuple(replace(one, path=path) for one, path in skipped),
        opened_in="" if os.path.isabs(source) else os.getcwd(),
        roots=tuple(replace(root, folder=os.path.abspath(root.folder)) for root in found.roots),
    )


class Dataset(handling.Dataset):
    """The value with its ways in, `Dataset.open(source)` and lists: what `retrain.Dataset` is.

    Here, and not on the value, which the sources make: they would have to import each other.
    """

    open = staticmethod(open_dataset)
    from_folder = staticmethod(open_dataset)


def read_source(name: str, unpacking: Unpacking) -> dataset.Dataset:
    """The photos of one source, in any order, of whatever classes. Raises what `list_photos` raises."""
    for one in _sources(name, unpacking.layout):
        if one.recognises(name):
            return one.read(name, unpacking)
    # Photos that need no class are the arguments DATA; a class that a name gives is of photos that are added.
    told_as = {None: "`image_dir`", "": "DATA"}.get(unpacking.class_name, "`add_images`")
    raise _nothing_known(Path(name), told_as)


def _class_name(source: str) -> str:
    """What photos without classes are called: as their folder, or their file without its extensions."""
    name = os.path.basename(os.path.abspath(source))
    return name if is_folder(source) or OBJECTS.recognises(source) else re.sub(r"(\.tar)?\.[^.]+$", "", name)


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


def _has_layout(name: str) -> bool:
    """Whether it can be said how a source is to be read: a folder, or what a folder comes out of."""
    return is_folder(name) or any(one.holds_others and one.recognises(name) for one in SOURCES)


def unpacking_beside(
    bottleneck_dir: str | os.PathLike[str],
    paranoid: bool = False,
    layout: Layout = "auto",
    source_dir: str | os.PathLike[str] | None = None,
    progress: Progress = SILENT,
) -> Unpacking:
    """How sources are read that are unpacked beside a bottleneck folder, or to `source_dir`."""
    kept = None if source_dir is None else Path(source_dir)
    return Unpacking(Path(bottleneck_dir), paranoid, layout, kept, progress, _read_unpacked)


def _read_unpacked(place: str, unpacking: Unpacking) -> dataset.Dataset:
    """The photos of what was unpacked or fetched: a folder, as a rule; or what lies alone in folders around it."""
    if not is_folder(place):
        return read_source(place, unpacking)
    inner = place
    for _ in range(MOST_AROUND):
        if unpacking.layout == "auto":
            source = next(one for one in SOURCES if one.recognises(inner))
            if source is not FOLDERS:
                return source.read(inner, unpacking)
        entries = [name for name in os.listdir(inner) if not is_litter_folder(name)]
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


def _nothing_known(path: Path, option: str) -> DatasetError:
    try:
        os.stat(path)
    except FileNotFoundError:
        return DatasetError(f"There is no folder or manifest {path}; check {option}.")
    except (OSError, ValueError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else error
        return DatasetError(f"{path} cannot be read: {reason}; check {option}.")
    return DatasetError(
        f"{path} is neither a folder of class folders, nor a table (.csv, .tsv, .jsonl, .parquet), nor an archive "
        "(.zip, .tar, .tar.gz)."
    )
