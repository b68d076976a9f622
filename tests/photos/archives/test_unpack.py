"""What comes out of archives, and what must never: hostile ones are made here, byte by byte."""

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from retrain.core.errors import DatasetError
from retrain.photos.archives.kinds import is_meant_as_archive, without_suffix
from retrain.photos.archives.unpack import Limits, Unpacked, unpack_archive

FILES = {"cats/1.jpg": b"\xff\xd8one", "cats/são/2.jpg": b"\xff\xd8two" * 9000, "LICENSE": b""}


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            add(archive, name, data)
    return path


def add(
    archive: tarfile.TarFile, name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, target: str = ""
) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.type, entry.linkname = len(data), kind, target
    archive.addfile(entry, io.BytesIO(data))


def of_tar(path: Path, *entries: tuple[str, bytes, bytes, str]) -> Path:
    with tarfile.open(path, "w") as archive:
        for entry in entries:
            add(archive, *entry)
    return path


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(path: Path, folder: Path, **limits: int) -> str:
    """The sentence; nothing is outside of the folder."""
    before = {other for other in folder.parent.rglob("*") if not other.is_relative_to(folder)}
    with pytest.raises(DatasetError) as error:
        unpack_archive(path, folder, limits=Limits(**limits))
    assert {other for other in folder.parent.rglob("*") if not other.is_relative_to(folder)} == before
    assert str(path) in str(error.value) and "\n" not in str(error.value)
    return str(error.value)


WAYS: dict[str, Callable[[Path], Path]] = {
    "cats.zip": lambda path: zipped(path, FILES),
    "cats.tar": lambda path: tarred(path, FILES),
    "cats.tar.gz": lambda path: tarred(path, FILES, "w:gz"),
    "cats.tgz": lambda path: tarred(path, FILES, "w:gz"),
    "cats.tar.bz2": lambda path: tarred(path, FILES, "w:bz2"),
    "cats.tar.xz": lambda path: tarred(path, FILES, "w:xz"),
    "images.tar.gz": lambda path: tarred(path, FILES),  # a tar with a wrong name, as Oxford's pets are
    "kaggle": lambda path: zipped(path, FILES),  # without one
}


@pytest.mark.parametrize("name", WAYS)
def test_all_comes_out(name: str, tmp_path: Path) -> None:
    path = WAYS[name](tmp_path / name)
    assert is_meant_as_archive(path)
    seen: list[tuple[int, int]] = []
    found = unpack_archive(path, tmp_path / "out", lambda done, total: seen.append((done, total)))
    assert content(tmp_path / "out") == FILES
    assert (found.size, found.photos, found.left_out) == (sum(map(len, FILES.values())), 2, [])
    assert seen[-1][0] == seen[-1][1] > 0 and [done for done, _ in seen] == sorted(done for done, _ in seen)


@pytest.mark.parametrize("name", ["cats.zip", "cats.tar.gz", "cats.tar.bz2", "cats.tar.xz"])
def test_one_that_is_cut_short_or_changed_is_damaged(name: str, tmp_path: Path) -> None:
    noise = {f"{number}.jpg": os.urandom(9000) for number in range(9)}
    path = zipped(tmp_path / name, noise) if name.endswith("zip") else tarred(tmp_path / name, noise, f"w:{name[9:]}")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    assert "is damaged" in refused(path, tmp_path / "out")
    middle = len(whole) // 2
    path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :])
    assert "is damaged" in refused(path, tmp_path / "out2")


@pytest.mark.parametrize("name", ["../x.jpg", "a/../../x.jpg", "/etc/x.jpg", "C:\\x.jpg", "a\\..\\..\\x.jpg", "a/.."])
def test_no_path_leads_outside(name: str, tmp_path: Path) -> None:
    assert "outside of the folder" in refused(zipped(tmp_path / "a.zip", {"1.jpg": b"", name: b"x"}), tmp_path / "z")
    if "\\" not in name:  # in a tar it is a letter
        assert "outside of the folder" in refused(
            tarred(tmp_path / "a.tar", {"1.jpg": b"", name: b"x"}), tmp_path / "t"
        )


def test_links_to_photos_become_photos_and_others_are_left_out(tmp_path: Path) -> None:
    path = of_tar(
        tmp_path / "a.tar",
        ("train/cat/2.jpg", b"", tarfile.SYMTYPE, "3.jpg"),  # to a link, and before it
        ("train/cat/3.jpg", b"", tarfile.SYMTYPE, "../../all/1.jpg"),
        ("all/1.jpg", b"photo", tarfile.REGTYPE, ""),
        ("train/cat/4.jpg", b"", tarfile.LNKTYPE, "all/1.jpg"),
        ("passwd.jpg", b"", tarfile.SYMTYPE, "/etc/passwd"),
        ("up.jpg", b"", tarfile.SYMTYPE, "../../../../etc/passwd"),
        ("hard.jpg", b"", tarfile.LNKTYPE, "../outside"),
        ("round.jpg", b"", tarfile.SYMTYPE, "round.jpg"),
        ("folder", b"", tarfile.SYMTYPE, "all"),
        ("folder/through.jpg", b"x", tarfile.REGTYPE, ""),
        ("null", b"", tarfile.CHRTYPE, ""),
        ("pipe", b"", tarfile.FIFOTYPE, ""),
    )
    (tmp_path / "outside").write_bytes(b"secret")
    found = unpack_archive(path, tmp_path / "out")
    photos = {f"train/cat/{number}.jpg": b"photo" for number in (2, 3, 4)}
    assert content(tmp_path / "out") == {"all/1.jpg": b"photo", "folder/through.jpg": b"x", **photos}
    assert dict(found.left_out) == {
        "null": "is a device or the like",
        "pipe": "is a device or the like",
        "passwd.jpg": "is a link out of the archive",
        "up.jpg": "is a link out of the archive",
        "hard.jpg": "is a link out of the archive",
        "round.jpg": "is a link to no file of the archive",
        "folder": "is a link to no file of the archive",
    }
    assert not any(path.is_symlink() for path in (tmp_path / "out").rglob("*"))


def test_links_in_a_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("all/1.jpg", b"photo")
        for name, target in (("cat/1.jpg", "../all/1.jpg"), ("out.jpg", "../../etc/passwd")):
            entry = zipfile.ZipInfo(name)
            entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
            archive.writestr(entry, target)
    found = unpack_archive(tmp_path / "a.zip", tmp_path / "out")
    assert content(tmp_path / "out") == {"all/1.jpg": b"photo", "cat/1.jpg": b"photo"}
    assert found.left_out == [("out.jpg", "is a link out of the archive")]


def test_names_of_other_systems(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("cats\\Bengal\\1.jpg", b"of Windows")
        entry = zipfile.ZipInfo("xxxxx/1.jpg")
        archive.writestr(entry, b"of macOS")
        archive.writestr(f"{'n' * 300}.jpg", b"too long")
        archive.writestr("both", b"a file")
        archive.writestr("both/1.jpg", b"below a file")
    data = (tmp_path / "a.zip").read_bytes().replace(b"xxxxx", "são".encode() + b"1")  # UTF-8, and it does not say so
    (tmp_path / "a.zip").write_bytes(data)
    found = unpack_archive(tmp_path / "a.zip", tmp_path / "out")
    assert content(tmp_path / "out") == {
        "cats/Bengal/1.jpg": b"of Windows",
        "são1/1.jpg": b"of macOS",
        "both": b"a file",
    }
    assert [name[:5] for name, _ in found.left_out] == ["nnnnn", "both/"]


def test_an_encrypted_one_is_named_before_anything_is_written(tmp_path: Path) -> None:
    data = bytearray(zipped(tmp_path / "a.zip", {"1.jpg": b"x", "2.jpg": b"y"}).read_bytes())
    at = data.rindex(b"PK\x01\x02")  # the last entry of the directory
    data[at + 8] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    assert "is encrypted (2.jpg): unpack it with its password" in refused(tmp_path / "a.zip", tmp_path / "out")
    assert content(tmp_path / "out") == {}


@pytest.mark.parametrize("name", ["bomb.zip", "bomb.tar.gz", "bomb.tar.bz2", "bomb.tar.xz"])
def test_a_bomb_is_stopped_by_what_it_writes(name: str, tmp_path: Path) -> None:
    zeros = {"a.jpg": bytes(2**22), "b.jpg": bytes(2**22)}
    path = zipped(tmp_path / name, zeros) if name.endswith("zip") else tarred(tmp_path / name, zeros, f"w:{name[9:]}")
    assert "grows to more than 0.0 GB" in refused(path, tmp_path / "out", harmless=2**21)
    assert sum(map(len, content(tmp_path / "out").values())) <= 2**22
    assert unpack_archive(path, tmp_path / "out2").size == 2**23  # little is always allowed


def test_what_a_zip_promises_is_no_matter(tmp_path: Path) -> None:
    """One that says that it is small, and is not, is damaged; one with too much for the disk is refused at once."""
    path = zipped(tmp_path / "a.zip", {"a.jpg": bytes(2**22)})
    data = path.read_bytes().replace((2**22).to_bytes(4, "little"), (5).to_bytes(4, "little"))
    path.write_bytes(data)
    assert "is damaged" in refused(path, tmp_path / "out")
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("a.jpg", b"a")
        archive.filelist[0].file_size = 2**60
    assert "GB of disk" in refused(tmp_path / "c.zip", tmp_path / "out3")


def test_too_many_files(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tar", {f"{number}.jpg": b"" for number in range(11)})
    assert "more than 10 files" in refused(path, tmp_path / "out", files=10)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XGLTYPE])
def test_a_tar_whose_headers_take_gigabytes(kind: bytes, tmp_path: Path) -> None:
    entry = tarfile.TarInfo("x")
    entry.type, entry.size = kind, 2**33
    with gzip.open(tmp_path / "a.tar.gz", "wb") as file:
        file.write(entry.tobuf(tarfile.GNU_FORMAT))
        for _ in range(40):
            file.write(bytes(2**20))
    assert "is damaged" in refused(tmp_path / "a.tar.gz", tmp_path / "out")


def test_a_tar_with_gigabytes_behind_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrain.photos.archives.members.TAIL", 2**20)
    tarred(tmp_path / "a.tar", FILES)
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress((tmp_path / "a.tar").read_bytes() + bytes(2**22)))
    assert "more behind its end" in refused(tmp_path / "a.tar.gz", tmp_path / "out")


def test_a_sparse_file_counts_as_it_is_written(tmp_path: Path) -> None:
    entry = tarfile.TarInfo("x.jpg")
    entry.size, entry.pax_headers = 0, {"GNU.sparse.major": "0", "GNU.sparse.size": str(2**40), "GNU.sparse.map": "0,0"}
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(entry)
    path, out = tmp_path / "a.tar", tmp_path / "out"
    try:
        found: Unpacked | None = unpack_archive(path, out, limits=Limits(harmless=2**23))
    except DatasetError as error:
        assert "grows to more than" in str(error)
    else:
        assert found is not None and found.size <= 2**23


NO_ARCHIVES = {
    "page": ("a.zip", b"<!DOCTYPE html><html>", "is a web page and no archive"),
    "page with blanks": ("a.tar.gz", b"\n <html>login", "is a web page and no archive"),
    "rar": ("a.rar", b"Rar!\x1a\x07", "is a RAR archive, which cannot be read: unpack it"),
    "7z": ("a.zip", b"7z\xbc\xaf\x27\x1c", "is a 7-Zip archive"),
    "empty": ("a.zip", b"", "is empty"),
    "text": ("a.zip", b"hello", "is not an archive"),
    "gz of a table": ("a.tar.gz", gzip.compress(b"path,label\n" * 99), "is damaged or cannot be read here"),
    "xz of text": ("a.tar.xz", lzma.compress(b"hello"), "is damaged or cannot be read here"),
    "empty bz2": ("a.tar.bz2", bz2.compress(b""), "is damaged or cannot be read here"),
    "tar": ("a.tar", b"hello" * 200, "is damaged or cannot be read here"),
}


@pytest.mark.parametrize(("name", "data", "words"), NO_ARCHIVES.values(), ids=NO_ARCHIVES)
def test_what_is_no_archive_is_called_what_it_is(name: str, data: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    assert is_meant_as_archive(tmp_path / name)
    assert words in refused(tmp_path / name, tmp_path / "out")


def test_archives_in_an_archive_without_photos_are_unpacked(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "train.zip", {"train/cat.0.jpg": b"a", "train/dog.0.jpg": b"b"}).read_bytes()
    tar = tarred(tmp_path / "x.tar.gz", {"101/ant/1.jpg": b"c"}, "w:gz").read_bytes()
    path = zipped(tmp_path / "a.zip", {"train.zip": inner, "deep/x.tar.gz": tar, "sample.csv": b"", "no.zip": b"no"})
    found = unpack_archive(path, tmp_path / "out")
    assert content(tmp_path / "out") == {
        "train/train/cat.0.jpg": b"a",
        "train/train/dog.0.jpg": b"b",
        "deep/x/101/ant/1.jpg": b"c",
        "sample.csv": b"",
        "no.zip": b"no",
    }
    assert found.photos == 3
    path = zipped(tmp_path / "b.zip", {"train.zip": inner, "cat/1.jpg": b"a"})
    unpack_archive(path, tmp_path / "beside")
    assert set(content(tmp_path / "beside")) == {"train.zip", "cat/1.jpg"}


def test_archives_in_archives_end(tmp_path: Path) -> None:
    data = zipped(tmp_path / "0.zip", {"1.jpg": b"x"}).read_bytes()
    for number in range(4):
        data = zipped(tmp_path / f"{number}.zip", {"in.zip": data}).read_bytes()
    unpack_archive(tmp_path / "3.zip", tmp_path / "out")
    assert set(content(tmp_path / "out")) == {"in/in.zip"}


def test_a_full_disk_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tarred(tmp_path / "a.tar", FILES)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("retrain.photos.archives.unpack._Work.write", full)
    assert "cannot be unpacked to" in refused(path, tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "stem"), [("cats.tar.gz", "cats"), ("a.b.ZIP", "a.b"), ("x.tgz", "x"), ("cats", "cats"), (".zip", ".zip")]
)
def test_names_without_their_ends(name: str, stem: str) -> None:
    assert without_suffix(name) == stem
