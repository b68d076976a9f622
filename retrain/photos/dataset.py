"""Which photos there are, and what class each belongs to.

A source is one of

    a folder of class folders              cats/Bengal/1.jpg
    a folder with given splits             flowers/train/daisy/1.jpg, flowers/valid/…, flowers/test/…
    a manifest                             photos.csv or .tsv with path,label[,split]

`list_photos` walks it without opening a photo; what is passed over is listed with the reason.
"""

import hashlib
import os
import stat
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from pathlib import Path
from typing import Literal

from label_image.folders import entries_of, is_litter, walk
from retrain.core.errors import DatasetError
from retrain.photos.text_tables import table_rows

Split = Literal["training", "validation", "testing"]

SPLIT_FOLDERS: dict[str, Split] = {
    "train": "training",
    "training": "training",
    "valid": "validation",
    "validation": "validation",
    "val": "validation",
    "test": "testing",
    "testing": "testing",
}


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """One file that may be a photo, as the walk found it. `split` is set where the source gives it.

    Without a change time (`ctime_ns`) a file is read again in every run.
    """

    path: str
    label: str
    size: int
    mtime_ns: int
    inode: int
    split: Split | None = None
    ctime_ns: int = field(default=2**63 - 1, compare=False)  # changes where nothing that is compared here does


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is not used, and why, as a phrase that continues its path."""

    path: str
    reason: str


@dataclass(frozen=True)
class Dataset:
    """What a source holds: candidate photos in a stable order, skipped files, remarks for the screen.

    No file has been read yet. `source` is what `open` was given.
    """

    files: tuple[PhotoFile, ...]
    skipped: tuple[Skipped, ...] = ()
    remarks: tuple[str, ...] = ()
    source: str = ""

    @classmethod
    def open(
        cls,
        source: str | os.PathLike[str],
        *,
        bottleneck_dir: str | os.PathLike[str] = "tf_files/bottlenecks",
        fixes: str | os.PathLike[str] | None = None,
        max_images_per_class: int | None = None,
        paranoid: bool = False,
        say: Callable[[str], None] = lambda sentence: None,
        observe: Callable[[int, int], None] = lambda done, total: None,
    ) -> "Dataset":
        """The photos of whatever `--image_dir` takes: a folder, a manifest, Parquet, `tfds:NAME`.

        `fixes` and `max_images_per_class` choose among them. Photos that are no files are written once beside
        `bottleneck_dir`; `say` and `observe` are told of it, see `retrain.photos.sources`. Raises DatasetError
        if there are fewer than two classes, or the source or the fixes cannot be read; OptionError.
        """
        # Here, and not above: they import this module.
        from retrain.photos.fixes import apply_fixes
        from retrain.photos.sources import list_source
        from retrain.photos.subset import limit_per_class

        found = list_source(source, bottleneck_dir, paranoid, say, observe)
        found = apply_fixes(found, None if fixes is None else Path(fixes), source)
        return replace(limit_per_class(found, max_images_per_class), source=os.fspath(source))

    def __repr__(self) -> str:
        return f"<Dataset {self.source}: {len(self.files)} files of {len(self.labels)} classes>"

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, sorted."""
        return tuple(sorted({file.label for file in self.files}))


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo whose content is known. `split` is set where the source gives it."""

    path: str
    label: str
    sha256: str
    split: Split | None = None


def list_photos(source: str | os.PathLike[str]) -> Dataset:
    """List the candidate photos of a folder or a manifest, sorted by class and path.

    Raises DatasetError when the source is missing, holds fewer than two classes, or holds class
    names that could not be told apart or kept in a labels file.
    """
    path = Path(source)
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise DatasetError(f"There is no folder or manifest {path}; check --image_dir.") from None
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read: {getattr(error, 'strerror', error)}; check --image_dir.") from None
    if stat.S_ISDIR(mode):
        dataset = _list_folder(path)
    elif stat.S_ISREG(mode) and path.suffix.lower() in (".csv", ".tsv"):
        dataset = _list_manifest(path)
    else:
        raise DatasetError(f"{path} is neither a folder of class folders nor a .csv or .tsv manifest.")
    labels = sorted({file.label for file in dataset.files})
    check_class_names(labels)
    require_two_classes(labels, path)
    files = sorted(dataset.files, key=attrgetter("path"))
    files.sort(key=attrgetter("label"))  # two keys in turn: pairs of them would take twice as long to compare
    return Dataset(tuple(files), dataset.skipped, dataset.remarks)


def require_two_classes(labels: Sequence[str], source: str | os.PathLike[str]) -> None:
    """Raise DatasetError unless there are at least two classes."""
    if len(labels) < 2:
        found = f"only the class {labels[0]!r}" if labels else "no class"
        raise DatasetError(
            f"{source} holds {found} with photos; retraining needs at least two class folders, each with photos."
        )


def check_class_names(labels: Iterable[str]) -> None:
    """Refuse names that a labels file cannot keep, or that look the same as another's.

    Names are kept exactly as written. Raises DatasetError that names the class.
    """
    seen: dict[str, str] = {}
    for label in labels:
        if not _is_text(label):
            raise DatasetError(f"The class name {label!r} is not valid UTF-8; rename it.")
        if not label.strip():
            raise DatasetError(f"A class has the empty name {label!r}; give it a name.")
        if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in label):
            raise DatasetError(
                f"The class name {label!r} holds a line break or control character, "
                "which labels.txt cannot keep; rename it."
            )
        appearance = unicodedata.normalize("NFC", label).strip()
        if appearance in seen:
            raise DatasetError(
                f"The class names {seen[appearance]!r} and {label!r} look the same; "
                "rename one of them, or merge the folders."
            )
        seen[appearance] = label


def dataset_digest(photos: Iterable[Photo]) -> str:
    """SHA-256 over the sorted (content, class) pairs: equal for equal data, wherever it is stored."""
    digest = hashlib.sha256()
    for line in sorted(f"{photo.sha256} {photo.label}\n" for photo in photos):
        digest.update(line.encode())
    return digest.hexdigest()


def _list_folder(root: Path) -> Dataset:
    children = [entry for entry in _entries(root) if _is_folder(entry) and not is_litter(entry.name)]
    if not _has_split_folders(children):
        return _list_class_folders([(root, None)])
    names = {child.name for child in children}
    skipped = [
        Skipped(entry.path, "is not in one of the split folders") for entry in _entries(root) if entry.name not in names
    ]
    dataset = _list_class_folders([(Path(child.path), SPLIT_FOLDERS[child.name.lower()]) for child in children])
    return replace(dataset, skipped=(*skipped, *dataset.skipped))


def _has_split_folders(children: Sequence["os.DirEntry[str]"]) -> bool:
    """Whether these are train/valid/test folders (and not classes that happen to be named so).

    The training folder decides: it holds class folders. A test folder may be empty or hold loose,
    unlabelled photos, as in many competitions; those are listed as skipped.
    """
    sides = {child.path: SPLIT_FOLDERS.get(child.name.lower()) for child in children}
    if None in sides.values() or len(set(sides.values())) < 2:
        return False
    return any(
        _is_folder(entry) for path, side in sides.items() if side == "training" for entry in _entries(Path(path))
    )


def _list_class_folders(roots: Sequence[tuple[Path, Split | None]]) -> Dataset:
    """The photos of class folders, which lie in one folder for each side, or in one for all."""
    files: list[PhotoFile] = []
    skipped: list[Skipped] = []
    unlisted: list[str] = []
    folders: list[tuple[Path, os.DirEntry[str], Split | None]] = []
    for root, split in roots:
        for entry in _entries(root):
            reason = _no_class_folder(entry)
            if reason:
                skipped.append(Skipped(entry.path, reason))
                unlisted += [f"{entry.path} {reason}"] if reason.startswith("cannot") else []
            else:
                folders.append((root, entry, split))
    filled = set()
    for start, entries, passed_over in walk(entry.path for _, entry, _ in folders):
        _, class_folder, split = folders[start]
        before = len(files)
        for entry in entries:
            try:
                files.append(_photo_file(entry.path, class_folder.name, entry.stat(), split))
            except OSError as error:
                skipped.append(Skipped(entry.path, f"cannot be read: {error.strerror}"))
        if len(files) > before:
            filled.add(start)
        skipped += (Skipped(item.path, item.reason) for item in passed_over)
        unlisted += (f"{item.path} {item.reason}" for item in passed_over if item.kind == "unlisted")
    remarks = []
    for root, _ in roots:
        of_root = ((start, entry.name) for start, (place, entry, _) in enumerate(folders) if place == root)
        if empty := [name for start, name in of_root if start not in filled]:
            remarks.append(f"{root} has class folders without photos, left out: {', '.join(empty)}.")
    if unlisted:
        more = f" ({len(unlisted) - 1} more so)" if len(unlisted) > 1 else ""
        remarks.append(f"Photos may be missing: {unlisted[0]}{more}.")
    return Dataset(tuple(files), tuple(skipped), tuple(remarks))


def _no_class_folder(entry: "os.DirEntry[str]") -> str:
    """Why an entry is no class folder, as a phrase that continues its path; empty if it is one."""
    if is_litter(entry.name):
        return "is hidden"
    try:
        return "" if entry.is_dir() else "is not in a class folder"
    except PermissionError as error:  # a link into a folder that may not be entered
        return f"cannot be read: {error.strerror}"
    except OSError:  # a link to itself
        return "is not in a class folder"


def _photo_file(path: str, label: str, status: os.stat_result, split: Split | None) -> PhotoFile:
    return PhotoFile(path, label, status.st_size, status.st_mtime_ns, status.st_ino, split, status.st_ctime_ns)


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, or into a folder that may not be entered
        return False


def _entries(folder: Path) -> list["os.DirEntry[str]"]:
    try:
        return entries_of(folder)
    except OSError as error:
        raise DatasetError(f"The folder {folder} cannot be listed: {error.strerror}.") from None


def _list_manifest(path: Path) -> Dataset:
    files: list[PhotoFile] = []
    skipped: list[Skipped] = []
    for line, row in _manifest_rows(path):
        if len(row) not in (2, 3) or not row[0] or not row[1]:
            raise DatasetError(f"{path}, line {line}: expected path,label or path,label,split, got {row}.")
        split = _manifest_split(path, line, row[2]) if len(row) == 3 else None
        photo = os.path.join(path.parent, row[0])
        try:
            status = os.stat(photo)
        except (OSError, ValueError):
            skipped.append(Skipped(photo, f"does not exist ({path.name}, line {line})"))
            continue
        if not stat.S_ISREG(status.st_mode):
            skipped.append(Skipped(photo, "is not a regular file"))
            continue
        files.append(_photo_file(photo, row[1], status, split))
    _refuse_contradictions(path, files)
    return Dataset(tuple(dict.fromkeys(files)), tuple(skipped))


def _manifest_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Rows with their line numbers, without the header."""
    for number, (line, row) in enumerate(table_rows(path)):
        is_header = number == 0 and [cell.strip().lower() for cell in row[:2]] == ["path", "label"]
        if not is_header:
            yield line, row


def _manifest_split(path: Path, line: int, name: str) -> Split | None:
    if not name.strip():
        return None
    try:
        return SPLIT_FOLDERS[name.strip().lower()]
    except KeyError:
        raise DatasetError(f"{path}, line {line}: the split {name!r} is not train, validation or test.") from None


def _refuse_contradictions(path: Path, files: Sequence[PhotoFile]) -> None:
    first: dict[str, PhotoFile] = {}
    for file in files:
        other = first.setdefault(file.path, file)
        if other != file:
            raise DatasetError(
                f"{path} lists {file.path} twice, as {_describe(other)} and as {_describe(file)}; "
                "keep one of the lines."
            )


def _describe(file: PhotoFile) -> str:
    return f"{file.label!r} ({file.split})" if file.split else repr(file.label)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
