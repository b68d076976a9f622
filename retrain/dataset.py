"""Which photos there are, what class each belongs to, and which side of the split it falls on.

A source is one of

    a folder of class folders              cats/Bengal/1.jpg
    a folder with given splits             flowers/train/daisy/1.jpg, flowers/valid/…, flowers/test/…
    a manifest                             photos.csv or .tsv with path,label[,split]

`list_photos` walks it without opening a photo. `split_photos` divides photos whose content is
known. The split is by content group: photos with the same bytes, or with the same name up to
`_nohash_` (a convention of the 2017 script for takes of one subject), stay together. A group's
side is a hash of the group, so adding, renaming or mounting elsewhere moves nothing.
"""

import csv
import hashlib
import io
import os
import stat
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from retrain.errors import DatasetError

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
JUNK_FILES = {"thumbs.db", "desktop.ini"}
SMALLEST_CLASS = 3  # content groups that a class needs to have one on each side


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """One file that may be a photo, as the walk found it. `split` is set where the source gives it."""

    path: str
    label: str
    size: int
    mtime_ns: int
    inode: int
    split: Split | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is not used, and why, as a phrase that continues its path."""

    path: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """What a source holds: candidate photos in a stable order, skipped files, remarks for the screen."""

    files: tuple[PhotoFile, ...]
    skipped: tuple[Skipped, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo whose content is known. `split` is set where the source gives it."""

    path: str
    label: str
    sha256: str
    split: Split | None = None


@dataclass(frozen=True)
class Division:
    """The sides of a split, aligned with the photos it was made for.

    `splits[i]` is the side of photo i. `fold[i]` is set (0..k-1) when some class is too small to
    have a content group on every side, and evaluation has to be by k-fold cross-validation.
    """

    splits: tuple[Split, ...]
    folds: tuple[int, ...] | None = None
    remarks: tuple[str, ...] = ()


def list_photos(source: str | os.PathLike[str]) -> Listing:
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
        listing = _list_folder(path)
    elif stat.S_ISREG(mode) and path.suffix.lower() in (".csv", ".tsv"):
        listing = _list_manifest(path)
    else:
        raise DatasetError(f"{path} is neither a folder of class folders nor a .csv or .tsv manifest.")
    labels = sorted({file.label for file in listing.files})
    check_class_names(labels)
    require_two_classes(labels, path)
    files = tuple(sorted(listing.files, key=lambda file: (file.label, file.path)))
    return Listing(files, listing.skipped, listing.remarks)


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


def split_photos(
    photos: Sequence[Photo], testing_percentage: float = 10, validation_percentage: float = 10, seed: int = 0
) -> Division:
    """Divide photos into training, validation and testing by content group.

    Percentages are in 0..100. Splits that the source gave are kept as they are. A class with at
    least three groups gets one on every side that was asked for; if some class has fewer,
    `folds` says how to cross-validate.
    """
    groups = content_groups(photos)
    if any(photo.split for photo in photos):
        return _complete_given_splits(photos, groups, testing_percentage, validation_percentage, seed)
    positions = {group: _position(group, seed) for group in set(groups)}
    sides: dict[str, Split] = {
        group: _side(position, testing_percentage, validation_percentage) for group, position in positions.items()
    }
    too_small = _cover_every_class(photos, groups, positions, sides, testing_percentage, validation_percentage)
    folds = None
    remarks: tuple[str, ...] = ()
    if too_small and testing_percentage > 0:
        folds = cross_validation_folds(photos, groups, positions)
        names = ", ".join(too_small[:5]) + (" …" if len(too_small) > 5 else "")
        remarks = (
            f"{len(too_small)} of the classes have fewer than {SMALLEST_CLASS} different photos ({names}): "
            f"accuracy is measured by {max(folds) + 1}-fold cross-validation over all photos.",
        )
    return Division(tuple(sides[group] for group in groups), folds, remarks)


def content_groups(photos: Sequence[Photo]) -> list[str]:
    """The group of each photo: photos that share bytes or a `_nohash_` name are in one group.

    A group is named by the smallest of its members' keys, so it does not depend on order. Subjects
    sort before contents, so another take of a subject does not rename its group.
    """
    parent: dict[str, str] = {}

    def find(key: str) -> str:
        parent.setdefault(key, key)
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for photo in photos:
        content = find(photo.sha256)
        subject = _subject(photo.path)
        if subject is not None:
            other = find(subject)
            low, high = sorted((content, other))
            parent[high] = low
    return [find(photo.sha256) for photo in photos]


def cross_validation_folds(
    photos: Sequence[Photo], groups: Sequence[str], positions: dict[str, float], folds: int = 5
) -> tuple[int, ...]:
    """Deal the groups of each class round the folds, in the order of their hashes."""
    class_of: dict[str, str] = {}
    for photo, group in zip(photos, groups, strict=True):
        class_of[group] = min(photo.label, class_of.get(group, photo.label))
    # One class after the other without starting over, so the folds of many tiny classes are equally full.
    order = sorted(class_of, key=lambda group: (class_of[group], positions[group], group))
    fold_of = {group: index % folds for index, group in enumerate(order)}
    return tuple(fold_of[group] for group in groups)


def dataset_digest(photos: Iterable[Photo]) -> str:
    """SHA-256 over the sorted (content, class) pairs: equal for equal data, wherever it is stored."""
    digest = hashlib.sha256()
    for line in sorted(f"{photo.sha256} {photo.label}\n" for photo in photos):
        digest.update(line.encode())
    return digest.hexdigest()


def _list_folder(root: Path) -> Listing:
    children = [entry for entry in _entries(root) if _is_folder(entry) and not entry.name.startswith(".")]
    if not _has_split_folders(children):
        return _list_class_folders(root, None)
    listings = [_list_class_folders(Path(child.path), SPLIT_FOLDERS[child.name.lower()]) for child in children]
    names = {child.name for child in children}
    skipped = [
        Skipped(entry.path, "is not in one of the split folders") for entry in _entries(root) if entry.name not in names
    ]
    return Listing(
        tuple(file for listing in listings for file in listing.files),
        (*skipped, *(item for listing in listings for item in listing.skipped)),
        tuple(remark for listing in listings for remark in listing.remarks),
    )


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


def _list_class_folders(root: Path, split: Split | None) -> Listing:
    files: list[PhotoFile] = []
    skipped: list[Skipped] = []
    empty: list[str] = []
    for entry in _entries(root):
        if entry.name.startswith("."):
            skipped.append(Skipped(entry.path, "is hidden"))
        elif not _is_folder(entry):
            skipped.append(Skipped(entry.path, "is not in a class folder"))
        elif _is_loop(entry, frozenset()):
            skipped.append(Skipped(entry.path, "is a link to a folder that it lies in"))
        else:
            before = len(files)
            ancestors = frozenset({os.path.realpath(root), os.path.realpath(entry.path)})
            for found in _walk(entry.path, ancestors):
                if isinstance(found, Skipped):
                    skipped.append(found)
                else:
                    path, status = found
                    files.append(_photo_file(path, entry.name, status, split))
            if len(files) == before:
                empty.append(entry.name)
    remarks = (f"{root} has class folders without photos, left out: {', '.join(empty)}.",) if empty else ()
    return Listing(tuple(files), tuple(skipped), remarks)


def _walk(folder: str, ancestors: frozenset[str]) -> Iterator[tuple[str, os.stat_result] | Skipped]:
    """Yield the regular files below a class folder, and what is passed over."""
    try:
        entries = _entries(Path(folder))
    except DatasetError as error:
        yield Skipped(folder, f"cannot be listed: {error}")
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name.lower() in JUNK_FILES:
            yield Skipped(entry.path, "is hidden")
            continue
        try:
            status = entry.stat()
        except OSError as error:
            reason = "is a link to nothing" if entry.is_symlink() else f"cannot be read: {error.strerror}"
            yield Skipped(entry.path, reason)
            continue
        if stat.S_ISREG(status.st_mode):
            yield entry.path, status
        elif not stat.S_ISDIR(status.st_mode):
            yield Skipped(entry.path, "is not a regular file")
        elif _is_loop(entry, ancestors):
            yield Skipped(entry.path, "is a link to a folder that it lies in")
        else:
            yield from _walk(entry.path, ancestors | {os.path.realpath(entry.path)})


def _photo_file(path: str, label: str, status: os.stat_result, split: Split | None) -> PhotoFile:
    return PhotoFile(path, label, status.st_size, status.st_mtime_ns, status.st_ino, split)


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, or into a folder that may not be entered
        return False


def _is_loop(entry: "os.DirEntry[str]", ancestors: frozenset[str]) -> bool:
    """Whether a folder is a link to one of the folders that the walk came through, or that it lies in."""
    if not entry.is_symlink():
        return False
    target, home = os.path.realpath(entry.path), os.path.realpath(os.path.dirname(entry.path))
    return target in ancestors or os.path.commonpath([target, home]) == target


def _entries(folder: Path) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise DatasetError(f"The folder {folder} cannot be listed: {error.strerror}.") from None


def _list_manifest(path: Path) -> Listing:
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
    return Listing(tuple(dict.fromkeys(files)), tuple(skipped))


def _manifest_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Rows with their line numbers, without the header; comma, semicolon (Excel's) or tab."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DatasetError(f"{path} is not UTF-8; save it as UTF-8.") from None
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}.") from None
    first = text.partition("\n")[0]
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for number, row in enumerate(reader):
            is_header = number == 0 and [cell.strip().lower() for cell in row[:2]] == ["path", "label"]
            if row and not is_header:
                yield reader.line_num, row
    except csv.Error as error:
        raise DatasetError(f"{path}, line {reader.line_num}: {error}.") from None


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


def _subject(path: str) -> str | None:
    name = os.path.basename(path)
    return "/" + name.partition("_nohash_")[0] if "_nohash_" in name else None


def _position(group: str, seed: int) -> float:
    """Where a group falls in 0..100, from a hash of its name."""
    digest = hashlib.sha256(f"{seed}:{group}".encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") * 100 / 2**64


def _side(position: float, testing_percentage: float, validation_percentage: float) -> Split:
    if position < validation_percentage:
        return "validation"
    if position < validation_percentage + testing_percentage:
        return "testing"
    return "training"


def _cover_every_class(
    photos: Sequence[Photo],
    groups: Sequence[str],
    positions: dict[str, float],
    sides: dict[str, Split],
    testing_percentage: float,
    validation_percentage: float,
) -> list[str]:
    """Give each class at least one group on every side; returns the classes too small for that.

    A side that a class misses takes the group whose hash is lowest among those that the class
    can spare, so the choice depends on content alone. A group that several classes share stays
    where its hash put it: moving it for one class could uncover another.
    """
    wanted: list[Split] = ["training"]
    if validation_percentage > 0:
        wanted.append("validation")
    if testing_percentage > 0:
        wanted.append("testing")
    groups_of: dict[str, set[str]] = defaultdict(set)
    for photo, group in zip(photos, groups, strict=True):
        groups_of[photo.label].add(group)
    classes_with = Counter(group for members in groups_of.values() for group in members)
    too_small = []
    for label in sorted(groups_of):
        own = sorted(
            (group for group in groups_of[label] if classes_with[group] == 1),
            key=lambda group: (positions[group], group),
        )
        missing = [side for side in wanted if all(sides[group] != side for group in groups_of[label])]
        if missing and len(own) < len(wanted):
            too_small.append(label)
            sides.update({group: "training" for group in own})
            continue
        for side in missing:
            counts = Counter(sides[group] for group in own)
            sides[next(group for group in own if counts[sides[group]] > 1)] = side
    return too_small


def _complete_given_splits(
    photos: Sequence[Photo],
    groups: Sequence[str],
    testing_percentage: float,
    validation_percentage: float,
    seed: int,
) -> Division:
    """Keep the splits of the source; carve the sides that it lacks out of its training photos."""
    given = {photo.split for photo in photos if photo.split}
    testing = 0.0 if "testing" in given else testing_percentage
    validation = 0.0 if "validation" in given else validation_percentage
    remarks = []
    if testing or validation:
        missing = " and ".join(name for name, share in (("test", testing), ("validation", validation)) if share)
        remarks.append(f"The source gives no {missing} photos: taken from its training photos.")
    rest = [index for index, photo in enumerate(photos) if photo.split in (None, "training")]
    splits: list[Split] = [photo.split or "training" for photo in photos]
    if rest and (testing or validation):
        plain = [Photo(photos[index].path, photos[index].label, photos[index].sha256) for index in rest]
        for index, side in zip(rest, split_photos(plain, testing, validation, seed).splits, strict=True):
            splits[index] = side
    sides_of: dict[str, set[Split]] = defaultdict(set)
    for group, side in zip(groups, splits, strict=True):
        sides_of[group].add(side)
    shared = sum(len(sides) > 1 for sides in sides_of.values())
    if shared:
        remarks.append(
            f"{shared} photos lie on more than one side of the given split; its accuracies are too good to be true."
        )
    return Division(tuple(splits), None, tuple(remarks))
