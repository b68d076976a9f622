"""Unpack an archive into a new folder, so that it can do no harm.

No member comes to lie outside of the folder: one that says so ends it. Links and devices are never made: a link to a
photo of the archive becomes that photo, all others are left out. There are limits on the number of files and on their
size, which are counted as they are written, whatever the archive promises.
"""

import errno
import os
import posixpath
import re
import shutil
import zlib
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from label_image.files import reason_of
from retrain.core.errors import DatasetError
from retrain.photos.archives.kinds import Kind, is_named_archive, kind_of_archive, require_kind, without_suffix
from retrain.photos.archives.members import DAMAGED, Member, members_of, promised_bytes, why_damaged
from retrain.photos.layouts.words import kind_of

CHUNK = 2**20
DEPTH = 2  # archives in archives
NO_SUCH_NAME = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.EINVAL, errno.EILSEQ)
DRIVE = re.compile(r"[A-Za-z]:[\\/]")


@dataclass(frozen=True)
class Limits:
    """How much may come out of an archive: photos hardly shrink, so one that grows a hundredfold holds none."""

    files: int = 10_000_000
    growth: int = 100  # bytes for each byte of the archive
    harmless: int = 2**30  # bytes that it may always have


@dataclass
class Unpacked:
    """What came out: how many files and bytes, and what was left out: its name and why.

    `unclear` is the first name that is in no code page that is known, where there is one.
    """

    files: int = 0
    size: int = 0
    photos: int = 0
    archives: list[Path] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    unclear: str = ""


def unpack_archive(
    path: Path,
    folder: Path,
    observe: Callable[[int, int], None] = lambda done, total: None,
    limits: Limits = Limits(),
) -> Unpacked:
    """Unpack an archive into a folder, which is made; archives in it too, where it holds no photos.

    Raises DatasetError where the archive is damaged, encrypted, none, or not to be trusted, and where the disk is full.
    """
    kind = require_kind(path)
    work = _Work(path, folder, limits, Unpacked())
    try:
        work.check_room(promised_bytes(path, kind))
        work.unpack(path, kind, folder, observe)
        for _ in range(DEPTH - 1):
            inner, work.found.archives = work.found.archives, []
            if work.found.photos:
                break
            for archive in inner:
                work.unpack_inner(archive, observe)
    except OSError as error:
        if error.errno is None:  # of a library that reads bytes
            raise _damaged(path, error) from None
        raise DatasetError(f"{path} cannot be unpacked to {folder}: {reason_of(error)}.") from None
    except (*DAMAGED, zlib.error) as error:
        raise _damaged(path, error) from None
    return work.found


@dataclass
class _Work:
    """One archive that is being unpacked."""

    archive: Path
    folder: Path
    limits: Limits
    found: Unpacked

    def unpack(self, path: Path, kind: Kind, folder: Path, observe: Callable[[int, int], None]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        links: list[tuple[Path, Path | None, str]] = []
        with members_of(path, kind, observe) as members:
            for member, open_member in members:
                place = self.place(folder, member)
                self.count_one()
                if member.is_unclear:
                    self.found.unclear = self.found.unclear or member.name
                if member.kind == "folder":
                    self.make_folder(place, member)
                elif member.kind == "file":
                    with open_member() as file:
                        self.write(file, place, member)
                elif member.kind == "other":
                    self.found.left_out.append((member.name, "is a device or the like"))
                else:
                    links.append((place, _target(folder, place, member), member.name))
        self.copy_links(links)

    def unpack_inner(self, archive: Path, observe: Callable[[int, int], None]) -> None:
        kind = kind_of_archive(archive)
        if kind is None:
            return
        self.unpack(archive, kind, archive.with_name(without_suffix(archive.name)), observe)
        archive.unlink()

    def place(self, folder: Path, member: Member) -> Path:
        """Where a member goes. Raises DatasetError if that is outside of the folder."""
        parts = [part for part in member.name.split("/") if part not in ("", ".")]
        outside = member.name.startswith("/") or ".." in parts or DRIVE.match(member.name) or "\0" in member.name
        if outside:
            raise DatasetError(
                f"{self.archive} is not unpacked: its member {member.name!r} would be written outside of the folder."
            )
        return folder.joinpath(*parts)

    def make_folder(self, place: Path, member: Member) -> bool:
        """Make a folder with those around it; False, and it is said, where its name cannot be."""
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            if error.errno not in NO_SUCH_NAME:
                raise
            self.found.left_out.append((member.name, f"cannot be written: {reason_of(error)}"))
            return False
        return True

    def write(self, file: IO[bytes], place: Path, member: Member) -> None:
        with ExitStack() as stack:
            new: IO[bytes] | None = None
            if self.make_folder(place.parent, member):
                try:
                    new = stack.enter_context(open(place, "wb"))
                except OSError as error:
                    if error.errno not in NO_SUCH_NAME:
                        raise
                    self.found.left_out.append((member.name, f"cannot be written: {reason_of(error)}"))
            while data := file.read(CHUNK):
                self.found.size += len(data)
                self.check_size()
                if new:
                    new.write(data)
        if new:
            self.found.photos += kind_of(place.name) == "photo"
            if is_named_archive(place.name):
                self.found.archives.append(place)

    def copy_links(self, links: list[tuple[Path, Path | None, str]]) -> None:
        """Put the files in the place of the links to them: also of links to links."""
        waiting = links
        while waiting:
            later = []
            for place, target, name in waiting:
                if target is None or not target.is_file() or os.path.lexists(place):
                    later.append((place, target, name))
                    continue
                place.parent.mkdir(parents=True, exist_ok=True)
                try:
                    os.link(target, place)
                except OSError:
                    self.found.size += target.stat().st_size
                    self.check_size()
                    shutil.copyfile(target, place)
                self.found.photos += kind_of(place.name) == "photo"
            if len(later) == len(waiting):
                break
            waiting = later
        else:
            return
        for _, target, name in waiting:
            self.found.left_out.append(
                (name, "is a link to no file of the archive" if target else "is a link out of the archive")
            )

    def count_one(self) -> None:
        self.found.files += 1
        if self.found.files > self.limits.files:
            raise DatasetError(f"{self.archive} is not unpacked: it holds more than {self.limits.files:,} files.")

    def check_size(self) -> None:
        most = max(self.limits.harmless, self.limits.growth * self.archive.stat().st_size)
        if self.found.size > most:
            raise DatasetError(
                f"{self.archive} is not unpacked: it grows to more than {most / 1e9:.1f} GB, which no photos do. If "
                "you trust it, unpack it, and pass the folder."
            )

    def check_room(self, needed: int) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise DatasetError(
                f"{self.archive} needs {needed / 1e9:.1f} GB of disk, of which {free / 1e9:.1f} GB are left: "
                "free some space, or choose another `source_dir`."
            )


def _target(folder: Path, place: Path, member: Member) -> Path | None:
    """The place that a link leads to; None if it is outside of the folder."""
    if member.target.startswith("/") or not member.target:
        return None
    base = folder if member.kind == "hard link" else place.parent
    target = posixpath.normpath(posixpath.join(base.relative_to(folder).as_posix(), member.target))
    return None if target.split("/")[0] == ".." or "\0" in target else folder / target


def _damaged(path: Path, error: Exception) -> DatasetError:
    return DatasetError(f"{path} is damaged or cannot be read here ({why_damaged(error)}): get it again.")
