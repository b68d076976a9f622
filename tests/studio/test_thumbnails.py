"""Photos as a page shows them."""

import io
import os
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image
from studio_folders import png, put

from label_image.errors import PhotoError
from retrain.studio import thumbnails
from retrain.studio.changes import Changes
from retrain.studio.listing import StudioPhoto, list_folder
from retrain.studio.thumbnails import Thumbnails, viewable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cat").mkdir()
    return tmp_path


def only_photo(folder: Path) -> StudioPhoto:
    (photo,) = list_folder(folder).photos
    return photo


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def cached(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / ".studio" / "thumbnails").rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1000, 500), (256, 128)), ((500, 1000), (128, 256)), ((40, 30), (40, 30)), ((3000, 1), (256, 1))],
)
def test_the_longer_side_is_256_at_most(size: tuple[int, int], expected: tuple[int, int], folder: Path) -> None:
    Image.new("RGB", size, "red").save(folder / "cat" / "1.jpg")
    image = opened(Thumbnails(folder).thumbnail(only_photo(folder)))
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", expected)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_any_kind_is_shown_upright_and_without_exif(kind: str, mode: str, folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "<script>alert(1)</script>"
    options = {"exif": exif} if kind in ("JPEG", "PNG", "TIFF", "WEBP") else {}
    path = folder / "cat" / "photo"
    Image.linear_gradient("L").resize((300, 200)).convert(mode).save(path, kind, **options)
    for data in (Thumbnails(folder).thumbnail(only_photo(folder)), viewable(path)):
        image = opened(data)
        assert image.format == "JPEG" and not image.getexif() and b"script" not in data
        assert (image.width < image.height) == bool(options)


def test_a_photo_is_read_once_and_keeps_its_thumbnail_where_it_goes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder, "cat/1.png")
    first = Thumbnails(folder).thumbnail(only_photo(folder))
    monkeypatch.setattr(thumbnails, "small_photo", None)
    assert Thumbnails(folder).thumbnail(only_photo(folder)) == first
    with Changes(folder) as changes:
        changes.move(["cat/1.png"], "dog")
        changes.rename_class("dog", "wolf")
    assert Thumbnails(folder).thumbnail(only_photo(folder)) == first


def test_a_changed_photo_has_another_thumbnail(folder: Path) -> None:
    Image.new("RGB", (30, 30), "red").save(folder / "cat" / "1.png")
    first = Thumbnails(folder).thumbnail(only_photo(folder))
    Image.new("RGB", (31, 31), "blue").save(folder / "cat" / "1.png")
    assert Thumbnails(folder).thumbnail(only_photo(folder)) != first


@pytest.mark.parametrize(
    "damage", [lambda data: b"", lambda data: data[:-1], lambda data: data[:50] + b"x" + data[51:]]
)
def test_a_damaged_file_of_the_cache_is_made_again(damage: object, folder: Path) -> None:
    put(folder, "cat/1.png")
    photo = only_photo(folder)
    first = Thumbnails(folder).thumbnail(photo)
    (path,) = cached(folder)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))  # type: ignore[operator]
    assert Thumbnails(folder).thumbnail(photo) == first and path.read_bytes() == whole


def test_thumbnails_of_photos_that_are_gone_are_removed(folder: Path) -> None:
    put(folder, "cat/1.png", "cat/2.png")
    for photo in list_folder(folder).photos:
        Thumbnails(folder).thumbnail(photo)
    assert len(cached(folder)) == 2
    os.unlink(folder / "cat" / "1.png")
    put(folder, *("cat/2.png",) * 3)
    Thumbnails(folder).thumbnail(only_photo(folder))  # with the first one that a studio makes
    assert len(cached(folder)) == 1


def test_a_cache_that_cannot_be_written_is_no_matter(folder: Path) -> None:
    put(folder, "cat/1.png")
    (folder / ".studio").write_bytes(b"a file")
    assert opened(Thumbnails(folder).thumbnail(only_photo(folder))).format == "JPEG"


def test_threads_that_ask_at_once(folder: Path) -> None:
    put(folder, *(f"cat/{number}.png" for number in range(20)))
    both = Thumbnails(folder)
    photos = list_folder(folder).photos
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(both.thumbnail, photos * 4))
    assert found[:20] * 4 == found and len(cached(folder)) == 20


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def bomb() -> bytes:
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(10**6)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("data", "said"),
    [(bomb(), "the limit is"), (png(5)[:40], "cut off|cannot"), (b"<html>", "a web page"), (b"", "is empty")],
)
def test_what_is_no_photo_is_said(data: bytes, said: str, folder: Path) -> None:
    (folder / "cat" / "1.png").write_bytes(data)
    with pytest.raises(PhotoError, match=said):
        Thumbnails(folder).thumbnail(only_photo(folder))
    with pytest.raises(PhotoError, match=said):
        viewable(folder / "cat" / "1.png")
    with Changes(folder) as changes, pytest.raises(PhotoError):
        changes.add("cat", "2.png", data)
    assert cached(folder) == []


def test_a_hundred_megapixels_are_shown(folder: Path) -> None:
    Image.new("L", (10_000, 10_000), 99).save(folder / "cat" / "1.jpg", quality=5)
    assert opened(viewable(folder / "cat" / "1.jpg")).size == (1600, 1600)
    assert opened(Thumbnails(folder).thumbnail(only_photo(folder))).size == (256, 256)


def test_a_photo_that_is_gone_is_said(folder: Path) -> None:
    put(folder, "cat/1.png")
    photo = only_photo(folder)
    os.unlink(photo.file.path)
    with pytest.raises(PhotoError, match="cannot be read"):
        Thumbnails(folder).thumbnail(photo)
