import os
from pathlib import Path

import pytest
from listings import found, make, reasons

from retrain.core.errors import DatasetError
from retrain.photos.opening import list_photos


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return make(tmp_path, "1.jpg", "2.jpg", "sub/3.jpg", "a, b.jpg", "猫.jpg")


ROWS = [("1.jpg", "cat"), ("2.jpg", "cat"), ("sub/3.jpg", "dog")]


def manifest(folder: Path, text: str | bytes, name: str = "photos.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(("delimiter", "name"), [(",", "p.csv"), (";", "p.csv"), ("\t", "p.tsv"), ("\t", "p.CSV")])
@pytest.mark.parametrize("header", [None, ("path", "label"), ("Path", "LABEL")])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_manifests_of_every_dialect(
    photos: Path, delimiter: str, name: str, header: tuple[str, str] | None, newline: str, bom: bytes
) -> None:
    rows = [*([header] if header else []), *ROWS]
    text = newline.join(delimiter.join(row) for row in rows) + newline * 2
    listing = list_photos(manifest(photos, bom + text.encode(), name))
    assert found(listing, photos) == [(label, path) for path, label in ROWS]
    assert listing.skipped == ()


def test_a_manifest_with_quotes_and_splits(photos: Path) -> None:
    text = 'path,label,split\n"a, b.jpg","cat, ""big""",train\n猫.jpg,犬,Valid\n1.jpg,犬, test \n2.jpg,犬,\n'
    listing = list_photos(manifest(photos, text))
    assert [(os.path.relpath(f.path, photos), f.label, f.split) for f in listing.files] == [
        ("a, b.jpg", 'cat, "big"', "training"),
        ("1.jpg", "犬", "testing"),
        ("2.jpg", "犬", None),
        ("猫.jpg", "犬", "validation"),
    ]


def test_a_manifest_may_name_absolute_paths(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("lists")
    listing = list_photos(manifest(elsewhere, f"{photos}/1.jpg,cat\n{photos}/2.jpg,dog\n"))
    assert found(listing, photos) == [("cat", "1.jpg"), ("dog", "2.jpg")]


def test_a_path_may_hold_what_unicode_calls_a_line_break(photos: Path) -> None:
    make(photos, "a\x85b\u2028c\x0cd.jpg")
    listing = list_photos(manifest(photos, "a\x85b\u2028c\x0cd.jpg,cat\n1.jpg,dog\n"))
    assert found(listing, photos) == [("cat", "a\x85b\u2028c\x0cd.jpg"), ("dog", "1.jpg")]


def test_rows_of_a_manifest_that_cannot_be_used_are_skipped_with_their_line(photos: Path) -> None:
    (photos / "folder.jpg").mkdir()
    text = "path,label\n1.jpg,cat\nabsent.jpg,cat\n\n2.jpg,dog\nfolder.jpg,dog\n"
    listing = list_photos(manifest(photos, text))
    assert found(listing, photos) == [("cat", "1.jpg"), ("dog", "2.jpg")]
    assert reasons(listing, photos) == {
        "absent.jpg": "does not exist (photos.csv, line 3)",
        "folder.jpg": "is not a regular file",
    }


def test_a_manifest_with_nul_characters_is_refused(photos: Path) -> None:
    with pytest.raises(DatasetError, match="holds NUL characters; save it as UTF-8"):
        list_photos(manifest(photos, "path,label\n1.jpg,cat\na\0b.jpg,dog\n"))


def test_a_line_twice_counts_once_and_contradictions_are_refused(photos: Path) -> None:
    good = "1.jpg,cat,train\n2.jpg,dog,train\n"
    assert len(list_photos(manifest(photos, good + good)).files) == 2
    with pytest.raises(DatasetError, match=r"lists .*1\.jpg twice, as 'cat' \(training\) and as 'dog'"):
        list_photos(manifest(photos, good + "1.jpg,dog,train\n"))
    with pytest.raises(DatasetError, match=r"1\.jpg twice, as 'cat' \(training\) and as 'cat' \(testing\)"):
        list_photos(manifest(photos, good + "1.jpg,cat,test\n"))
    (photos / "more").mkdir()
    for detour in ("./1.jpg", "more/../1.jpg", ".//1.jpg", f"{photos}/1.jpg"):
        assert len(list_photos(manifest(photos, f"{good}{detour},cat,train\n")).files) == 2
        with pytest.raises(DatasetError, match=r"1\.jpg twice"):
            list_photos(manifest(photos, f"{good}{detour},dog,train\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1.jpg,cat\n2.jpg,dog,somewhere\n", "line 2: the split 'somewhere' is not train, validation or test"),
        ("1.jpg,cat\n2.jpg\n", "line 2: expected path,label"),
        ("1.jpg,cat\n2.jpg,\n", "line 2: expected path,label"),
        ("1.jpg,cat\n,dog\n", "line 2: expected path,label"),
        ("1.jpg,cat\n2.jpg,dog,train,x\n", "line 2: expected path,label"),
        ("1.jpg,cat\n2.jpg," + "d" * 200_000, "line 2: field larger than field limit"),
        ("1.jpg,cat\n2.jpg,猫\n".encode("utf-16")[:-1], "is not UTF-16 that can be read; save it as UTF-8"),
        ("1.jpg,cat\n2.jpg,Müller\n".encode("latin-1"), "is not UTF-8"),
        ('1.jpg,cat\n2.jpg,"d\nog"\n', r"class name 'd\\nog' holds a line break"),
        ("1.jpg,cat\n2.jpg,d\u2028og\n", r"class name 'd\\u2028og' holds a line break"),
        ("1.jpg,cat\n2.jpg, cat\n", "'cat' look the same"),
        ("", "photos.csv has no rows"),
        ("path,label\n", "photos.csv has a header and no rows"),
        ("path,label\n1.jpg,cat\n", "only the class 'cat'"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_manifest_that_cannot_be_used(text: str | bytes, message: str, photos: Path) -> None:
    with pytest.raises(DatasetError, match=message):
        list_photos(manifest(photos, text))
