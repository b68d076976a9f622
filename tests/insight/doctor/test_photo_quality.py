"""Blurred, tiny, huge, colourless and turned photos, small classes, and colours that give the class away."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from retrain.insight.doctor import measures, photo_quality
from retrain.insight.doctor.findings import Shortcut
from retrain.insight.doctor.imbalance import imbalance_findings
from retrain.insight.doctor.looks import look_at
from retrain.insight.doctor.photo_quality import quality_findings, unreadable_findings
from retrain.insight.doctor.shortcut import check_shortcut
from retrain.photos.dataset import Photo, Skipped


def save(folder: Path, name: str, image: Image.Image, **more: object) -> Photo:
    image.save(folder / name, **more)
    return Photo(str(folder / name), "a", f"{hash(name) % 10**9:064x}")


def noisy(seed: int, size: tuple[int, int] = (200, 180)) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (size[1] // 4, size[0] // 4, 3)).astype(np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BILINEAR)


def kinds(photos: list[Photo], input_size: int = 160) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for finding in quality_findings(photos, look_at(photos), input_size):
        found.setdefault(finding.kind, []).append(Path(finding.path).name)
    return found


def test_each_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photo_quality, "HUGE_PIXELS", 100_000)
    photos = [save(tmp_path, f"{seed}.png", noisy(seed)) for seed in range(20)]
    assert kinds(photos) == {}
    exif = Image.Exif()
    exif[0x0112] = 6
    photos += [
        save(tmp_path, "blurred.png", noisy(1).filter(ImageFilter.GaussianBlur(8))),
        save(tmp_path, "tiny.png", noisy(2, (300, 60))),
        save(tmp_path, "huge.png", noisy(3, (400, 300))),
        save(tmp_path, "gray.png", noisy(4).convert("L")),
        save(tmp_path, "turned.jpg", noisy(5), exif=exif),
    ]
    assert kinds(photos) == {
        "blurred": ["blurred.png"], "tiny": ["tiny.png"], "huge": ["huge.png"], "gray": ["gray.png"],
        "rotated": ["turned.jpg"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("level", "noise", "sentence"),
    [
        (0, 0, "This photo is black everywhere."),
        (2, 3, "This photo is black everywhere."),
        (255, 0, "This photo is white everywhere."),
        (120, 2, "This photo is one colour everywhere."),
    ],
)
def test_a_photo_of_one_colour(level: int, noise: int, sentence: str, tmp_path: Path) -> None:
    changes = np.random.default_rng(0).integers(-noise, noise + 1, (180, 200, 3))
    blank = Image.fromarray((level + changes).clip(0, 255).astype(np.uint8))
    photos = [*(save(tmp_path, f"{seed}.png", noisy(seed)) for seed in range(20)), save(tmp_path, "blank.png", blank)]
    (finding,) = quality_findings(photos, look_at(photos), 160)
    assert (finding.kind, Path(finding.path).name, finding.sentence) == ("blank", "blank.png", sentence)


def test_little_on_much_of_one_colour_is_no_blank_photo(tmp_path: Path) -> None:
    page = np.full((180, 200, 3), 255, np.uint8)
    page[90:92, 40:160] = 0  # a line
    photos = [*(save(tmp_path, f"{seed}.png", noisy(seed)) for seed in range(20))]
    photos.append(save(tmp_path, "page.png", Image.fromarray(page)))
    assert "blank" not in kinds(photos)


def test_a_set_without_colours_is_no_finding(tmp_path: Path) -> None:
    assert kinds([save(tmp_path, f"{seed}.png", noisy(seed).convert("L")) for seed in range(5)]) == {}


def test_sharpness_of_a_line_by_hand() -> None:
    gray = np.zeros((5, 5), np.float32)
    gray[:, 2] = 1
    assert measures.laplacian_variances(gray[np.newaxis])[0] == pytest.approx(np.var([1, -2, 1]))


def test_histograms_are_shares() -> None:
    pixels = np.array([[[0, 0, 0], [255, 255, 255]], [[0, 0, 255], [0, 0, 192]]], np.uint8)
    histogram = measures.colour_histograms(pixels[np.newaxis])[0]
    assert {index: share for index, share in enumerate(histogram.tolist()) if share} == {0: 0.25, 3: 0.5, 63: 0.25}


def test_unreadable_files_keep_their_reasons() -> None:
    (finding,) = unreadable_findings([Skipped("a/x.jpg", "is empty (0 bytes)")])
    assert finding.sentence == "This file is empty (0 bytes)."


def test_small_classes() -> None:
    assert [finding.label for finding in imbalance_findings({"a": 100, "b": 30, "c": 20, "d": 100, "e": 1})] == [
        "e",
    ]
    assert [finding.label for finding in imbalance_findings({"a": 200, "b": 19, "c": 200})] == ["b"]
    assert imbalance_findings({"a": 20, "b": 99}) == []
    assert imbalance_findings({"a": 20}) == [] == imbalance_findings({})


@pytest.mark.parametrize("large", [800, 500])
def test_of_two_classes_the_small_one_is_named(large: int) -> None:
    """The median of both would be more than half the large one."""
    (finding,) = imbalance_findings({"a": large, "b": 100})
    assert finding.label == "b" and finding.score == large / 100
    assert f"b has 100 photos, the median of the other classes {large};" in finding.sentence


@pytest.mark.parametrize("telling", [True, False])
def test_colours_that_give_the_class_away(tmp_path: Path, telling: bool) -> None:
    photos, classes = [], np.arange(60) % 2
    for number, label in enumerate(classes):
        red = label if telling else number // 2 % 2
        photos.append(save(tmp_path, f"{number}.png", Image.new("RGB", (40, 40), (250 * int(red), 90, 90))))
    probabilities = np.eye(2, dtype=np.float32)[classes]
    shortcut = check_shortcut(look_at(photos), classes, np.arange(60) // 4 % 5, probabilities)
    assert shortcut.network_accuracy == 1 and shortcut.chance == 0.5
    assert shortcut.suspicious == telling
    assert shortcut.share == (1 if telling else pytest.approx(0, abs=0.3))


@pytest.mark.parametrize(
    ("colours", "network", "share", "suspicious", "said"),
    [
        (0.5, 0.5, 0, False, "no better than guessing"),
        (0.4, 0.3, 0, False, "no better than guessing"),
        (0.8, 0.5, 1, True, "no better than guessing"),
        (0.4, 0.9, 0, False, "sees much more than colours"),
        (0.9, 0.9, 1, True, "differ by their backgrounds"),
    ],
)
def test_what_is_said_of_colours(colours: float, network: float, share: float, suspicious: bool, said: str) -> None:
    """The largest class has half of the photos."""
    shortcut = Shortcut(colours, network, 0.5)
    assert (shortcut.share, shortcut.suspicious) == (share, suspicious)
    assert said in shortcut.sentence


def test_the_span_of_levels_is_that_of_percentiles() -> None:
    random = np.random.default_rng(0)
    for size in (2, 9, 80):
        for levels in (1, 4, 256):
            pixels = random.integers(0, levels, (size, size, 3)).astype(np.uint8)
            expected = np.ptp(np.percentile(pixels, measures.FEW, axis=(0, 1)), axis=0).max()
            assert measures.spans(pixels[np.newaxis])[0] == pytest.approx(expected, abs=1e-9)
