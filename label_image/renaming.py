"""Renames in one step that Python does not have: exchanging two names, and taking a name only if it is free."""

import ctypes
import errno
import os
from pathlib import Path

AT_FDCWD = -100
UNLESS_THERE, EXCHANGE = 1, 2  # Linux's RENAME_NOREPLACE and RENAME_EXCHANGE
NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


def renamed(one: str | Path, other: str | Path, how: int) -> bool:
    """Rename by Linux's renameat2; False where the system or the file system cannot. Raises OSError."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):  # TypeError: on Windows there is no library without a name
        return False
    if renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), how) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL):
        return False  # an old kernel, or a file system without it (NFS, FUSE)
    raise OSError(code, os.strerror(code), str(one), None, str(other))


def rename_unless_there(one: str | Path, other: str | Path) -> None:
    """Rename to a name that is free; FileExistsError, and nothing is changed, if it is not. Raises OSError."""
    if renamed(one, other, UNLESS_THERE):
        return
    try:
        os.link(one, other, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if os.path.lexists(other):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(other)) from None
        os.rename(one, other)  # a file system that has neither: between the look and this is a moment
    else:
        os.unlink(one)
