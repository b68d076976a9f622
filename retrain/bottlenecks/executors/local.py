"""The executor of this process: threads read and decode photos while the network runs on those before them."""

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from label_image.preprocessing import Pixels, Preprocessing
from retrain.backbones.backbone import Backbone
from retrain.backbones.engines.base import BATCH, Engine, Vectors
from retrain.bottlenecks.executors.base import REPORT_FILES, Batch, Session, StartEngine, Work
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.photos.reading import ReadPhoto, photo_threads, read_photos
from retrain.photos.views import View

# Photos that are read ahead, and what their pixels may take: the cores that are free while the network is built
# decode what it runs on first.
AHEAD, AHEAD_BYTES = 1024, 256 << 20


@dataclass(frozen=True)
class Prepare:
    """From a photo's bytes and their SHA-256 to the pixels of one of its views."""

    preprocessing: Preprocessing
    view: View

    def __call__(self, data: bytes, sha256: str) -> Pixels:
        return self.preprocessing.pixels(data, self.view.distort(sha256))


class Local:
    """The executor of this process."""

    @contextmanager
    def open(self, backbone: Backbone, start: StartEngine) -> Iterator[Session]:
        threads = photo_threads()
        try:
            yield _LocalSession(backbone, start, threads)
        finally:
            threads.shutdown(wait=True, cancel_futures=True)


def executor(config: ExtractionConfig) -> Local:
    """The one that a config asks for."""
    return Local()


class _LocalSession:
    keeps = False

    def __init__(self, backbone: Backbone, start: StartEngine, threads: ThreadPoolExecutor) -> None:
        self._backbone = backbone
        self._start = start
        self._threads = threads
        self._engine: Engine | None = None

    def embed(self, pixels: Pixels) -> Vectors:
        if self._engine is None:
            self._engine = self._start(self._backbone)
        return self._engine(pixels)

    def run(self, work: Work) -> Generator[Batch, None, None]:
        """While the network runs on a batch, the one before it is kept, and the photos of the next are put together."""
        network = ThreadPoolExecutor(1, thread_name_prefix="network")
        before: Batch | None = None
        try:
            for batch in self._batches(work):
                if self._engine is None:  # it is started when it is asked for
                    yield batch
                    continue
                if batch.sha256s:
                    batch = replace(batch, vectors=network.submit(batch.vectors).result)
                if before is not None:
                    yield before
                before = batch
            if before is not None:
                yield before
        finally:
            network.shutdown(wait=True, cancel_futures=True)

    def _batches(self, work: Work) -> Iterator[Batch]:
        """The pixels of a batch are overwritten by those of the next but one."""
        size = self._backbone.input_size
        buffers: npt.NDArray[np.uint8] = np.empty((2, BATCH, size, size, 3), np.uint8)
        ahead = max(BATCH, min(AHEAD, AHEAD_BYTES // buffers[0, 0].nbytes))
        prepare = Prepare(self._backbone.preprocessing, work.view)
        read: list[ReadPhoto] = []
        sha256s: list[str] = []
        buffer, other = buffers
        wanted = ((index, work.known[index]) for index in work.wanted)
        photos = read_photos(wanted, work.files, work.stored, prepare, work.accept_truncated, self._threads, ahead)
        for files_read, photo in enumerate(photos, 1):
            read.append(replace(photo, pixels=None))
            if photo.pixels is not None:
                buffer[len(sha256s)] = photo.pixels
                sha256s.append(photo.sha256)
            if len(sha256s) == BATCH:
                yield Batch(read, sha256s, partial(self.embed, buffer))
                read, sha256s, buffer, other = [], [], other, buffer
            elif files_read % REPORT_FILES == 0:
                yield Batch(read, (), partial(self.embed, buffer[:0]))
                read = []
        if read or sha256s:
            yield Batch(read, sha256s, partial(self.embed, buffer[: len(sha256s)]))
