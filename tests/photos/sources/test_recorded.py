"""`dataset.parquet` as a source: photos that are there, gone, or others; and files that no run wrote."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from painting import paint

from label_image.errors import PhotoError
from label_image.files import sha256_of
from retrain.core.errors import DatasetError, OptionError
from retrain.photos.dataset import Photo, PhotoFile
from retrain.photos.hashes import PhotoHashes
from retrain.photos.opening import list_photos
from retrain.photos.reading import identify
from retrain.photos.record import METADATA, NAME, write_record
from retrain.photos.split import Division


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Photos that a run has left a record of, which lies beside them."""
    found = [paint(tmp_path / colour / f"{n}.png", colour, n) for colour in ("blue", "red") for n in range(3)]
    photos = [Photo(str(path), path.parent.name, sha256_of(path)) for path in found]
    write_record(tmp_path, photos, Division(("training", "validation", "testing") * 2), "class folders blue, red")
    return found


def test_photos_that_are_there_are_read_like_any_others(tmp_path: Path, paths: list[Path]) -> None:
    listing = list_photos(tmp_path / NAME, tmp_path / "b")
    assert listing.files == tuple(
        PhotoFile.of(str(path), path.parent.name, os.stat(path), side)
        for path, side in zip(paths, ("training", "validation", "testing") * 2, strict=True)
    )
    assert listing.told() == ("Read as: 6 photos of an earlier run with the classes blue, red.",)


def test_photos_that_are_gone_keep_class_side_and_content(tmp_path: Path, paths: list[Path]) -> None:
    contents = {str(path): sha256_of(path) for path in paths}
    for path in paths:
        path.unlink()
    listing = list_photos(tmp_path / NAME, tmp_path / "b")
    assert {file.path: file.gone_sha256 for file in listing.files} == contents
    assert [file.split for file in listing.files] == ["training", "validation", "testing"] * 2
    assert all(file.gone for file in listing.files)
    assert listing.remarks == (
        f"All 6 photos of it are gone (the first: {paths[0]}): the bottlenecks that are kept of them are used.",
    )
    with pytest.raises(PhotoError, match="is gone"):
        identify(listing.files[0])


def test_another_photo_at_the_path_is_not_taken_for_it(tmp_path: Path, paths: list[Path]) -> None:
    list_photos(tmp_path / NAME, tmp_path / "b")
    before = sha256_of(paths[0])
    paint(paths[0], "green")
    paths[1].unlink()
    paths[1].mkdir()
    listing = list_photos(tmp_path / NAME, tmp_path / "b")
    assert [file.gone for file in listing.files] == [True, True, False, False, False, False]
    assert listing.files[0].gone_sha256 == before
    assert listing.remarks == (
        f"2 of the 6 photos of it are gone (the first: {paths[0]}): the bottlenecks that are kept of them are used; "
        "at 1 of the paths there is another photo now, which is not used.",
    )


def test_files_that_are_known_are_not_read_again(
    tmp_path: Path, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes = PhotoHashes(tmp_path / "b")
    for path in paths:
        status = os.stat(path)
        long_after = {"inode": status.st_ino, "ctime_ns": status.st_ctime_ns, "read_ns": status.st_ctime_ns + 9**11}
        hashes.record(str(path), status.st_size, status.st_mtime_ns, sha256_of(path), **long_after)
    hashes.save()
    read: list[str] = []

    def note(file: PhotoFile) -> Photo:
        read.append(file.path)
        return file.with_content(sha256_of(file.path))

    monkeypatch.setattr("retrain.photos.reading.identify", note)
    assert not any(file.gone for file in list_photos(tmp_path / NAME, tmp_path / "b").files)
    assert read == []
    assert not any(file.gone for file in list_photos(tmp_path / NAME, tmp_path / "b", paranoid=True).files)
    assert sorted(read) == sorted(map(str, paths))


def test_it_is_no_folder_that_could_be_read_in_two_ways(tmp_path: Path, paths: list[Path]) -> None:
    with pytest.raises(OptionError, match="leave `layout` folders out"):
        list_photos(tmp_path / NAME, tmp_path / "b", layout="folders")


ROW = {"photo_sha256": "a" * 64, "label": "red", "side": "training", "path": "1.png"}


def written(folder: Path, rows: Sequence[dict[str, Any]], about: Any = b'{"version": 1}', **options: Any) -> Path:
    table = pa.Table.from_pylist([*rows]).replace_schema_metadata({METADATA: about})
    pq.write_table(table, folder / NAME, **options)
    return folder / NAME


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"photo_sha256": "A" * 64}, "row 2: photo_sha256 is not 64 hex digits"),
        ({"photo_sha256": "a" * 63}, "row 2: photo_sha256 is not 64 hex digits"),
        ({"photo_sha256": "a" * 64 + "\n"}, "row 2: photo_sha256 is not 64 hex digits"),
        ({"photo_sha256": None}, "row 2: photo_sha256 is not 64 hex digits"),
        ({"label": ""}, "row 2: a photo needs the text of a label and a path"),
        ({"path": None}, "row 2: a photo needs the text of a label and a path"),
        ({"side": "train"}, "row 2: the side 'train' is not training, validation, testing or empty"),
        ({"label": "b\x1b[2J"}, "control character"),
    ],
)
def test_a_row_that_no_run_wrote_is_a_sentence(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    path = written(tmp_path, [ROW, {**ROW, **change}, {**ROW, "label": "blue"}])
    with pytest.raises(DatasetError, match=reason):
        list_photos(path, tmp_path / "b")


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        (b'{"version": 2}', "is in version 2 of its format, and this program reads 1: install a newer one"),
        (b'{"version": "1"}', "does not say in which version"),
        (b"{}", "does not say in which version"),
        (b"[1]", "what it says of itself .* does not hold what it should"),
        (b"[" * 100_000, "what it says of itself"),
        (b"\xff", "is not UTF-8"),
    ],
)
def test_what_it_says_of_itself_is_checked(about: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=reason):
        list_photos(written(tmp_path, [ROW], about), tmp_path / "b")


@pytest.mark.parametrize("column", ROW)
def test_a_column_that_is_missing_is_named(column: str, tmp_path: Path) -> None:
    path = written(tmp_path, [{name: cell for name, cell in ROW.items() if name != column}])
    with pytest.raises(DatasetError, match=f"has no column {column}"):
        list_photos(path, tmp_path / "b")


def test_columns_of_other_kinds_are_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="row 1: photo_sha256 is not"):
        list_photos(written(tmp_path, [{**ROW, "photo_sha256": ["a" * 64]}]), tmp_path / "b")


@pytest.mark.parametrize("photo", ["/dev/zero", "/dev/stdin", "/proc/self/mem", "a\0b", "x" * 5000, "/", "\x1b[2J"])
def test_paths_that_no_run_wrote_are_gone(photo: str, tmp_path: Path) -> None:
    rows = [{**ROW, "path": photo}, {**ROW, "label": "blue"}]
    listing = list_photos(written(tmp_path, rows), tmp_path / "b")
    assert all(file.gone for file in listing.files)
    assert "\x1b" not in "".join(listing.told())


def test_millions_of_rows_in_a_few_kilobytes_are_refused_before_they_are_read(tmp_path: Path) -> None:
    rows = pa.table(
        {name: pa.repeat(cell, 2_000_000) for name, cell in ROW.items()}, metadata={METADATA: b'{"version": 1}'}
    )
    pq.write_table(rows, tmp_path / NAME)
    with pytest.raises(DatasetError, match=r"it has 2,000,000 rows in [\d,]+ bytes"):
        list_photos(tmp_path / NAME, tmp_path / "b")


def test_a_file_that_another_program_wrote_again_is_a_table_of_paths(tmp_path: Path, paths: list[Path]) -> None:
    table = pq.read_table(tmp_path / NAME).replace_schema_metadata(None)
    pq.write_table(table, tmp_path / NAME)
    listing = list_photos(tmp_path / NAME, tmp_path / "b")
    assert (len(listing.files), listing.labels) == (6, ("blue", "red"))
