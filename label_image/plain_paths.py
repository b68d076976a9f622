"""Links with plain names to files and folders whose own name a library would misread.

TensorFlow takes `m[1]` for a pattern, and most libraries in C++ take no name that is not UTF-8. They are given a link
with an innocent name instead.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from label_image.files import MISREAD, scratch_folder


@contextmanager
def plain_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Another name for a file or folder, which may be made under it; the same one where that does no harm."""
    absolute = os.path.abspath(path)
    if os.sep == "\\" or not MISREAD.search(absolute):
        yield Path(path)
        return
    with scratch_folder() as folder:
        suffix = "".join(Path(absolute).suffixes)
        link = folder.joinpath(f"link{'' if MISREAD.search(suffix) else suffix}")
        link.symlink_to(absolute)
        yield link
