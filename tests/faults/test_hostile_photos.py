"""Files that are no photos, or are made to hurt: a PhotoError or pixels, at once, and nothing else."""

import io
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from heic import heic
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, features

from label_image.errors import PhotoError
from label_image.photo_files import opening, reading
from label_image.preprocessing import Preprocessing, load_pixels, read_photo

PREPROCESSING = Preprocessing.parse("decode|orient|resize(8,bilinear)")
# Damage makes Pillow warn; what the warning says reaches nobody outside the tests either.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


@pytest.fixture(autouse=True)
def never_hangs() -> Iterator[None]:
    def too_late(*_: object) -> None:
        pytest.fail("still running after 30 seconds")  # no Exception, so nothing that is tested catches it

    before = signal.signal(signal.SIGALRM, too_late)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def encoded(format: str, size: int = 24, **options: object) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera"
    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    if format == "GIF":
        image.save(buffer, format, save_all=True, append_images=[image.rotate(90)])
    elif format in ("BMP", "PPM", "TGA", "JPEG2000"):
        image.save(buffer, format)
    else:
        image.save(buffer, format, exif=exif, **options)
    return buffer.getvalue()


FORMATS = [
    "JPEG",
    "PNG",
    "WEBP",
    "GIF",
    "BMP",
    "TIFF",
    "MPO",
    "PPM",
    "TGA",
    "JPEG2000",
    *(["AVIF"] if features.check("avif") else []),
]
PHOTOS = {format: encoded(format) for format in FORMATS}
PHOTOS["progressive JPEG"] = encoded("JPEG", progressive=True)
PHOTOS["HEIC"] = heic(Image.open(io.BytesIO(PHOTOS["PNG"])).convert("RGB"), 6)
PHOTOS["PPM of 10 bits"] = b"P6 24 24 1023\n" + bytes(range(256)) * 14
PHOTOS["TIFF with LZW"] = encoded("TIFF", compression="tiff_lzw")


def outcome(data: bytes) -> np.ndarray | None:
    """Pixels, or None for a PhotoError; any other exception fails the test."""
    try:
        pixels = PREPROCESSING.pixels(data)
    except PhotoError as error:
        assert str(error) and "\n" not in str(error)
        return None
    assert pixels.shape == (8, 8, 3) and pixels.dtype == np.uint8
    return pixels


def test_the_photos_of_these_tests_are_good() -> None:
    assert all(outcome(data) is not None for data in PHOTOS.values())


@pytest.mark.parametrize(
    "data",
    [
        *[b"\0", b"hello\n", b"<svg/>", b"%PDF-1.7\n", b"GIF89a", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM"],
        *[b"II*\0", b"MM\0*", b"RIFF\0\0\0\0WEBP", b"\0\0\0\x18ftypavif", b"\0" * 10_000, b"\xff" * 10_000],
    ],
)
def test_no_photo_is_a_sentence(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(data)
    with pytest.raises(PhotoError, match=r"^(is not a photo: |cannot be decoded: |is cut off: |is a ).*\S"):
        load_pixels(tmp_path / "photo.jpg", PREPROCESSING)


def test_an_empty_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(PhotoError, match=r"^is empty \(0 bytes\)$"):
        load_pixels(tmp_path / "photo.jpg", PREPROCESSING)


@pytest.mark.parametrize(
    ("format", "name"),
    [
        ("ICO", r"Windows icon \(ICO\)"),
        ("PCX", "PCX picture"),
        ("EPS", "EPS or PostScript file"),
        ("DDS", "DDS texture"),
    ],
)
def test_pictures_that_are_not_read_are_named(format: str, name: str) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, format)
    with pytest.raises(PhotoError, match=f"^is an? {name}, which is not read: save it as JPEG or PNG"):
        PREPROCESSING.pixels(buffer.getvalue())


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"P7\nWIDTH 1\n", "a PAM picture, which is not read"),
        (b"Pf\n1 1\n-1\n\0\0\0\0", "a PFM picture, which is not read"),
        (b"\0\0\2\0\1\0\x10\x10\0\0\1\0" + bytes(99), r"a Windows cursor \(CUR\)"),
        (bytes(128) + b"DICM", "a DICOM picture"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1", "a raw photo of a camera"),
        (b"\0\0\0\x18ftypisom\0\0\0\1", "not a photo: it is a video or audio file"),
        (b"RIFF\0\0\0\0AVI LIST", "not a photo: it is a video or audio file"),
        (b"\x1aE\xdf\xa3\1\0\0\0", "not a photo: it is a video or audio file"),
        (b"\n<!DOCTYPE html>\n<html>", r"not a photo: it is a web page \(HTML\)"),
        (b"<?xml version='1.0'?>\n<svg width='1'/>", "not a photo: it is an SVG drawing"),
        (b"%PDF-1.7\n", "not a photo: it is a PDF document"),
        (b"PK\x03\x04....", "not a photo: it is a ZIP archive"),
        (b"version https://git-lfs.github.com/spec/v1\n", "not a photo: it is a pointer of Git LFS"),
        (b"Parrot", "not a photo: its first bytes are not those of JPEG, PNG, .*, PPM, PGM, PBM or TGA"),
    ],
)
def test_what_a_file_is_instead(data: bytes, name: str) -> None:
    with pytest.raises(PhotoError, match=f"^is {name}"):
        PREPROCESSING.pixels(data)


@pytest.mark.parametrize("missing", [2, 54, 150])
@pytest.mark.parametrize("kind", ["JPEG", "progressive JPEG"])
def test_a_jpeg_without_its_end_is_cut_off(kind: str, missing: int) -> None:
    data = PHOTOS[kind][:-missing]
    with pytest.raises(PhotoError, match=f"^is cut off: its {len(data)} bytes end before the picture does$"):
        PREPROCESSING.pixels(data)


def test_a_png_in_two_halves_is_cut_off() -> None:
    data = PHOTOS["PNG"][: len(PHOTOS["PNG"]) // 2]
    with pytest.raises(PhotoError, match=f"^is cut off: its {len(data)} bytes end before the picture does$"):
        PREPROCESSING.pixels(data)


@pytest.mark.parametrize("name", PHOTOS)
def test_truncated_anywhere(name: str) -> None:
    data = PHOTOS[name]
    outcomes = [outcome(data[:end]) for end in range(0, len(data), max(1, len(data) // 150))]
    assert len(outcomes) > 100 and outcomes[0] is None


@pytest.mark.parametrize("name", ["JPEG", "PNG", "progressive JPEG"])
def test_half_a_photo_is_no_photo(name: str) -> None:
    assert outcome(PHOTOS[name][: len(PHOTOS[name]) // 2]) is None


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(sorted(PHOTOS)),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=8),
    st.booleans(),
)
def test_bytes_flipped_anywhere(name: str, flips: list[tuple[float, int]], in_header: bool) -> None:
    data = bytearray(PHOTOS[name])
    for place, change in flips:
        data[int(place * (min(200, len(data)) if in_header else len(data)))] ^= change
    outcome(bytes(data))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(PHOTOS)), st.integers(4, 40), st.binary(max_size=200))
def test_random_bytes_behind_a_good_beginning(name: str, kept: int, rest: bytes) -> None:
    outcome(PHOTOS[name][:kept] + rest)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(PHOTOS)), st.sampled_from(sorted(PHOTOS)), st.data())
def test_parts_taken_out_doubled_and_put_in(name: str, other: str, data: st.DataObject) -> None:
    photo, donor = PHOTOS[name], PHOTOS[other]
    places = st.integers(0, len(photo))
    first, second = data.draw(places), data.draw(places)
    begin = data.draw(st.integers(0, len(donor)))
    outcome(photo[:first] + photo[second:])
    outcome(photo[:first] + donor[begin : begin + data.draw(st.integers(0, 60))] + photo[first:])


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">L", len(body)) + kind + body + struct.pack(">L", zlib.crc32(kind + body))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">LLBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")


def test_a_decompression_bomb_is_refused_by_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*_: object) -> None:
        pytest.fail("the pixels of the bomb were decoded")

    monkeypatch.setattr(Image.Image, "resize", decode)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decode)
    zeros = chunk(b"IDAT", zlib.compress(b"\0" * 1_000_000))
    for width, height in ((60_000, 60_000), (2**31 - 1, 1), (1, 2**31 - 1)):
        with pytest.raises(PhotoError, match=f"is {width} x {height} pixels; the limit is"):
            PREPROCESSING.pixels(png(width, height, zeros))


def test_a_gif_whose_frame_outgrows_its_screen_is_refused() -> None:
    frame = struct.pack("<BHHHHB", 0x2C, 0, 0, 60_000, 60_000, 0) + b"\x02\x02\x44\x01\x00;"
    with pytest.raises(PhotoError, match="is 60000 x 60000 pixels"):
        PREPROCESSING.pixels(b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff" + frame)


def test_the_limit_on_pixels_is_inclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "MAX_PIXELS", 24 * 24)
    assert outcome(PHOTOS["PNG"]) is not None
    monkeypatch.setattr(opening, "MAX_PIXELS", 24 * 24 - 1)
    assert outcome(PHOTOS["PNG"]) is None


def test_no_memory_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image.Image, "resize", fail)
    with pytest.raises(PhotoError, match="more memory to decode than"):
        PREPROCESSING.pixels(PHOTOS["PNG"])


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such limit, or do not keep it")
@pytest.mark.parametrize("kind", [kind for kind in ("JPEG", "AVIF") if kind in PHOTOS])
def test_a_whole_photo_is_not_called_damaged_where_memory_lacks(kind: str, tmp_path: Path) -> None:
    # libjpeg calls it a broken data stream, libavif a frame that cannot be decoded.
    noise = np.random.default_rng(0).integers(0, 256, (1500, 2000, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "photo", kind, progressive=True, speed=10, quality=50)
    code = """
import re, resource, sys
from label_image.preprocessing import PhotoError, Preprocessing
preprocessing = Preprocessing.parse("decode|orient|resize(32,bilinear)|value_range(0,1)")
small, large = (open(path, "rb").read() for path in sys.argv[1:])
preprocessing.pixels(small)
used = int(re.search(r"VmSize:\\s+([0-9]+)", open("/proc/self/status").read())[1]) << 10
for room in (1, 9, 11, 14):
    resource.setrlimit(resource.RLIMIT_AS, (used + (room << 20), resource.RLIM_INFINITY))
    try:
        preprocessing.pixels(large)
    except PhotoError as error:
        print(error)
"""
    (tmp_path / "small").write_bytes(PHOTOS[kind])
    run = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "small", tmp_path / "photo"], capture_output=True, text=True
    )
    lines = run.stdout.splitlines()
    assert len(lines) >= 2 and set(lines) == {opening.NO_MEMORY}, run.stdout + run.stderr


# What is no regular file


def refused(path: str | Path, match: str) -> None:
    """Refused again and again, with no descriptor left open."""
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    for _ in range(5):
        with pytest.raises(PhotoError, match=match):
            read_photo(path)
    if before is not None:
        assert len(os.listdir("/proc/self/fd")) == before


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.jpg"
    with path.open("wb") as file:
        file.write(PHOTOS["JPEG"])
        file.truncate(reading.MAX_BYTES)
    assert len(read_photo(path)) == reading.MAX_BYTES
    os.truncate(path, 2**40)
    refused(path, f"has {2**40} bytes; the limit is {reading.MAX_BYTES}")


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "photo.jpg")
    refused(tmp_path / "photo.jpg", "^is not a regular file$")


def test_a_folder(tmp_path: Path) -> None:
    refused(tmp_path, "(?i)cannot be read: is a directory|is not a regular file")


def test_a_socket() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{folder}/s.jpg")
        refused(f"{folder}/s.jpg", "cannot be read: ")


def test_an_endless_device() -> None:
    refused("/dev/zero", "^is not a regular file$")


def test_links(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(PHOTOS["PNG"])
    (tmp_path / "good.jpg").symlink_to("photo.png")
    (tmp_path / "nothing.jpg").symlink_to("absent.png")
    (tmp_path / "itself.jpg").symlink_to("itself.jpg")
    assert read_photo(tmp_path / "good.jpg") == PHOTOS["PNG"]
    refused(tmp_path / "nothing.jpg", "is a link to nothing")
    refused(tmp_path / "itself.jpg", "cannot be read: ")


def test_addresses_that_are_not_read_are_called_so() -> None:
    refused(
        "file:///tmp/photo.jpg", "^is not a file, and addresses of file:// are not read: name a file, or use https://$"
    )
    refused("FTP://host/photo.jpg", "addresses of FTP:// are not read")


def test_names_that_no_file_can_have(tmp_path: Path) -> None:
    refused("a\0b.jpg", "cannot be read: embedded null")
    refused("a" * 5000, "cannot be read: ")
    refused(tmp_path / "absent.jpg", "cannot be read: No such file")


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.jpg")
    with open(path, "wb") as file:
        file.write(PHOTOS["JPEG"])
    assert load_pixels(path, PREPROCESSING).shape == (8, 8, 3)


def test_an_unreadable_file() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder, "photo.jpg")
        path.write_bytes(PHOTOS["JPEG"])
        path.chmod(0)
        Path(folder).chmod(0o755)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        try:
            refused(path, "^cannot be read: Permission denied$")
        finally:
            if root:
                os.seteuid(0)
