"""The content of a source's own files, read again only where they have changed."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from label_image.files import reason_of, sha256_of
from retrain.core.errors import DatasetError
from retrain.photos.dataset import Dataset, PhotoFile, Skipped
from retrain.photos.hashes import PhotoHashes
from retrain.photos.layouts.recognise import NO_CLASSES, NO_SIDE
from retrain.photos.left_out import is_missing
from retrain.photos.reading import known_contents, remember_content


def content_hashes(files: Sequence[Path], bottleneck_dir: Path, paranoid: bool) -> list[str]:
    """The SHA-256 of each file; unchanged files are known from the table of hashes and not read.

    `paranoid` reads them all. Raises DatasetError where a file cannot be read.
    """
    try:
        listed = [_listed(file) for file in files]
    except OSError as error:
        raise _unreadable(error) from None
    return hashes_of(listed, bottleneck_dir, paranoid)


def hashes_of(listed: Sequence[PhotoFile], bottleneck_dir: Path | str, paranoid: bool = False) -> list[str]:
    """The same of files that have been listed; of one that is gone, what is known of it."""
    hashes = PhotoHashes(bottleneck_dir)
    known = [None] * len(listed) if paranoid else known_contents(listed, hashes)
    sha256s = []
    try:
        for file, sha256 in zip(listed, known, strict=True):
            sha256 = file.gone_sha256 or sha256
            if sha256 is None:
                read_ns, sha256 = time.time_ns(), sha256_of(file.path)
                remember_content(file, sha256, read_ns, hashes)
            sha256s.append(sha256)
    except OSError as error:
        raise _unreadable(error) from None
    hashes.save_if_possible()
    return sha256s


def check_complete(listing: Dataset, source: str) -> None:
    """Raise DatasetError where photos of a source may be missing from its listing, before others than these go."""
    if missing := [one for one in listing.skipped if is_missing(one.reason)]:
        raise DatasetError(
            f"Nothing is removed, as photos to keep may be missing: {_first_of(missing)}. Mount the disk, correct the "
            f"path or the rights, or take it out of {source}."
        )
    if without_class := [one for one in listing.skipped if one.reason in (NO_CLASSES, NO_SIDE)]:
        raise DatasetError(
            f"Nothing is removed, as photos in {source} would not be kept: {_first_of(without_class)}. Pass `layout` "
            "folders, by which each folder of photos counts."
        )


def _first_of(skipped: Sequence[Skipped]) -> str:
    more = f" ({len(skipped) - 1} more so)" if len(skipped) > 1 else ""
    return f"{skipped[0].path} {skipped[0].reason}{more}"


def _listed(file: Path) -> PhotoFile:
    return PhotoFile.of(str(file), "", os.stat(file))


def _unreadable(error: OSError) -> DatasetError:
    return DatasetError(f"{error.filename} cannot be read: {reason_of(error)}.")
