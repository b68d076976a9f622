"""Lists the files below folders: each real folder once, however many paths lead to it.

Folders that lie where they are named come first, links to folders after them, so that a link never takes a
photo out of the folder in which it lies.
"""

import errno
import os
import stat
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Literal, NamedTuple

from label_image.files import reason_of

# What systems and programs leave between a person's files; in small letters.
LITTER_FILES = {"thumbs.db", "desktop.ini"}
VIDEOS = frozenset({
    ".mov", ".mp4", ".m4v", ".avi", ".mkv", ".webm", ".3gp", ".3g2", ".mpg", ".mpeg", ".wmv", ".asf", ".flv", ".mts",
    ".m2ts", ".ogv", ".vob",
})  # fmt: skip
# What programs put beside photos, and other files that are surely none, by the ends of their names.
_NO_PHOTOS = (
    ".txt .md .rst .pdf .doc .docx .odt .rtf .tex .html .htm .css .js .xml .json .jsonl .yaml .yml .toml .ini .cfg "
    ".csv .tsv .xls .xlsx .parquet .arrow .db .sqlite .py .pyc .pyo .ipynb .sh .bat .m .mat .r .c .h .cpp .java .log "
    ".zip .tar .gz .tgz .bz2 .xz .7z .rar .npy .npz .pkl .pickle .pt .pth .ckpt .h5 .hdf5 .pb .tflite .onnx .tfrecord "
    ".mp3 .wav .m4a .aac .aae .bak .tmp .lock .url .lnk .names .data .lst .list .exe .xmp .thm"
)
NO_PHOTOS = frozenset(_NO_PHOTOS.split())
# Folders of which no entry is a file in the ordinary sense. Their depths have file systems of their own, too.
SYSTEM = ("/proc", "/sys", "/dev")

Key = tuple[int, int]  # of a real folder: its device and inode


# Of "unlisted" and "no file" photos may be missing; "empty" is a folder that was named, "no match" a pattern.
Kind = Literal["litter", "again", "video", "no photo", "empty", "no match", "unlisted", "no file"]
BY_NAME: frozenset[Kind] = frozenset({"video", "no photo"})  # of files: their names say it


class PassedOver(NamedTuple):
    """What is not used, and why, as a phrase that continues its path."""

    path: str
    kind: Kind
    reason: str


Found = str | PassedOver  # the path of a photo, or what is passed over


class Listed(NamedTuple):
    """What lies directly in one folder: regular files, sorted by name, and what is passed over.

    `start` is the position of the folder, among those given, below which it was found.
    """

    start: int
    files: Sequence["os.DirEntry[str]"]
    passed_over: Sequence[PassedOver]


def is_litter(name: str) -> bool:
    """Whether an entry of a folder is none of a person's photos: hidden, or left by a system. In any class folder."""
    return name.startswith(".") or name.lower() in LITTER_FILES


def is_video(name: str) -> bool:
    """Whether a file is a video, by its name; they lie beside photos, and may be large."""
    return name[name.rfind(".") :].lower() in VIDEOS  # `os.path.splitext` would take a tenth of a walk


def by_its_name(name: str, path: str) -> "Found":
    """The path of a file below a folder; where its name says that it is no photo, what is passed over."""
    if is_video(name):
        return PassedOver(path, "video", "is a video")
    if name[name.rfind(".") :].lower() in NO_PHOTOS:
        return PassedOver(path, "no photo", "is no photo by its name")
    return path


def leads_to_folder(entry: "os.DirEntry[str]") -> bool:
    """Whether an entry is a folder, or a link to one that can be looked at."""
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, or into a folder that may not be entered
        return False


def walk(folders: Iterable[str]) -> Iterator[Listed]:
    """List folders and all that are below them, each real folder once. Never raises OSError.

    One that is a link itself counts as a link, unless its name ends in a slash.
    """
    yield from _Walk(list(folders)).listed()


def entries_of(folder: str | os.PathLike[str]) -> "list[os.DirEntry[str]]":
    """The entries of a folder, sorted by name. Raises OSError."""
    with os.scandir(folder) as entries:
        return sorted(entries, key=attrgetter("name"))


class _Walk:
    """One walk: what has been listed, and what is still to be."""

    def __init__(self, folders: Sequence[str]) -> None:
        self._seen: dict[Key, str] = {}
        self._holders = _holders({os.path.dirname(folder) for folder in folders})
        self._system = _system_devices()
        self._links: deque[tuple[int, str]] = deque()
        self._todo: list[tuple[int, str]] = []  # the next one last
        for start, folder in enumerate(folders):
            (self._links if os.path.islink(folder) else self._todo).append((start, folder))
        self._todo.reverse()

    def listed(self) -> Iterator[Listed]:
        while self._todo or self._links:
            if self._todo:
                start, folder = self._todo.pop()
                is_link = False
            else:  # what a link leads to is walked before the next link is
                start, folder = self._links.popleft()
                is_link = True
            passed_over = self._refusal(folder, is_link)
            yield Listed(start, (), (passed_over,)) if passed_over else self._list(start, folder)

    def _refusal(self, folder: str, is_link: bool) -> PassedOver | None:
        """Why a folder is not listed; None, and it counts as listed, if it is."""
        try:
            status = os.stat(folder)
        except OSError as error:
            return PassedOver(folder, "unlisted", f"cannot be listed: {reason_of(error)}")
        key = (status.st_dev, status.st_ino)
        if status.st_dev in self._system or (is_link and _is_system(os.path.realpath(folder))):
            return PassedOver(folder, "unlisted", "is a folder of the system")
        if is_link and (key in self._holders or _leads_up(folder)):
            return PassedOver(folder, "again", "is a link to a folder that it lies in")
        if status.st_ino and key in self._seen:  # some network file systems number nothing
            return PassedOver(folder, "again", f"is another path to {self._seen[key]}")
        self._seen[key] = folder
        return None

    def _list(self, start: int, folder: str) -> Listed:
        try:
            entries = entries_of(folder)
        except OSError as error:
            return Listed(start, (), (PassedOver(folder, "unlisted", f"cannot be listed: {reason_of(error)}"),))
        files: list[os.DirEntry[str]] = []
        folders: list[tuple[int, str]] = []
        passed_over: list[PassedOver] = []
        for entry in entries:
            if is_litter(entry.name):
                passed_over.append(PassedOver(entry.path, "litter", "is hidden"))
                continue
            try:
                if entry.is_file():
                    files.append(entry)
                elif not entry.is_dir():
                    passed_over.append(_neither(entry))
                elif entry.is_symlink():
                    self._links.append((start, entry.path))
                else:
                    folders.append((start, entry.path))
            except OSError as error:
                passed_over.append(_unreadable(entry, error))
        self._todo += reversed(folders)
        return Listed(start, files, passed_over)


def _neither(entry: "os.DirEntry[str]") -> PassedOver:
    """Of an entry that is neither file nor folder."""
    try:
        entry.stat()
    except OSError as error:
        return _unreadable(entry, error)
    return PassedOver(entry.path, "no file", "is not a regular file")


def _unreadable(entry: "os.DirEntry[str]", error: OSError) -> PassedOver:
    if entry.is_symlink() and error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
        return PassedOver(entry.path, "no file", "is a link to nothing")
    return PassedOver(entry.path, "unlisted", f"cannot be read: {reason_of(error)}")


def _holders(folders: Iterable[str]) -> set[Key]:
    """Folders and all that they lie in; links to them would lead the walk out of where it began, and back."""
    paths = {os.path.realpath(folder) for folder in folders}
    for path in list(paths):
        while (above := os.path.dirname(path)) not in paths:
            paths.add(path := above)
    return {(status.st_dev, status.st_ino) for status in map(_status, paths) if status is not None}


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None


def _leads_up(link: str) -> bool:
    """Whether a link to a folder lies in that folder."""
    target, home = os.path.realpath(link), os.path.realpath(os.path.dirname(link))
    try:
        return os.path.commonpath([target, home]) == target
    except ValueError:  # on different drives
        return False


def _system_devices() -> set[int]:
    """The devices of the file systems that are no one's files, where they are mounted."""
    root = _status("/")
    found = [status for status in map(_status, SYSTEM) if status is not None and stat.S_ISDIR(status.st_mode)]
    return {status.st_dev for status in found if root is None or status.st_dev != root.st_dev}


def _is_system(path: str) -> bool:
    return any(path == root or path.startswith(f"{root}/") for root in SYSTEM[:2])
