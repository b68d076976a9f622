"""Photos in class folders and their bottlenecks by the average-colour network, with what ran to get them."""

import io
import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from label_image.files import sha256_of_bytes
from label_image.preprocessing import Pixels
from retrain.backbones.backbone import Backbone, find_backbone
from retrain.backbones.engines.base import Engine, Vectors
from retrain.backbones.engines.registry import start_engine
from retrain.bottlenecks import probe
from retrain.bottlenecks.extraction import Extraction, extract
from retrain.photos import opening, reading
from retrain.photos.dataset import Dataset

FAKE = find_backbone("fake", Path("no-models"))


LONG_AGO = 1_500_000_000 * 10**9


clock = itertools.count(LONG_AGO, 10**9)  # files that are a moment old are never trusted unread


def list_photos(source: Path) -> Dataset:
    """Photos as a file system lists them that keeps no change times: what is written a moment ago may look old."""
    listing = opening.list_photos(source)
    return replace(listing, files=tuple(replace(file, ctime_ns=file.mtime_ns) for file in listing.files))


class Counter:
    """Starts engines, and counts the starts and the photos (not the probe's) that ran through them."""

    def __init__(self, change: Callable[[Vectors], Vectors] = lambda vectors: vectors) -> None:
        self.starts = 0
        self.photos = 0
        self.change = change

    def start(self, backbone: Backbone) -> Engine:
        self.starts += 1
        run = start_engine(backbone)
        probes = {backbone.preprocessing.pixels(data).tobytes() for data in probe.probe_photos()}

        def engine(pixels: Pixels) -> Vectors:
            self.photos += sum(photo.tobytes() not in probes for photo in pixels)
            return self.change(run(pixels))

        return engine


def photo_bytes(number: int) -> bytes:
    """A photo of its own for each number: a JPEG where it is even, a PNG of constant length where it is odd."""
    pixels = np.random.default_rng(number).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    if number % 2:
        image.save(file, "PNG", compress_level=0)
    else:
        image.save(file, "JPEG")
    return file.getvalue()


def write(path: Path, data: bytes) -> Path:
    """Write as most programs replace a file: under another name, renamed into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(".new")
    temporary.write_bytes(data)
    now = next(clock)
    os.utime(temporary, ns=(now, now))
    os.replace(temporary, path)
    return path


def class_folders(root: Path, photos: int = 6) -> Path:
    for number in range(photos):
        write(root / "ab"[number % 2] / f"{number}.jpg", photo_bytes(number))
    return root


def dark_noise(root: Path, photos: int) -> Path:
    """Photos of noise that becomes no white where it is made brighter."""
    for number in range(photos):
        path = root / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(20, 120, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return root


def average_colour(data: bytes, backbone: Backbone = FAKE) -> np.ndarray:
    """What the fake backbone gives, written once more: pixels 0..255 to -1..1, averaged."""
    return backbone.preprocessing.pixels(data).astype(np.float64).mean(axis=(0, 1)) / 127.5 - 1


def assert_true(extraction: Extraction) -> None:
    """Every row is what its photo's bytes give, and every photo has one."""
    assert extraction.matrix.shape == (len(extraction.photos), 3)
    assert extraction.matrix.dtype == np.float32
    for photo, row in zip(extraction.photos, extraction.matrix, strict=True):
        data = Path(photo.path).read_bytes()
        assert photo.sha256 == sha256_of_bytes(data)
        np.testing.assert_allclose(row, average_colour(data), atol=2e-6)


def run(source: Path, store: Path, backbone: Backbone = FAKE, **options: object) -> tuple[Extraction, Counter]:
    counter = Counter()
    extraction = extract(list_photos(source), backbone, store, start=counter.start, **options)  # type: ignore[arg-type]
    assert extraction.computed == counter.photos
    return extraction, counter


def touch(cats: Path) -> Path:
    for path in cats.rglob("*.jpg"):
        path.touch()
    return cats


def read_by(monkeypatch: pytest.MonkeyPatch, read: Callable[[str], bytes]) -> None:
    """Photos are read by this function."""

    @contextmanager
    def opened(path: str) -> Iterator[bytes]:
        yield read(path)

    monkeypatch.setattr(reading, "photo_bytes", opened)


# Broken photos


def broken_photos(cats: Path) -> dict[str, str]:
    """Paths of files that are no photos, and a part of the reason that each must get."""
    whole = photo_bytes(102)
    return {
        str(write(cats / "a" / "cut.jpg", whole[: len(whole) // 2])): "is cut off",
        str(write(cats / "a" / "empty.jpg", b"")): "empty",
        str(write(cats / "b" / "text.png", b"just some text")): "not a photo",
    }


# Interruptions and damage


def interrupted_after(batches: int) -> Callable[[Backbone], Engine]:
    def start(backbone: Backbone) -> Engine:
        calls = itertools.count(-1)  # the probe comes first
        engine = start_engine(backbone)

        def run(pixels: Pixels) -> Vectors:
            if next(calls) >= batches:
                raise KeyboardInterrupt
            return engine(pixels)

        return run

    return start


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
