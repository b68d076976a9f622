"""A network in int8, photos that it is calibrated on, and what stands in for NNCF."""

from pathlib import Path

import pytest
from extracting import photo_bytes, write

from label_image.preprocessing import Pixels
from retrain.backbones.backbone import Backbone, find_backbone
from retrain.backbones.calibrated import NetworkFile
from retrain.bottlenecks import calibrating
from retrain.bottlenecks.calibrating import calibrated
from retrain.core import machine
from retrain.core.places import LocalPlace
from retrain.photos.opening import list_photos

# Its weights come with a package. In an untrained one all numbers are so small that int8 makes zeros of them.
INT8 = find_backbone("efficientnet_lite0", Path("unused"), image_size=32).computed_in("int8")


class Quantiser:
    """Stands in for NNCF: what it makes of photos is their bytes, and the photos themselves are remembered."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[Pixels] = []
        self.vnni: list[bool] = []
        monkeypatch.setattr(calibrating, "calibrated_network", self)
        monkeypatch.setattr(calibrating, "import_quantiser", lambda: None)

    def __call__(self, backbone: Backbone, pixels: Pixels, vnni: bool) -> NetworkFile:
        self.seen.append(pixels)
        self.vnni.append(vnni)
        return NetworkFile(b"<net/>", pixels.tobytes(), without_vnni=not vnni)


def this_cpu(monkeypatch: pytest.MonkeyPatch, *flags: str) -> None:
    monkeypatch.setattr(machine, "_cpu_flags", lambda: frozenset(flags))


def some_photos(folder: Path, count: int, first: int = 0) -> Path:
    for number in range(first, first + count):
        write(folder / "ab"[number % 2] / f"{number}.jpg", photo_bytes(number))
    return folder


def by(photos: Path, store: Path) -> Backbone:
    return calibrated(INT8, list_photos(photos).files, LocalPlace(store))
