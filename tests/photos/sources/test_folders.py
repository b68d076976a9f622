import os
import tempfile
from pathlib import Path

import pytest
from listings import found, make, reasons

from retrain.core.errors import DatasetError
from retrain.photos.dataset import Dataset, Split
from retrain.photos.opening import list_photos


def labels(listing: Dataset) -> list[str]:
    return sorted({file.label for file in listing.files})


def test_class_folders(tmp_path: Path) -> None:
    make(tmp_path, "dog/2.jpg", "cat/b.jpg", "cat/a.jpg")
    listing = list_photos(tmp_path)
    assert found(listing, tmp_path) == [("cat", "cat/a.jpg"), ("cat", "cat/b.jpg"), ("dog", "dog/2.jpg")]
    assert listing.skipped == () and listing.remarks == ()
    status = os.stat(tmp_path / "cat/a.jpg")
    assert (listing.files[0].size, listing.files[0].mtime_ns) == (status.st_size, status.st_mtime_ns)
    assert (listing.files[0].inode, listing.files[0].ctime_ns) == (status.st_ino, status.st_ctime_ns)
    assert all(file.split is None for file in listing.files)
    assert list_photos(str(tmp_path)) == listing


def test_t6_nested_folders_belong_to_their_class(tmp_path: Path) -> None:
    make(tmp_path, "cat/a.jpg", "cat/2019/a.jpg", "cat/2019/may/dog/a.jpg", "dog/cat/a.jpg")
    assert found(list_photos(tmp_path), tmp_path) == [
        ("cat", "cat/2019/a.jpg"),
        ("cat", "cat/2019/may/dog/a.jpg"),
        ("cat", "cat/a.jpg"),
        ("dog", "dog/cat/a.jpg"),
    ]


def test_t7_no_extension_is_passed_over(tmp_path: Path) -> None:
    names = ["a.PNG", "a.webp", "a.bmp", "a.heic", "a.JPG", "a.txt", "a", "a.jpg.exe"]
    make(tmp_path, "dog/1.jpg", *(f"cat/{name}" for name in names))
    assert {os.path.basename(path) for label, path in found(list_photos(tmp_path), tmp_path) if label == "cat"} == {
        *names
    }


def test_hidden_and_loose_files_are_skipped_by_name(tmp_path: Path) -> None:
    make(tmp_path, "cat/a.jpg", "dog/b.jpg", "loose.jpg", ".DS_Store", ".git/cat/c.jpg")
    make(tmp_path, "cat/.DS_Store", "cat/Thumbs.db", "cat/desktop.ini", "cat/.thumbs/a.jpg", "cat/._a.jpg")
    listing = list_photos(tmp_path)
    assert found(listing, tmp_path) == [("cat", "cat/a.jpg"), ("dog", "dog/b.jpg")]
    assert reasons(listing, tmp_path) == {
        "loose.jpg": "is not in a class folder",
        **dict.fromkeys([".DS_Store", ".git", "cat/.DS_Store", "cat/Thumbs.db", "cat/desktop.ini"], "is hidden"),
        **dict.fromkeys(["cat/.thumbs", "cat/._a.jpg"], "is hidden"),
    }


def test_empty_class_folders_are_remarked(tmp_path: Path) -> None:
    make(tmp_path, "cat/a.jpg", "dog/b.jpg", "bird/.hidden.jpg")
    (tmp_path / "fish/deep/deeper").mkdir(parents=True)
    listing = list_photos(tmp_path)
    assert labels(listing) == ["cat", "dog"]
    (remark,) = listing.remarks
    assert "bird, fish" in remark and "without photos" in remark


def test_no_regular_file(tmp_path: Path) -> None:
    make(tmp_path, "cat/a.jpg", "dog/b.jpg")
    os.mkfifo(tmp_path / "cat/fifo.jpg")
    listing = list_photos(tmp_path)
    assert len(listing.files) == 2
    assert reasons(listing, tmp_path) == {"cat/fifo.jpg": "is not a regular file"}


def test_links_to_photos_and_folders_are_followed(tmp_path: Path) -> None:
    make(tmp_path / "elsewhere", "1.jpg", "more/2.jpg")
    root = make(tmp_path / "photos", "cat/a.jpg")
    (root / "cat/linked.jpg").symlink_to(tmp_path / "elsewhere/1.jpg")
    (root / "cat/folder").symlink_to(tmp_path / "elsewhere/more")
    (root / "dog").symlink_to(tmp_path / "elsewhere")
    (root / "cat/nothing.jpg").symlink_to("absent.jpg")
    listing = list_photos(root)
    assert found(listing, root) == [
        ("cat", "cat/a.jpg"),
        ("cat", "cat/linked.jpg"),
        ("dog", "dog/1.jpg"),
        ("dog", "dog/more/2.jpg"),
    ]
    assert reasons(listing, root) == {
        "cat/nothing.jpg": "is a link to nothing",
        "cat/folder": f"is another path to {root}/dog/more",
    }
    assert listing.files[1].size == len("1.jpg")


LOOPS = {
    "cat/up": "../cat",
    "cat/deep/up": "../..",
    "cat/here": ".",
    "cat/root": "..",
    "cat/above": "../..",
    "top": "../photos",
    "above": "..",
    "slash": "/",
}


@pytest.mark.parametrize("link", LOOPS)
def test_a_link_to_a_folder_that_it_lies_in_is_skipped(link: str, tmp_path: Path) -> None:
    make(tmp_path, "stray/x.jpg")
    root = make(tmp_path / "photos", "cat/a.jpg", "cat/deep/c.jpg", "dog/b.jpg")
    (root / link).symlink_to(LOOPS[link])
    listing = list_photos(root)
    assert found(listing, root) == [("cat", "cat/a.jpg"), ("cat", "cat/deep/c.jpg"), ("dog", "dog/b.jpg")]
    assert reasons(listing, root) == {link: "is a link to a folder that it lies in"}


def test_links_between_classes_come_to_an_end(tmp_path: Path) -> None:
    make(tmp_path, "cat/a.jpg", "dog/b.jpg")
    (tmp_path / "cat/dogs").symlink_to("../dog")
    (tmp_path / "dog/cats").symlink_to("../cat")
    listing = list_photos(tmp_path)
    assert found(listing, tmp_path) == [("cat", "cat/a.jpg"), ("dog", "dog/b.jpg")]
    assert reasons(listing, tmp_path) == {
        "cat/dogs": f"is another path to {tmp_path}/dog",
        "dog/cats": f"is another path to {tmp_path}/cat",
    }


def test_a_link_to_itself_is_skipped(tmp_path: Path) -> None:
    make(tmp_path, "cat/a.jpg", "dog/b.jpg")
    for name in ("loop", "cat/loop"):
        (tmp_path / name).symlink_to("loop")
    listing = list_photos(tmp_path)
    assert len(listing.files) == 2
    assert reasons(listing, tmp_path) == {"loop": "is a link to nothing", "cat/loop": "is a link to nothing"}


@pytest.mark.parametrize(
    "names",
    [
        ("猫", "犬"),
        ("Cat", "cat"),
        ("a_b", "a b"),
        ("c++", "c"),
        ("Müller", "Muller"),
        ("🐈", "🐕"),
        ('the "cat"', "cat, dog; fox"),
        ("-rf", "~"),
        ("cat\\dog", "%s{0}"),
        ("0", "00"),
        ("e\u0301t\u00e9", "hiver"),
        ("👨‍👩‍👧", "न्"),
    ],
)
def test_t5_class_names_are_kept_as_they_are_written(names: tuple[str, str], tmp_path: Path) -> None:
    make(tmp_path, *(f"{name}/a.jpg" for name in names))
    assert labels(list_photos(tmp_path)) == sorted(names)


@pytest.mark.parametrize(
    "name",
    ["c\nat", "c\rat", "c\tat", "c\x1bat", "c\x7fat", "c\x85at", "c\u2028at", "c\u2029at", " ", "\u3000", b"c\xe9at"],
    ids=ascii,
)
def test_class_names_that_cannot_be_kept_are_refused_by_name(name: str | bytes, tmp_path: Path) -> None:
    text = os.fsdecode(name)
    make(tmp_path, "dog/a.jpg", f"{text}/a.jpg")
    with pytest.raises(DatasetError) as caught:
        list_photos(tmp_path)
    assert repr(text) in str(caught.value)
    str(caught.value).encode()


@pytest.mark.parametrize("pair", [("caf\u00e9", "cafe\u0301"), ("cat", "cat "), ("cat", " cat"), ("cat", "\u00a0cat")])
def test_class_names_that_look_the_same_are_refused_by_name(pair: tuple[str, str], tmp_path: Path) -> None:
    make(tmp_path, *(f"{name}/a.jpg" for name in pair))
    with pytest.raises(DatasetError) as caught:
        list_photos(tmp_path)
    assert all(repr(name) in str(caught.value) for name in pair)
    assert "look the same" in str(caught.value)


def test_too_few_classes(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no class.*at least two"):
        list_photos(tmp_path)
    make(tmp_path, "cat/a.jpg", "loose.jpg", "dog/.hidden")
    with pytest.raises(DatasetError, match="only the class 'cat'"):
        list_photos(tmp_path)


def test_a_source_that_cannot_be_used(tmp_path: Path) -> None:
    for name in ("absent", "absent.csv"):
        with pytest.raises(DatasetError, match=f"no folder or manifest .*{name}; check `image_dir`"):
            list_photos(tmp_path / name)
    make(tmp_path, "photo.jpg", "list.txt")
    os.mkfifo(tmp_path / "fifo.csv")
    for name in ("photo.jpg", "list.txt", "fifo.csv"):
        with pytest.raises(DatasetError, match=f"{name} is neither a folder"):
            list_photos(tmp_path / name)
    for name in ("a" * 5000, "a\0b", "photo.jpg/cats"):
        with pytest.raises(DatasetError, match="cannot be read"):
            list_photos(tmp_path / name)


def test_a_folder_that_may_not_be_entered() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        root = make(Path(name), "cat/a.jpg", "cat/private/b.jpg", "dog/c.jpg", "closed/cats/cat/a.jpg")
        for folder, mode in (("", 0o755), ("cat/private", 0), ("closed", 0)):
            (root / folder).chmod(mode)
        is_root = os.geteuid() == 0
        if is_root:
            os.seteuid(65534)
        try:
            with pytest.raises(DatasetError, match="Permission denied"):
                list_photos(root / "closed/cats")
            with pytest.raises(DatasetError, match="Permission denied"):
                list_photos(root / "closed")
            listing = list_photos(root)
        finally:
            if is_root:
                os.seteuid(0)
            for folder in ("cat/private", "closed"):
                (root / folder).chmod(0o755)
        assert found(listing, root) == [("cat", "cat/a.jpg"), ("dog", "dog/c.jpg")]
        assert all("Permission denied" in reason for reason in reasons(listing, root).values())
        assert set(reasons(listing, root)) == {"cat/private", "closed"}


# Given splits


@pytest.mark.parametrize(
    ("folders", "sides"),
    [
        (["train", "valid", "test"], ["training", "validation", "testing"]),
        (["train", "validation", "test"], ["training", "validation", "testing"]),
        (["Training", "VAL", "Testing"], ["training", "validation", "testing"]),
        (["train", "val"], ["training", "validation"]),
        (["train", "test"], ["training", "testing"]),
    ],
)
def test_split_folders_are_honoured(folders: list[str], sides: list[Split], tmp_path: Path) -> None:
    make(tmp_path, *(f"{folder}/{label}/deep/{folder}.jpg" for folder in folders for label in ("cat", "dog")))
    make(tmp_path, "readme.txt", ".cache/x", f"{folders[0]}/loose.jpg")
    listing = list_photos(tmp_path)
    assert labels(listing) == ["cat", "dog"]
    assert {(file.label, Path(file.path).stem, file.split) for file in listing.files} == {
        (label, folder, side) for folder, side in zip(folders, sides, strict=True) for label in ("cat", "dog")
    }
    assert reasons(listing, tmp_path) == {
        "readme.txt": "is not in one of the split folders",
        ".cache": "is not in one of the split folders",
        f"{folders[0]}/loose.jpg": "is not in a class folder",
    }


@pytest.mark.parametrize(
    "names",
    [
        ["train/1.jpg", "bus/2.jpg"],
        ["train/ice/1.jpg", "bus/2.jpg"],
    ],
)
def test_classes_may_be_named_like_splits(names: list[str], tmp_path: Path) -> None:
    make(tmp_path, *names)
    listing = list_photos(tmp_path)
    assert labels(listing) == sorted(name.partition("/")[0] for name in names)
    assert all(file.split is None for file in listing.files)


def test_a_test_folder_of_loose_photos_is_no_class(tmp_path: Path) -> None:
    make(tmp_path, "train/cat/1.jpg", "train/dog/2.jpg", "test/3.jpg")
    listing = list_photos(tmp_path)
    assert [(file.label, file.split) for file in listing.files] == [("cat", "training"), ("dog", "training")]
    assert reasons(listing, tmp_path) == {"test": "holds photos without classes"}
