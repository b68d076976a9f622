"""What can be renamed, exchanged, locked and set aside, and how a folder is filled that cannot be renamed."""

import errno
import os
import re
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from label_image.files import existing_parent, is_temporary
from label_image.renaming import EXCHANGE, renamed
from label_image.signals import deferred

if sys.platform != "win32":
    import fcntl

KEPT_INSIDE = "previous"  # what was in a folder that cannot be renamed; with a number where none is dropped
LOCK_SECONDS = 60.0  # to wait for another run that puts something in place
MOUNTS = Path("/proc/self/mountinfo")
# What is left in every folder by macOS, Windows, Jupyter, file systems, network drives and editors.
PASSED_OVER = {".ds_store", "thumbs.db", "desktop.ini", ".ipynb_checkpoints", "lost+found", ".directory", "@eadir"}
PASSED_OVER_NAMES = re.compile(r"\.nfs[0-9a-fA-F]+|\.fuse_hidden\w+|\._.+|.+~|\..+\.sw[a-p]|\.Trash-\d+")
NO_RENAME = (errno.EBUSY, errno.EXDEV, errno.EACCES, errno.EPERM, errno.EROFS)


def exchange(one: Path, other: Path) -> bool:
    """Swap two paths in one step (Linux's renameat2); False where the system cannot. Raises OSError."""
    return renamed(one, other, EXCHANGE)


def can_be_replaced(path: Path) -> bool:
    """Whether something else can be renamed to this path, and what is there to another name beside it."""
    if not os.path.lexists(path):
        parent = existing_parent(path)
        return parent.is_dir() and os.access(parent, os.W_OK | os.X_OK)
    return not _is_mount_point(path) and _may_rename(path)


def can_be_removed(folder: Path) -> bool:
    """Whether a folder can be removed with all that it holds."""
    if not _may_rename(folder):
        return False
    folders = (path for path, _, _ in os.walk(folder))
    return all(os.access(path, os.R_OK | os.W_OK | os.X_OK) for path in folders)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other run puts something in place in a folder, as far as its file system has locks."""
    with ExitStack() as stack:
        if sys.platform != "win32":
            try:
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            except OSError:  # one that can be written to and not read
                pass
            else:
                stack.callback(os.close, descriptor)
                _wait_for(descriptor)
        yield


def fill_in_place(new: Path, folder: Path, last: str, kept: Path | None, meanwhile: bytes = b"") -> None:
    """Put what a finished folder holds into one that cannot be renamed, file by file, the file `last` at the end.

    What was there before is then in `kept`, a folder inside it, where one is named; an earlier one of that name is
    gone. Until all is there the file `last` holds what is given for `meanwhile`, or is missing. Raises OSError.
    """
    before = [name for name in os.listdir(folder) if not is_passed_over(name) and not is_kept(name)]
    if kept is not None:
        old = new.with_name(f"{new.name}.kept")
        old.mkdir()
        for name in before:
            _copy(folder / name, old / name)
        put(old, kept)
    wanted = sorted(os.listdir(new), key=lambda name: name == last)
    with deferred():
        if meanwhile:
            unfinished = new.with_name(f"{new.name}.{last}")
            unfinished.write_bytes(meanwhile)
            os.replace(unfinished, folder / last)
        else:
            (folder / last).unlink(missing_ok=True)
        for name in before:
            if name not in wanted and name != last:
                _remove(folder / name)
        for name in wanted:
            put(new / name, folder / name)


def put(new: Path, target: Path) -> None:
    """Put a file or folder in another's place, which is gone then; readers see the one or the other. Raises OSError."""
    if not target.is_dir() or target.is_symlink():
        os.replace(new, target)
        return
    if not exchange(new, target):
        old = new.with_name(f"{new.name}.old")
        os.rename(target, old)
        os.rename(new, target)
        new = old
    shutil.rmtree(new)


def set_aside(path: Path, folder: Path | None = None) -> Path:
    """Rename a damaged file or folder to `<name>.damaged`, out of every reader's sight; nothing is deleted.

    It goes to another `folder` where one is named, can be made and renamed to. Another process may have done it first,
    which is fine. Raises OSError where the folder is read-only.
    """
    name = path.name.removesuffix(".damaged")
    if folder is not None:
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            return _renamed_to(path, folder, name)
    return _renamed_to(path, path.parent, name)


def _renamed_to(path: Path, folder: Path, name: str) -> Path:
    first = target = folder / f"{name}.damaged"
    if target.exists():
        target = folder / f"{name}.{secrets.token_hex(4)}.damaged"
    try:
        os.rename(path, target)
    except FileNotFoundError:
        return first
    return target


def is_passed_over(name: str) -> bool:
    """Whether a file or folder may be ignored: systems, file browsers and editors leave it everywhere, or we do."""
    return is_temporary(name) or name.lower() in PASSED_OVER or PASSED_OVER_NAMES.fullmatch(name) is not None


def is_empty(folder: Path) -> bool:
    """Whether a folder holds nothing, or only what is passed over."""
    return folder.is_dir() and all(map(is_passed_over, os.listdir(folder)))


def is_kept(name: str) -> bool:
    """Whether a name inside a folder that cannot be renamed is that of what was there before."""
    return re.fullmatch(rf"{KEPT_INSIDE}(\.\d+)?", name) is not None


def obey_umask(new: Path) -> None:
    """Give a new file, or a folder with all inside, the modes that the umask says: libraries have their own ideas."""
    probe = new.with_name(f"{new.name}.mode")
    probe.mkdir()
    mode = stat.S_IMODE(probe.stat().st_mode)
    probe.rmdir()
    new.chmod(mode if new.is_dir() else mode & 0o666)
    for path, folders, files in os.walk(new):
        for name in folders:
            os.chmod(os.path.join(path, name), mode)
        for name in files:
            os.chmod(os.path.join(path, name), mode & 0o666)


def _may_rename(path: Path) -> bool:
    """Whether this user may rename or remove an entry of a folder; in a sticky one only its owner may."""
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return False
    parent = path.parent.stat()
    return not parent.st_mode & stat.S_ISVTX or os.geteuid() in (0, parent.st_uid, path.lstat().st_uid)


def _is_mount_point(path: Path) -> bool:
    """Whether something is mounted here; of a bind mount from the same disk only the kernel's list tells."""
    if path.is_symlink() or os.path.ismount(path):
        return not path.is_symlink()
    try:
        lines = MOUNTS.read_bytes().splitlines()
    except OSError:
        return False
    points = (re.sub(rb"\\(\d{3})", lambda code: bytes([int(code[1], 8)]), line.split()[4]) for line in lines)
    return os.fsencode(os.path.realpath(path)) in points


def _wait_for(descriptor: int) -> None:
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno != errno.EWOULDBLOCK or time.monotonic() > deadline:
                return
            time.sleep(0.05)
        else:
            return


def _copy(source: Path, target: Path) -> None:
    """The same files once more, as links where the file system has them."""
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True, copy_function=_link)
    else:
        _link(source, target)


def _link(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
