"""JPEGs that end early: read as far as they go where that is asked for, and what is missing is said."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from painting import COLOURS, paint_classes
from PIL import Image

from label_image.errors import PhotoError
from label_image.photo_files.jpeg import END, completed
from label_image.preprocessing import Preprocessing, load_pixels
from retrain import Backbone, Dataset, extract
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.photos.truncated import missing_part

PREPROCESSING = Preprocessing.parse("decode(2)|orient|resize(32,bilinear)")
SMOOTH = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)).resize((320, 240), 3)


def jpeg(**options: object) -> bytes:
    buffer = io.BytesIO()
    SMOOTH.save(buffer, "JPEG", **options)
    return buffer.getvalue()


KINDS = {"plain": {}, "progressive": {"progressive": True}, "restarts": {"restart_marker_blocks": 3}}
JPEGS = {name: jpeg(**options) for name, options in KINDS.items()}


def begin(data: bytes) -> int:
    return data.index(b"\xff\xda") + 20


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(JPEGS)), st.floats(0, 1, exclude_max=True))
def test_a_picture_that_has_begun_is_read(name: str, place: float) -> None:
    whole = JPEGS[name]
    cut = whole[: begin(whole) + int(place * (len(whole) - begin(whole)))]
    with pytest.raises(PhotoError, match=rf"^is cut off: its {len(cut)} bytes end before the picture does"):
        PREPROCESSING.pixels(cut)
    assert np.array_equal(PREPROCESSING.pixels(completed(cut)), PREPROCESSING.pixels(completed(cut)))
    assert missing_part(cut)


def test_the_rows_that_are_there_are_those_of_the_whole_photo() -> None:
    whole = JPEGS["plain"]
    found = PREPROCESSING.pixels(completed(whole[: len(whole) * 3 // 4]))
    assert np.array_equal(found[:12], PREPROCESSING.pixels(whole)[:12])


def test_what_is_missing_is_said() -> None:
    whole = JPEGS["plain"]
    shares = [
        int(missing_part(whole[: begin(whole) + (len(whole) - begin(whole)) * part // 10]).split()[2])
        for part in (1, 5, 9)
    ]
    assert shares[0] > 70 > shares[1] > 30 > shares[2] > 0
    assert missing_part(whole.removesuffix(END)) == "its end marker is missing, and no pixel"
    progressive = JPEGS["progressive"]
    assert missing_part(progressive[: len(progressive) // 2]) == "some of its detail is missing"


@pytest.mark.parametrize(
    "data", [JPEGS["plain"], b"", b"\xff\xd8\xff", JPEGS["plain"][:100], b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff" * 99]
)
def test_all_else_is_as_it_was(data: bytes) -> None:
    assert completed(data) is data


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Three photos of each of two classes, and one of each that ends early, of which one has a copy."""
    paint_classes(tmp_path / "photos", {name: COLOURS[name] for name in ("red", "blue")}, range(3))
    whole = JPEGS["plain"]
    for name, size in (("red/cut.jpg", len(whole) // 2), ("blue/cut.jpg", len(whole) - 2), ("blue/copy.jpg", -2)):
        (tmp_path / "photos" / name).write_bytes(whole[:size])
    return tmp_path / "photos"


def run(source: Path, accept_truncated: bool, architecture: str = "fake") -> tuple[dict[str, int], list[str]]:
    """What was read, and computed, and what was left out."""
    config = ExtractionConfig(source.parent / "b", accept_truncated=accept_truncated)
    found = extract(Dataset.open(source), Backbone.find(architecture), config)
    extraction = found.extraction
    for photo, row in zip(extraction.photos, extraction.matrix, strict=True):
        if photo.path.endswith(".jpg"):
            pixels = load_pixels(photo.path, found.backbone.preprocessing, accept_truncated=True)
            assert np.abs(row[:3] - pixels.mean(axis=(0, 1)) / 127.5 + 1).max() < 0.02 or architecture != "fake"
    counts = {"photos": len(found.photos), "computed": extraction.computed, "truncated": len(extraction.truncated)}
    return counts, sorted(Path(item.path).name for item in found.skipped)


def test_turning_it_on_and_off_again(source: Path) -> None:
    """What is refused without it is refused after a run with it, too, though a bottleneck has been kept."""
    refused = ["copy.jpg", "cut.jpg", "cut.jpg"]
    assert run(source, False) == ({"photos": 6, "computed": 6, "truncated": 0}, refused)
    assert run(source, True) == ({"photos": 9, "computed": 2, "truncated": 2}, [])
    assert run(source, True) == ({"photos": 9, "computed": 0, "truncated": 2}, [])
    assert run(source, False) == ({"photos": 6, "computed": 0, "truncated": 0}, refused)
    (source / "red" / "one_more.png").write_bytes((source / "red" / "0.png").read_bytes() + b"\0")
    assert run(source, True) == ({"photos": 10, "computed": 1, "truncated": 2}, [])


def test_a_whole_run_says_what_is_missing(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from retrain.cli.main import main

    def call(*arguments: object) -> str:
        main([
            "--image_dir", str(source), "--output_dir", str(source.parent / "model"), "--architecture", "fake",
            "--bottleneck_dir", str(source.parent / "b"), "--model_dir", str(source.parent / "m"),
            "--formats", "saved_model", *map(str, arguments),
        ])  # fmt: skip
        return " ".join(capsys.readouterr().out.split())

    remarks = source.parent / "model" / "remarks.csv"
    assert "skipped: 3 × is cut off: see" in (said := call())
    assert "--accept_truncated reads what is there" in said and not remarks.exists()
    assert "though they end early: 3 photos: see" in call("--accept_truncated")
    with remarks.open(encoding="utf-8", newline="") as file:
        rows = {Path(row["path"]).name: row["remark"] for row in csv.DictReader(file)}
    assert rows.keys() == {"cut.jpg", "copy.jpg"}
    assert rows["copy.jpg"] == "ends early: its end marker is missing, and no pixel"
    call()
    assert not remarks.exists()
