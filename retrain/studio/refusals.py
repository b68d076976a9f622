"""What the system refuses while the studio changes its folder, as a sentence that names the folder and what helps."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from label_image.files import reason_of
from label_image.terminal import shown
from retrain.core.errors import StudioError
from retrain.core.language import translatable, translated

ADVICE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), translatable("All photos are there; make room, and do it again.")),
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM, errno.EROFS),
        translatable("All photos are there; allow this program to write to it."),
    ),
    **dict.fromkeys(
        (errno.EBUSY, errno.EXDEV), translatable("All photos are there; a disk that is mounted there keeps its name.")
    ),
    errno.ENAMETOOLONG: translatable("All photos are there; choose a shorter name."),
}
UNCHANGED = translatable("All photos are there.")


@contextmanager
def refusals_of(folder: Path) -> Iterator[None]:
    """Raises StudioError for an OSError in the studio's folder."""
    try:
        yield
    except OSError as error:
        advice = translated(ADVICE.get(error.errno or 0, UNCHANGED))
        refused = translated(
            "The folder {folder} cannot be changed: {reason}.",
            folder=shown(_refusing(folder, error)),
            reason=reason_of(error),
        )
        raise StudioError(f"{refused} {advice}") from None


def _refusing(folder: Path, error: OSError) -> Path:
    """The folder that may not be written to; all of it where that is not known."""
    paths = [Path(os.fsdecode(name)) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
    # A folder that goes elsewhere is written to itself, for its `..`.
    folders = [*(path.parent for path in paths), *(path for path in paths if os.path.isdir(path))]
    inside = (one for one in folders if one.is_relative_to(folder) and not os.access(one, os.W_OK))
    return next(inside, folder)
