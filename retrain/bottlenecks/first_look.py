"""A look at a few photos from here, before a cluster is asked for: those that cannot be decoded need none."""

from collections.abc import Sequence, Set

from label_image.preprocessing import Preprocessing
from retrain.bottlenecks.digests import Digests
from retrain.bottlenecks.executors.local import Prepare
from retrain.photos.dataset import PhotoFile
from retrain.photos.reading import ReadPhoto, photo_threads, read_photos
from retrain.photos.views import View

FEW = 1000  # more than these are not read here
AHEAD = 64


def without_network(
    files: Sequence[PhotoFile], known: Sequence[str | None], wanted: Sequence[int], stored: Set[str] | Digests,
    preprocessing: Preprocessing, view: View, accept_truncated: bool,
) -> list[ReadPhoto]:  # fmt: skip
    """The wanted files, read, if they are few and none of them has to be computed; else nothing."""
    if len(wanted) > FEW:
        return []
    threads = photo_threads()
    pairs = ((index, known[index]) for index in wanted)
    photos = []
    try:
        prepare = Prepare(preprocessing, view)
        for photo in read_photos(pairs, files, stored, prepare, accept_truncated, threads, AHEAD):
            if photo.pixels is not None:
                return []
            photos.append(photo)
    finally:
        threads.shutdown(wait=True, cancel_futures=True)
    return photos
