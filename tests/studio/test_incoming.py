"""Archives that are dropped on the page."""

import io
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest
from studio_folders import png, put, seen
from zips import zip_of

from retrain.core.errors import StudioError
from retrain.core.language import in_language
from retrain.photos.archives.unpack import Limits, unpack_archive
from retrain.studio import incoming
from retrain.studio.changes import Changes
from retrain.studio.incoming import Incoming, add_archive
from retrain.studio.listing import list_folder
from retrain.studio.sentences import told


@pytest.fixture
def changes(tmp_path: Path) -> Iterator[Changes]:
    with Changes(put(tmp_path / "pets", "cat/1.png")) as changes:
        yield changes
        assert not list((changes.folder / ".studio" / "new").glob("*"))


def dropped(changes: Changes, members: Mapping[str, bytes], label: str | None = None) -> Incoming:
    path = changes.folder.parent / "upload.zip"
    path.write_bytes(zip_of(members))
    return add_archive(changes, path, label)


def photos(*names: str) -> dict[str, bytes]:
    return {name: png(100 + number) for number, name in enumerate(names)}


def names(changes: Changes) -> list[str]:
    return [photo.name for photo in list_folder(changes.folder).photos]


@pytest.mark.parametrize(
    ("members", "label", "expected"),
    [
        (["cat/1.png", "dog/1.png"], None, ["cat/1-2.png", "dog/1.png"]),
        (["pets/cat/1.png", "pets/dog/1.png"], None, ["cat/1-2.png", "dog/1.png"]),
        (["pets/cat/1.png", "pets/dog/1.png", "pets/9.png"], None, ["9.png", "cat/1-2.png", "dog/1.png"]),
        (["cat/1.png", "dog/1.png", "9.png"], "bird", ["bird/9.png", "cat/1-2.png", "dog/1.png"]),
        (["cat/old/1.png", "cat/2.png", "dog/a/b/1.png"], None, ["cat/1-2.png", "cat/2.png", "dog/1.png"]),
        (["1.png", "2.png"], None, ["1.png", "2.png"]),
        (["1.png", "2.png"], "dog", ["dog/1.png", "dog/2.png"]),
        (["holiday/1.png", "holiday/2.png"], "dog", ["dog/1.png", "dog/2.png"]),
        (["dog/1.png", "dog/2.png"], None, ["dog/1.png", "dog/2.png"]),
        (["photos/1.png", "photos/2.png"], None, ["1.png", "2.png"]),
        (["train/cat/2.png", "train/dog/1.png", "val/cat/3.png", "val/dog/1.png"], None,
         ["cat/2.png", "cat/3.png", "dog/1-2.png", "dog/1.png"]),
        (["cat/2.png", "dog/1.png", "__MACOSX/cat/._1.png", ".DS_Store", "cat/.hidden.png"], None,
         ["cat/2.png", "dog/1.png"]),
        (["Katze 🐈/1.png", "קת/1.png"], None, ["Katze 🐈/1.png", "קת/1.png"]),
    ],
)  # fmt: skip
def test_class_folders_become_classes(
    members: list[str], label: str | None, expected: list[str], changes: Changes
) -> None:
    before = seen(changes.folder)
    found = dropped(changes, photos(*members), label)
    assert (
        sorted(added.name for added in found.added)
        == expected
        == [name for name in names(changes) if name != "cat/1.png"]
    )
    assert found.known == 0 and found.refused == ()
    assert changes.last is not None and (changes.last.action, changes.last.count) == ("add", len(expected))
    assert changes.undo() and seen(changes.folder) == before and changes.last is None


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tars_are_taken_too(mode: str, changes: Changes, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "upload", mode) as archive:  # type: ignore[call-overload]
        for name, data in photos("cat/2.png", "dog/1.png").items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
        link = tarfile.TarInfo("dog/link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    found = add_archive(changes, tmp_path / "upload", None)
    assert sorted(added.name for added in found.added) == ["cat/2.png", "dog/1.png"]
    assert [(item.path, item.reason) for item in found.refused] == [("dog/link.png", "is a link out of the archive")]


def test_what_is_there_already_is_not_added_twice(changes: Changes) -> None:
    members = photos("cat/2.png", "dog/1.png")
    assert len(dropped(changes, members).added) == 2
    again = dropped(changes, {**members, "cat/copy.png": members["cat/2.png"], "dog/other.png": members["cat/2.png"]})
    assert [added.name for added in again.added] == ["dog/other.png"] and again.known == 3


def test_what_is_refused_is_named_with_its_reason(changes: Changes) -> None:
    members = {
        **photos("cat/2.png", "dog/1.png", "con/1.png", "CAT/5.png"),
        "cat/notes.jpg": b"no photo",
        "dog/paper.pdf": b"%PDF-1.7",
        "readme.txt": b"",
        "dog/cut.png": png(1)[:20],
    }
    found = dropped(changes, members)
    assert sorted(added.name for added in found.added) == ["cat/2.png", "dog/1.png"]
    reasons = {item.path: item.reason for item in found.refused}
    assert set(reasons) == {"cat/notes.jpg", "dog/paper.pdf", "readme.txt", "con/1.png", "CAT/5.png", "dog/cut.png"}
    assert "Windows keeps for itself" in reasons["con/1.png"] and "looks the same" in reasons["CAT/5.png"]
    assert "a PDF document" in reasons["dog/paper.pdf"] and "by its name" in reasons["readme.txt"]


def test_the_extension_is_that_of_the_content(changes: Changes) -> None:
    found = dropped(changes, {"dog/1.jpg": png(9), "bird/2.jpg": png(8), "bird/3": png(7)})
    assert [added.name for added in found.added] == ["bird/2.png", "bird/3.png", "dog/1.png"]


@pytest.mark.parametrize("name", ["../evil.png", "/tmp/evil.png", "cat/../../evil.png", "C:\\evil.png"])
def test_path_tricks_are_refused_as_a_whole(name: str, changes: Changes) -> None:
    before = seen(changes.folder)
    with pytest.raises(StudioError, match="The archive is not unpacked: its member"):
        dropped(changes, {"cat/2.png": png(7), name: png(8)})
    assert seen(changes.folder) == before and changes.last is None
    assert not list(changes.folder.parent.glob("evil*"))


def test_a_bomb_is_refused(changes: Changes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = Limits(harmless=10**6)
    monkeypatch.setattr(incoming, "unpack_archive", partial(unpack_archive, limits=small))
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.png", bytes(2 * 10**6))
    with pytest.raises(StudioError, match="The archive is not unpacked: it grows to more than"):
        add_archive(changes, tmp_path / "bomb.zip", None)
    assert names(changes) == ["cat/1.png"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "The archive is empty"),
        (b"no archive", "The archive is not an archive"),
        (b"Rar!\x1a", "is a RAR archive"),
    ],
)
def test_what_is_no_archive_is_said(data: bytes, said: str, changes: Changes, tmp_path: Path) -> None:
    (tmp_path / "upload").write_bytes(data)
    with pytest.raises(StudioError, match=said):
        add_archive(changes, tmp_path / "upload", None)


def test_a_cut_archive_is_said(changes: Changes, tmp_path: Path) -> None:
    (tmp_path / "cut.zip").write_bytes(zip_of(photos("cat/2.png", "dog/1.png"))[:-30])
    with pytest.raises(StudioError, match="The archive is damaged"):
        add_archive(changes, tmp_path / "cut.zip", None)
    assert names(changes) == ["cat/1.png"]


def test_it_is_said_in_the_language_of_the_page(changes: Changes, tmp_path: Path) -> None:
    (tmp_path / "upload.zip").write_bytes(b"PK\3\4 no zip")
    with in_language("pt"), pytest.raises(StudioError, match=r"^O arquivo compactado está danificado .*: obtenha-o"):
        add_archive(changes, tmp_path / "upload.zip", None)
    with in_language("pt"), pytest.raises(StudioError, match=r"^O arquivo compactado não foi descompactado: o membro"):
        dropped(changes, {"../evil.png": png(8)})
    with in_language("pt"):
        for reason in ("is a device or the like", "is a link to no file of the archive", "is a link out of the archive",
                       "cannot be written: File name too long"):  # fmt: skip
            assert told(reason) != reason


def test_an_archive_without_photos_changes_nothing(changes: Changes) -> None:
    assert dropped(changes, {"readme.txt": b"x"}).added == ()
    assert changes.last is None
