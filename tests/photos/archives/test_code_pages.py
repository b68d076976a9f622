"""Names in zips that do not say their encoding: those of Windows in Portuguese, and others."""

import zipfile
from pathlib import Path

import pytest

from retrain.photos.archives.code_pages import code_page_of, decoded, is_unclear
from retrain.photos.archives.unpack import Unpacked, unpack_archive
from retrain.photos.opening import list_photos
from retrain.photos.sources.base import Unpacking

PLACES = "XY"


def bare_zip(path: Path, *names: bytes) -> Path:
    """A zip with names that are just bytes, a file of 4 bytes each."""
    with zipfile.ZipFile(path, "w") as archive:
        for number, name in enumerate(names):
            archive.writestr(PLACES[number] * len(name), b"data")
    data = path.read_bytes()
    for number, name in enumerate(names):
        data = data.replace(PLACES[number].encode() * len(name), name)
    path.write_bytes(data)
    return path


def unpacked(path: Path, *names: bytes) -> tuple[list[str], Unpacked]:
    found = unpack_archive(bare_zip(path / "a.zip", *names), path / "out")
    files = [file for file in (path / "out").rglob("*") if file.is_file()]
    return sorted(file.relative_to(path / "out").as_posix() for file in files), found


PORTUGUESE = [
    "São Bernardo",
    "Leões",
    "Água",
    "NÃO",
    "ÓRGÃOS",
    "Ênio",
    "Camarões",
    "Último",
    "Óleo",
    "maçã",
    "três avós",
]


@pytest.mark.parametrize("name", PORTUGUESE)
def test_names_of_windows_in_portuguese(name: str, tmp_path: Path) -> None:
    names, found = unpacked(tmp_path, f"{name}/foto1.jpg".encode("cp850"), b"gato/foto2.jpg")
    assert names == sorted([f"{name}/foto1.jpg", "gato/foto2.jpg"]) and not found.unclear


@pytest.mark.parametrize("name", ["naïve", "5¢", "über", "alpha α", "45°", "x²", "café", "piñata", "½ cup", "a ≥ b"])
def test_names_that_code_page_437_has(name: str, tmp_path: Path) -> None:
    names, found = unpacked(tmp_path, f"{name}/foto1.jpg".encode("cp437"), b"gato/foto2.jpg")
    assert names == sorted([f"{name}/foto1.jpg", "gato/foto2.jpg"]) and not found.unclear


def test_one_code_page_is_taken_for_a_whole_archive() -> None:
    """Of `foto Ó` alone nobody could say it: it is `foto α` in the other one."""
    names = ["São Bernardo/1.jpg".encode("cp850"), "foto Ó.jpg".encode("cp850")]
    assert code_page_of(names) == code_page_of(reversed(names)) == "cp850"
    assert [decoded(name, "cp850") for name in names] == ["São Bernardo/1.jpg", "foto Ó.jpg"]
    assert code_page_of(names[1:]) == "cp437" and not is_unclear(names[1])


def test_utf_8_that_is_not_said_stays_what_it_is_beside_them(tmp_path: Path) -> None:
    names, found = unpacked(tmp_path, "São Bernardo/1.jpg".encode("cp850"), "São Tomé/2.jpg".encode())
    assert names == ["São Bernardo/1.jpg", "São Tomé/2.jpg"] and not found.unclear


@pytest.mark.parametrize("name", ["São Bernardo".encode("cp1252"), "canção".encode("cp1252"), "АБВ".encode("cp1251")])
def test_names_in_no_code_page_that_is_known_are_said(name: bytes, tmp_path: Path) -> None:
    names, found = unpacked(tmp_path, name + b"/1.jpg", b"gato/2.jpg")
    assert names == sorted([name.decode("cp437") + "/1.jpg", "gato/2.jpg"])
    assert found.unclear == name.decode("cp437") + "/1.jpg"


def test_the_remark_names_the_archive_and_one_name(tmp_path: Path) -> None:
    bare_zip(tmp_path / "a.zip", "canção/1.jpg".encode("cp1252"), b"gato/2.jpg")
    store = tmp_path / "tf_files/bottlenecks"
    for _ in range(2):  # unpacked, and as it was unpacked before
        (remark,) = list_photos(tmp_path / "a.zip", store).remarks
        assert remark.startswith("a.zip has names in an encoding that it does not say, such as canτπo/1.jpg: where")


def test_what_was_unpacked_before_keeps_its_names(tmp_path: Path) -> None:
    bare_zip(tmp_path / "a.zip", "São Bernardo/1.jpg".encode("cp850"), b"gato/2.jpg")
    store = tmp_path / "tf_files/bottlenecks"
    assert list_photos(tmp_path / "a.zip", store).labels == ("São Bernardo", "gato")
    (folder,) = Unpacking(store).sources.iterdir()
    (folder / "unpacked/São Bernardo").rename(folder / "unpacked/S╞o Bernardo")  # as an earlier version did
    assert list_photos(tmp_path / "a.zip", store).labels == ("S╞o Bernardo", "gato")
