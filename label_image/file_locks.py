"""Locks on open files (flock), taken without waiting: the kernel lets one go however its process ends.

Windows and some file systems have none.
"""

import errno
import os
import sys
from pathlib import Path

if sys.platform != "win32":
    import fcntl

NO_LOCKS = (errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)


def locked(descriptor: int) -> bool | None:
    """Lock an open file; False if another process has it, None where there are no locks. Raises OSError."""
    if sys.platform == "win32":
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in NO_LOCKS:
            return None
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise
        return False
    return True


def is_still(path: Path, descriptor: int) -> bool:
    """Whether an open file is the one of that name: another run may have renamed it while this one waited."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
