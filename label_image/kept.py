"""What is there and would be replaced is kept: as `<name>.1`, `<name>.2` and so on."""

import errno
import os
from itertools import count
from pathlib import Path


def move_aside(target: Path) -> Path:
    """Rename what is there to the first number that is free, and stays so: another run may look for one, too."""
    while True:
        kept = free_name(target)
        try:
            if target.is_dir():
                os.rename(target, kept)  # fails on a folder that is not empty
            else:
                os.link(target, kept, follow_symlinks=False)  # fails if it is there
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
                continue
            os.rename(target, kept)  # a file system without links
        return kept


def free_name(path: Path) -> Path:
    """The path with the first number behind it that is free."""
    return next(free for number in count(1) if not os.path.lexists(free := path.with_name(f"{path.name}.{number}")))
