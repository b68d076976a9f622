"""Print what is left to install of a lock file: all but TensorFlow, where the base image brings that.

The base of a GPU image brings TensorFlow (1.9 GB) with the libraries of CUDA that it was built for. It must
be the version of the lock file: a second one would make the image larger, and one of the two would be forgotten.
"""

import re
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)")
DISTRIBUTIONS = ("tensorflow", "tensorflow-cpu")  # the same package under two names


def tensorflow_of_base() -> str | None:
    """The version of the TensorFlow that is installed already."""
    for name in DISTRIBUTIONS:
        try:
            return version(name)
        except PackageNotFoundError:
            pass
    return None


def left_to_install(lock: str, installed: str | None) -> str:
    """The lines of `lock` without TensorFlow's, if it is `installed`. Raises ValueError for another version of it."""
    if installed is None:
        return lock
    kept, keep = [], True
    for line in lock.splitlines(keepends=True):
        pinned = PINNED.match(line)
        if pinned:  # the lines of a package begin with its name
            keep = pinned[1] != "tensorflow"
            if not keep and pinned[2] != installed:
                raise ValueError(
                    f"The base image brings TensorFlow {installed}, and {pinned[2]} is needed: build with "
                    f"--build-arg BASE_IMAGE=docker.io/tensorflow/tensorflow:{pinned[2]} (or :{pinned[2]}-gpu)."
                )
        if keep:
            kept.append(line)
    return "".join(kept)


if __name__ == "__main__":
    try:
        sys.stdout.write(left_to_install(Path(sys.argv[1]).read_text(encoding="utf-8"), tensorflow_of_base()))
    except ValueError as error:
        sys.exit(f"Error: {error}")
