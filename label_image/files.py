"""Temporary folders, and files that take their place in one step. The one module that makes temporary names.

What is not finished lies in a folder of its own beside its place, `.retrain-<machine>-<random>.tmp`, and is renamed
when it is complete: nobody ever sees half of it. The name is random, since process ids are the same in two containers
on one folder, and `mkdir` neither follows a link nor takes a folder that is there.

The folder is locked (flock) while its run lives, and the kernel lets the lock go however the run ends. So whoever can
lock such a folder knows that it was left behind, and removes it. Locks are believed only on the machine that took them
(`<machine>` stands for the boot of a kernel, which containers share): over a network they may not be seen. A folder of
another machine, or one on a file system without locks, is left behind once nothing in it has changed for a day.
"""

import contextlib
import errno
import functools
import hashlib
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from label_image.file_locks import NO_LOCKS

if sys.platform != "win32":
    import fcntl

ABANDONED_SECONDS = 24 * 3600
NO_LOCK = "0" * 8  # in place of the machine, in the name of a folder that could not be locked
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
NAME = re.compile(r"\.retrain-(?P<machine>[0-9a-f]{8})-[0-9a-f]{16}\.tmp")
CHUNK = 2**20
# In a path: patterns to TensorFlow, separators of other systems, and what is no text to most libraries in C++.
MISREAD = re.compile(r"[*?\[\]{}\\\x00-\x1f\x7f\ud800-\udfff]")


@contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """A new empty folder in `parent`, which is made where it is missing; removed at the end with what it still holds.

    What killed runs have left in `parent` is removed first. Raises OSError.
    """
    parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(parent)
    folder, lock = _make_locked(parent)
    try:
        yield folder
    finally:
        try:
            folder.rmdir()  # as a rule it is empty by now
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A temporary folder in the system's place for them: for what goes from one library to another. Raises OSError."""
    place = _scratch_place()
    try:
        with temporary_folder(place) as folder:
            yield folder
    except OSError as error:
        if error.filename is None and error.errno in (errno.ENOSPC, errno.EDQUOT):  # where is what the user can mend
            error.filename = str(place)
        raise


def write_in_one_step(path: Path, data: bytes | memoryview, sync: bool = False) -> None:
    """Replace or create a file: readers see the old bytes or the new ones. Raises OSError.

    With `sync` it is on the disk for good when this returns.
    """
    with temporary_folder(path.parent) as folder:
        descriptor = os.open(folder / path.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            if sync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(folder / path.name, path)
    if sync:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut."""
    if os.name != "posix":
        return  # Windows cannot open a folder
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot sync a folder; the file itself is safe.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def sync_all(path: Path) -> None:
    """Make a new file, or a folder with all inside, survive a power cut, once it is renamed. Raises OSError."""
    if path.is_symlink():
        return
    if path.is_dir():
        for name in os.listdir(path):
            sync_all(path / name)
        sync_folder(path)
        return
    try:
        with open(path, "rb") as file:
            os.fsync(file.fileno())
    except OSError as error:
        # Some systems do not sync what is open for reading, and some umasks forbid that.
        if error.errno not in (errno.EBADF, errno.EINVAL, errno.ENOTSUP, errno.EACCES):
            raise


def reason_of(error: OSError) -> str:
    """What the system says, in its words; of all that failed while a folder was copied, the first.

    Arrow puts its own words around them.
    """
    if isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list):
        text = str(error.args[0][0][2])  # as "[Errno 28] No space left on device: 'from' -> 'to'"
        return re.sub(r"\A\[Errno \d+\] ", "", text).partition(": '")[0]
    text = error.strerror or str(error)
    around = re.search(r"Detail: \[errno \d+\] (.+)\Z", text)
    return around[1] if around else text


def names_stream(path: Path) -> bool:
    """Whether a name is one by which the system gives a stream or device.

    /dev/stdout is a regular file while it is redirected to one; to replace its name would break the machine.
    """
    where = Path(os.path.realpath(path.parent))
    return where == Path("/dev") or where.is_relative_to("/proc")


def is_special(path: Path) -> bool:
    """Whether something else than a regular file is there, or a name of a stream or device."""
    return names_stream(path) or (os.path.lexists(path) and not path.is_file())


def existing_parent(path: Path) -> Path:
    """The nearest folder above a path, or whatever else stands in its place, that is there; at last . or /."""
    return next(parent for parent in path.parents if os.path.lexists(parent))


def why_not_writable(folder: Path) -> str | None:
    """Why nothing can be made in a folder, or in the nearest one above it that is there; None where something can.

    It is tried: what a user may do on a network's disk is not seen otherwise. What killed runs left there is removed.
    """
    there = folder if os.path.lexists(folder) else existing_parent(folder)
    if not there.is_dir():
        return f"{there} is not a folder"
    try:
        with temporary_folder(there):
            return None
    except OSError as error:
        return f"nothing may be written in {there.absolute()} ({reason_of(error)})"


def sha256_of(path: str | Path) -> str:
    """SHA-256 of a file's bytes, 64 hex digits. Raises OSError."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def sha256_of_files(root: Path, files: Iterable[Path]) -> str:
    """SHA-256 over the names from `root` on, sizes and bytes of files, in their order. Raises OSError."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(root).as_posix()}\0{path.stat().st_size}\0".encode())
        with open(path, "rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def sha256_of_all(path: Path) -> str:
    """SHA-256 of a file's bytes, or over the names, sizes and bytes of all files in a folder. Raises OSError."""
    if path.is_dir():
        return sha256_of_files(path, sorted(file for file in path.rglob("*") if file.is_file()))
    return sha256_of(path)


def sha256_of_bytes(data: bytes | bytearray | memoryview) -> str:
    """SHA-256 of what is in memory, 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def is_temporary(name: str) -> bool:
    """Whether a name is one of a temporary folder of ours."""
    return NAME.fullmatch(name) is not None


def remove_scratch_leftovers() -> None:
    """Remove what killed runs have left where the system keeps temporary files."""
    remove_leftovers(_scratch_place())


def remove_leftovers(parent: Path) -> None:
    """Remove the temporary folders of runs that were killed; what a living run owns stays, and so does all else."""
    with contextlib.suppress(OSError), os.scandir(parent) as entries:  # no such folder, or one that cannot be read
        for name in [entry.name for entry in entries if is_temporary(entry.name)]:
            _remove_if_left(parent, name)


def _scratch_place() -> Path:
    """The folder for temporary files, or another one of the system if any library would misread its name."""
    try:
        chosen = tempfile.gettempdir()
        if is_temporary(os.path.basename(chosen)):  # another thread's, whose files go with it
            chosen = os.path.dirname(chosen)
    except FileNotFoundError:
        reason = "No folder for temporary files can be written to: name one in the variable TMPDIR"
        raise FileNotFoundError(errno.ENOENT, reason) from None
    if os.sep != "\\" and MISREAD.search(chosen):
        others = (place for place in ("/tmp", "/var/tmp") if os.access(place, os.W_OK | os.X_OK))
        chosen = next(others, chosen)
    return Path(chosen)


def _make_locked(parent: Path) -> tuple[Path, int | None]:
    """A new folder, and the open descriptor that holds its lock; None where there are no locks."""
    while True:
        folder = _make(parent, _machine())
        try:
            lock = _lock(folder)
        except OSError as error:
            with contextlib.suppress(OSError):
                folder.rmdir()
            if error.errno in (errno.EWOULDBLOCK, errno.ENOENT):
                continue  # another run took it for a leftover before it was locked
            return _make(parent, NO_LOCK), None
        with contextlib.suppress(OSError):
            if lock is None or os.path.samestat(os.fstat(lock), os.lstat(folder)):
                return folder, lock
        if lock is not None:
            os.close(lock)


def _make(parent: Path, machine: str) -> Path:
    folder = parent / f".retrain-{machine}-{secrets.token_hex(8)}.tmp"
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(parent)) from None  # the random name says nothing to anybody
    return folder


def _lock(folder: Path) -> int | None:
    """Lock a folder of ours; None on a system that has no such locks. Raises OSError if it is locked or cannot be."""
    if sys.platform == "win32":
        return None
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _remove_if_left(parent: Path, name: str) -> None:
    folder = parent / name
    lock = None
    try:
        # In /tmp anybody may make a folder of this name.
        if parent.stat().st_mode & stat.S_ISVTX and folder.lstat().st_uid != os.geteuid():
            return
        try:
            lock = _lock(folder)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                return  # locked by a living run, gone, no folder
        machine = NAME.fullmatch(name)["machine"]  # type: ignore[index]
        trusted = lock is not None and machine == _machine() != NO_LOCK
        if trusted or time.time() - _last_change(folder) > ABANDONED_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        return  # gone, or not ours to look at
    finally:
        if lock is not None:
            os.close(lock)


def _last_change(folder: Path) -> float:
    """When the newest of all that is in a folder was made or written. Raises OSError."""
    newest = folder.lstat().st_mtime
    for path, folders, files in os.walk(folder):
        for name in (*folders, *files):
            newest = max(newest, os.lstat(os.path.join(path, name)).st_mtime)
    return newest


@functools.cache
def _machine() -> str:
    """What names this boot of this machine's kernel, the same in all of its containers; NO_LOCK if unknown."""
    try:
        return hashlib.sha256(BOOT_ID.read_bytes()).hexdigest()[:8]
    except OSError:
        return NO_LOCK
