"""What is in an archive, one member after the other, with the bytes of each."""

import bz2
import gzip
import lzma
import re
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, cast

from retrain.core.errors import DatasetError
from retrain.photos.archives.code_pages import CODE_PAGE, code_page_of, decoded, is_unclear
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
    """One entry: `target` is where a link leads, as the archive says it.

    Where `is_unclear`, the name has signs that no name has: it is in no code page that is known.
    """

    name: str
    kind: Literal["file", "folder", "link", "hard link", "other"]
    target: str = ""
    is_unclear: bool = False


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
    code_page = code_page_of(filter(None, map(_bare_name, entries)))
    if locked := next((entry for entry in entries if entry.flag_bits & ENCRYPTED), None):
        name = _name(locked, code_page)
        raise DatasetError(f"{path} is encrypted ({name}): unpack it with its password, and pass the folder.")
    total = sum(entry.compress_size for entry in entries)
    done = 0
    for entry in entries:
        name = _name(entry, code_page)
        unclear = is_unclear(_bare_name(entry) or b"")
        mode = entry.external_attr >> 16
        if entry.is_dir() or name.endswith("/"):
            yield Member(name, "folder", is_unclear=unclear), _nothing
        elif stat.S_ISLNK(mode):
            with archive.open(entry) as file:
                target = file.read(LINK)
            yield Member(name, "link", target.decode("utf-8", "surrogateescape"), unclear), _nothing
        elif stat.S_IFMT(mode) and not stat.S_ISREG(mode):
            yield Member(name, "other", is_unclear=unclear), _nothing
        else:
            yield Member(name, "file", is_unclear=unclear), lambda entry=entry: archive.open(entry)  # type: ignore[misc]
        done += entry.compress_size
        observe(done, total)


def _bare_name(entry: zipfile.ZipInfo) -> bytes | None:
    """The name of an entry as it stands there, where the archive does not say in which encoding; None where it does."""
    if entry.flag_bits & UTF_8 or entry.filename.isascii():
        return None
    try:
        return entry.filename.encode(CODE_PAGE)  # as `zipfile` has read it
    except UnicodeError:
        return None  # newer Pythons have it from a field of its own, in Unicode


def _name(entry: zipfile.ZipInfo, code_page: str) -> str:
    """The name of an entry; `code_page` is that of the archive. Some programs of Windows write backslashes."""
    bare = _bare_name(entry)
    name = entry.filename if bare is None else decoded(bare, code_page)
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
