"""What is in an archive, one member after the other, with the bytes of each."""

import bz2
import gzip
import lzma
import re
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, cast

from retrain.core.errors import DatasetError
from retrain.photos.archives.kinds import Kind

HEADER = 2**20  # bytes that may describe one member of a tar: names are short
TAIL = 2**26  # bytes behind the end of a tar: some zeros, as a rule
LINK = 4096  # bytes of a link's target
ENCRYPTED = 0x1
UTF_8 = 0x800

Opener = Callable[[], IO[bytes]]
Observe = Callable[[int, int], None]  # bytes of the archive that were read, of how many


@dataclass(frozen=True)
class Member:
    """One entry: `target` is where a link leads, as the archive says it."""

    name: str
    kind: Literal["file", "folder", "link", "hard link", "other"]
    target: str = ""


@contextmanager
def members_of(path: Path, kind: Kind, observe: Observe) -> Iterator[Iterator[tuple[Member, Opener]]]:
    """The members in their order; the bytes of a member are read before the next one is asked for.

    Raises what the libraries raise of a damaged archive, and DatasetError.
    """
    with ExitStack() as stack:
        if kind == "zip":
            yield _of_zip(stack.enter_context(zipfile.ZipFile(path)), path, observe)
            return
        raw = stack.enter_context(open(path, "rb"))
        plain = counted = cast("IO[bytes]", _Counted(raw, path.stat().st_size, observe))
        if kind == "gz":
            plain = cast("IO[bytes]", stack.enter_context(gzip.GzipFile(fileobj=counted)))
        elif kind == "bz2":
            plain = stack.enter_context(bz2.BZ2File(counted))
        elif kind == "xz":
            plain = stack.enter_context(lzma.LZMAFile(counted))
        yield _of_tar(_Bounded(plain))


def promised_bytes(path: Path, kind: Kind) -> int:
    """How large all is together, as far as the archive says so before it is unpacked: a zip does."""
    if kind != "zip":
        return 0
    with zipfile.ZipFile(path) as archive:
        return sum(entry.file_size for entry in archive.infolist())


def _of_zip(archive: zipfile.ZipFile, path: Path, observe: Observe) -> Iterator[tuple[Member, Opener]]:
    entries = archive.infolist()
    if locked := next((entry for entry in entries if entry.flag_bits & ENCRYPTED), None):
        raise DatasetError(f"{path} is encrypted ({_name(locked)}): unpack it with its password, and pass the folder.")
    total = sum(entry.compress_size for entry in entries)
    done = 0
    for entry in entries:
        name = _name(entry)
        mode = entry.external_attr >> 16
        if entry.is_dir() or name.endswith("/"):
            yield Member(name, "folder"), _nothing
        elif stat.S_ISLNK(mode):
            with archive.open(entry) as file:
                target = file.read(LINK)
            yield Member(name, "link", target.decode("utf-8", "surrogateescape")), _nothing
        elif stat.S_IFMT(mode) and not stat.S_ISREG(mode):
            yield Member(name, "other"), _nothing
        else:
            yield Member(name, "file"), lambda entry=entry: archive.open(entry)  # type: ignore[misc]
        done += entry.compress_size
        observe(done, total)


def _name(entry: zipfile.ZipInfo) -> str:
    """The name of an entry. Many programs write UTF-8 without saying so, some of Windows backslashes."""
    name = entry.filename
    if not entry.flag_bits & UTF_8 and not name.isascii():
        with suppress(UnicodeError):  # it may be of the old code page, or of nobody knows which
            name = name.encode("cp437").decode("utf-8")
    return name if "/" in name else name.replace("\\", "/")


def _of_tar(stream: "_Bounded") -> Iterator[tuple[Member, Opener]]:
    stream.allow(HEADER)
    with tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r|") as archive:
        while True:
            stream.allow(HEADER)
            entry = archive.next()
            if entry is None:
                break
            archive.members = []  # type: ignore[attr-defined]  # else it remembers each of a million
            stream.allow(None)
            if entry.isfile():
                yield Member(entry.name, "file"), lambda entry=entry: _bytes_of(archive, entry)  # type: ignore[misc]
            elif entry.isdir():
                yield Member(entry.name, "folder"), _nothing
            elif entry.islnk():
                yield Member(entry.name, "hard link", entry.linkname), _nothing
            elif entry.issym():
                yield Member(entry.name, "link", entry.linkname), _nothing
            else:
                yield Member(entry.name, "other"), _nothing
        stream.to_the_end()  # a compressed one has its checksum there


def _bytes_of(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> IO[bytes]:
    file = archive.extractfile(entry)
    assert file is not None
    return file


def _nothing() -> IO[bytes]:
    raise AssertionError("a folder or link has no bytes")


class _Counted:
    """A file that tells how much of it has been read."""

    def __init__(self, file: IO[bytes], total: int, observe: Observe) -> None:
        self._file, self._total, self._observe = file, total, observe
        self.seek, self.tell, self.close, self.seekable = file.seek, file.tell, file.close, file.seekable
        self.readable, self.closed = file.readable, False

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._observe(self._file.tell(), self._total)
        return data


class _Bounded:
    """A stream of which only so much may be read at a time, for a header may promise gigabytes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._left: int | None = None

    def allow(self, size: int | None) -> None:
        """So many bytes from now on; None: any number, which are bounded elsewhere."""
        self._left = size

    def read(self, size: int) -> bytes:
        if self._left is not None:
            self._left -= size
            if self._left < -tarfile.RECORDSIZE:
                raise tarfile.ReadError("it describes a member with a megabyte and more")
        return self._file.read(size)

    def to_the_end(self) -> None:
        """Read the rest, of which there is none but zeros in an honest archive."""
        rest = 0
        while data := self._file.read(2**16):
            rest += len(data)
            if rest > TAIL:
                raise tarfile.ReadError("there is more behind its end")


DAMAGED = (
    zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError,
    ValueError,
)  # fmt: skip
WHY = re.compile(r"\s+")


def why_damaged(error: Exception) -> str:
    """What a library says of a damaged archive, in one line."""
    return WHY.sub(" ", str(error)).strip().rstrip(".") or type(error).__name__
