"""Reading photos, each once: the same bytes give its hash and, where its bottleneck is missing, its pixels.

Threads do it: reading, hashing, decoding and resizing all run outside of Python's lock. A bounded number
of photos is read ahead of the one who asks for them, and they come in the order in which they were
asked for.
"""

import os
import threading
import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from label_image.errors import PhotoError
from label_image.files import sha256_of_bytes
from label_image.in_order import map_in_order as map_in_order
from label_image.not_paths import is_object_address
from label_image.preprocessing import Pixels, completed, photo_bytes
from label_image.strangers import set_switches
from retrain.core.machine import cores
from retrain.photos.dataset import Photo, PhotoFile
from retrain.photos.hashes import PhotoHashes

# Either just now, or long ago with its size and time stamp put back.
CHANGED = "changed while it was being read; run the same command again, with `paranoid` if that does not help"
GONE = "is gone: of this photo of an earlier run only bottlenecks are kept"


@dataclass(frozen=True, slots=True)
class ReadPhoto:
    """What became of file `index`.

    `sha256` is empty where the file cannot be used; elsewhere a `problem` is one of the content, and
    holds for each of its copies. There are `pixels` only if the content is new and decodes.
    `truncated`: it is a JPEG that ends early, and was accepted. `read_ns` is the time just before the file was read.
    """

    index: int
    sha256: str = ""
    pixels: Pixels | None = None
    problem: str = ""
    truncated: bool = False
    read_ns: int = 0
    read_seconds: float = 0.0
    decode_seconds: float = 0.0


def known_contents(files: Sequence[PhotoFile], hashes: PhotoHashes) -> list[str | None]:
    """The SHA-256 of each file that was read before and is unchanged since, else None."""
    return hashes.lookup(
        absolute_paths([file.path for file in files]),
        np.fromiter(map(attrgetter("size"), files), np.int64, len(files)),
        np.fromiter(map(attrgetter("mtime_ns"), files), np.int64, len(files)),
        np.fromiter(map(attrgetter("inode"), files), np.uint64, len(files)),
        np.fromiter(map(attrgetter("ctime_ns"), files), np.int64, len(files)),
    )


def remember_content(
    file: PhotoFile, sha256: str, read_ns: int, hashes: PhotoHashes, folders: dict[str, str] | None = None
) -> None:
    """Keep the SHA-256 of a file that was read at `read_ns`, after it was listed; see `absolute_paths` of `folders`."""
    (path,) = absolute_paths([file.path], folders)
    hashes.record(path, file.size, file.mtime_ns, sha256, inode=file.inode, ctime_ns=file.ctime_ns, read_ns=read_ns)


def absolute_paths(paths: Iterable[str], folders: dict[str, str] | None = None) -> list[str]:
    """`os.path.abspath` of paths of files, most of which share their folders with others; addresses as they are.

    `folders` are those that were looked up before; it gets the others.
    """
    folders = {} if folders is None else folders
    absolute = []
    for path in paths:
        name = path.rpartition(os.sep)[2]
        folder = path[: len(path) - len(name)]
        if folder not in folders:
            is_path = not is_object_address(folder)
            folders[folder] = os.path.join(os.path.abspath(folder), "") if is_path else folder
        absolute.append(folders[folder] + name)
    return absolute


def identify(file: PhotoFile) -> Photo:
    """Read a file and say which photo it is. Raises PhotoError if it cannot be read, or is gone."""
    if file.gone:
        raise PhotoError(GONE)
    with photo_bytes(file.path) as data:
        return file.with_content(sha256_of_bytes(data))


def photo_threads() -> ThreadPoolExecutor:
    """The threads that read photos, one for each core."""
    set_switches()  # a library that sets variables when it is imported, beside these threads, could end the process
    return ThreadPoolExecutor(cores(), thread_name_prefix="photos")


def read_photos(
    wanted: Iterable[tuple[int, str | None]],
    files: Sequence[PhotoFile],
    stored: Container[str],
    prepare: Callable[[bytes, str], Pixels],
    accept_truncated: bool,
    threads: ThreadPoolExecutor,
    ahead: int,
) -> Iterator[ReadPhoto]:
    """Read the wanted files, at most `ahead` in advance: (index, SHA-256 or None if it is unknown).

    `prepare` makes the pixels of each content that is not `stored`, once, from its bytes and SHA-256.
    A file whose SHA-256 is not the one it was wanted for is not used. `accept_truncated`: JPEGs that end early are
    prepared as far as they go.
    """
    claimed: set[str] = set()
    lock = threading.Lock()

    def claim(sha256: str) -> bool:
        if sha256 in stored:
            return False
        with lock:
            fresh = sha256 not in claimed
            claimed.add(sha256)
        return fresh

    def read(item: tuple[int, str | None]) -> ReadPhoto:
        index, expected = item
        if expected is not None and expected in claimed:
            return ReadPhoto(index, expected)
        sha256, pixels, problem, truncated = "", None, "", False
        read_ns = time.time_ns()
        begin = middle = time.perf_counter()
        try:
            with photo_bytes(files[index].path) as data:
                digest = sha256_of_bytes(data)
                middle = time.perf_counter()
                if expected is not None and digest != expected:
                    raise PhotoError(CHANGED)
                sha256 = digest
                if claim(sha256):
                    whole = completed(data) if accept_truncated else data
                    truncated = whole is not data
                    pixels = prepare(whole, digest)
        except PhotoError as error:
            problem = str(error)
        return ReadPhoto(
            index, sha256, pixels, problem, truncated, read_ns, middle - begin, time.perf_counter() - middle
        )

    return map_in_order(read, wanted, threads, ahead)
