"""What is known about the contents of a data set's files while they are read."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from retrain.bottlenecks.shards import Key
from retrain.photos.adding import once_each
from retrain.photos.dataset import Photo, PhotoFile, Skipped
from retrain.photos.hashes import PhotoHashes
from retrain.photos.reading import ReadPhoto, known_contents, photo_threads, read_photos, remember_content
from retrain.photos.views import View

SAVE_SECONDS = 300.0  # between two writings of the table of hashes, which is written as a whole
AHEAD = 64  # photos read in advance, of which nothing is decoded


class Contents:
    """What is known about the content of each file of a data set, more and more of it while they are read."""

    def __init__(
        self, files: Sequence[PhotoFile], hashes: PhotoHashes, trusted: bool, accept_truncated: bool = False
    ) -> None:
        self.files = files
        self.accept_truncated = accept_truncated
        self.truncated: set[str] = set()  # by content: JPEGs that end early, and are accepted
        known = known_contents(files, hashes) if trusted else [None for _ in files]
        self.sha256s: list[str | None] = [file.gone_sha256 or sha for file, sha in zip(files, known, strict=True)]
        self.unusable: dict[int, str] = {}  # by file: cannot be read, or changed
        self.undecodable: dict[str, str] = {}  # by content
        self.seconds = dict.fromkeys(("read", "decode", "infer", "write"), 0.0)
        self._hashes = hashes
        self._saved = time.monotonic()
        self._twice: list[Skipped] = []
        self._folders: dict[str, str] = {}  # see `absolute_paths`

    def learn(self, photo: ReadPhoto) -> None:
        """Take note of a file that was read."""
        self.seconds["read"] += photo.read_seconds
        self.seconds["decode"] += photo.decode_seconds
        if not photo.sha256:
            self.unusable[photo.index] = photo.problem
            return
        if photo.truncated:
            self.truncated.add(photo.sha256)
        if photo.problem:
            self.undecodable[photo.sha256] = photo.problem
        if self.sha256s[photo.index] is None:
            self.sha256s[photo.index] = photo.sha256
            remember_content(self.files[photo.index], photo.sha256, photo.read_ns, self._hashes, self._folders)
        if time.monotonic() - self._saved >= SAVE_SECONDS:
            self.save()

    def save(self) -> None:
        """Write the hashes down for the next run, where that can be done."""
        self._hashes.save_if_possible()
        self._saved = time.monotonic()

    def key(self, sha256: str, view: View) -> Key:
        """What the bottleneck of a content is kept under."""
        return Key(sha256, view.truncated_id if sha256 in self.truncated else view.id)

    def forget_problems(self) -> None:
        """Before the files are read again."""
        self.unusable.clear()
        self.undecodable.clear()
        self.truncated.clear()

    def read_unknown(self) -> None:
        """Read the files of which nothing is known, and decode none."""
        unknown = [(index, None) for index, sha256 in enumerate(self.sha256s) if sha256 is None]
        with photo_threads() as threads:
            for photo in read_photos(unknown, self.files, _Everything(), _no_pixels, False, threads, AHEAD):
                self.learn(photo)

    def gone(self, indices: Iterable[int]) -> set[str]:
        """The contents among these files of which there is no file."""
        gone = {self.files[index].gone_sha256 for index in indices if self.files[index].gone}
        if not gone:
            return gone
        return gone - {sha for file, sha in zip(self.files, self.sha256s, strict=True) if not file.gone}

    def usable(self) -> tuple[list[int], tuple[Photo, ...]]:
        """The files that have a bottleneck, by index and as photos."""
        indices, photos = [], []
        for index, (file, sha256) in enumerate(zip(self.files, self.sha256s, strict=True)):
            if sha256 is not None and index not in self.unusable and sha256 not in self.undecodable:
                indices.append(index)
                photos.append(file.with_content(sha256))
        if not any(file.part for file in self.files):
            return indices, tuple(photos)
        once, self._twice = once_each(photos)
        kept = [(index, photo) for index, photo in zip(indices, once, strict=True) if photo is not None]
        return [index for index, _ in kept], tuple(photo for _, photo in kept)

    def skipped(self) -> Iterator[Skipped]:
        """The other files, with the reasons, once it is known which are `usable`."""
        for index, problem in sorted(self.unusable.items()):
            yield Skipped(self.files[index].path, problem)
        for index, sha256 in enumerate(self.sha256s):
            if sha256 in self.undecodable and index not in self.unusable:
                yield Skipped(self.files[index].path, self.undecodable[sha256])
        yield from self._twice

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Count the time of a stage."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - begin


class _Everything:
    """Contains whatever is asked for."""

    def __contains__(self, item: object) -> bool:
        return True


def _no_pixels(data: bytes, sha256: str) -> NoReturn:
    raise AssertionError("nothing is decoded")
