import hashlib
import os
import random
import tempfile
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrain.dataset import (
    SMALLEST_CLASS,
    Division,
    Listing,
    Photo,
    Split,
    content_groups,
    dataset_digest,
    list_photos,
    split_photos,
)
from retrain.errors import DatasetError


def make(root: Path, *names: str) -> Path:
    """Files with their own name as content, and the folders above them."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(name))
    return root


def found(listing: Listing, root: Path) -> list[tuple[str, str]]:
    return [(file.label, os.path.relpath(file.path, root)) for file in listing.files]


def reasons(listing: Listing, root: Path) -> dict[str, str]:
    return {os.path.relpath(item.path, root): item.reason for item in listing.skipped}


def labels(listing: Listing) -> list[str]:
    return sorted({file.label for file in listing.files})


# Folders


def test_class_folders(tmp_path: Path) -> None:
    make(tmp_path, "dog/2.jpg", "cat/b.jpg", "cat/a.jpg")
    listing = list_photos(tmp_path)
    assert found(listing, tmp_path) == [("cat", "cat/a.jpg"), ("cat", "cat/b.jpg"), ("dog", "dog/2.jpg")]
    assert listing.skipped == () and listing.remarks == ()
    status = os.stat(tmp_path / "cat/a.jpg")
    assert (listing.files[0].size, listing.files[0].mtime_ns) == (status.st_size, status.st_mtime_ns)
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
        ("cat", "cat/folder/2.jpg"),
        ("cat", "cat/linked.jpg"),
        ("dog", "dog/1.jpg"),
        ("dog", "dog/more/2.jpg"),
    ]
    assert reasons(listing, root) == {"cat/nothing.jpg": "is a link to nothing"}
    assert listing.files[2].size == len("1.jpg")


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
    assert found(listing, tmp_path) == [
        ("cat", "cat/a.jpg"),
        ("cat", "cat/dogs/b.jpg"),
        ("dog", "dog/b.jpg"),
        ("dog", "dog/cats/a.jpg"),
    ]
    assert set(reasons(listing, tmp_path)) == {"cat/dogs/cats", "dog/cats/dogs"}


def test_a_link_to_itself_is_skipped(tmp_path: Path) -> None:
    make(tmp_path, "cat/a.jpg", "dog/b.jpg")
    for name in ("loop", "cat/loop"):
        (tmp_path / name).symlink_to("loop")
    listing = list_photos(tmp_path)
    assert len(listing.files) == 2
    assert reasons(listing, tmp_path) == {"loop": "is not in a class folder", "cat/loop": "is a link to nothing"}


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
        with pytest.raises(DatasetError, match=f"no folder or manifest .*{name}; check --image_dir"):
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
        ["train/1.jpg", "test/2.jpg"],
        ["train/1.jpg", "bus/2.jpg"],
        ["train/ice/1.jpg", "bus/2.jpg"],
        ["valid/a/1.jpg", "test/a/2.jpg"],
        ["train/ice/1.jpg", "training/a/2.jpg"],
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
    assert reasons(listing, tmp_path) == {"test/3.jpg": "is not in a class folder"}


# Manifests


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
    text = "path,label\n1.jpg,cat\nabsent.jpg,cat\n\n2.jpg,dog\nfolder.jpg,dog\na\0b.jpg,dog\n"
    listing = list_photos(manifest(photos, text))
    assert found(listing, photos) == [("cat", "1.jpg"), ("dog", "2.jpg")]
    assert reasons(listing, photos) == {
        "absent.jpg": "does not exist (photos.csv, line 3)",
        "folder.jpg": "is not a regular file",
        "a\0b.jpg": "does not exist (photos.csv, line 7)",
    }


def test_a_line_twice_counts_once_and_contradictions_are_refused(photos: Path) -> None:
    good = "1.jpg,cat,train\n2.jpg,dog,train\n"
    assert len(list_photos(manifest(photos, good + good)).files) == 2
    with pytest.raises(DatasetError, match=r"lists .*1\.jpg twice, as 'cat' \(training\) and as 'dog'"):
        list_photos(manifest(photos, good + "1.jpg,dog,train\n"))
    with pytest.raises(DatasetError, match=r"1\.jpg twice, as 'cat' \(training\) and as 'cat' \(testing\)"):
        list_photos(manifest(photos, good + "1.jpg,cat,test\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1.jpg,cat\n2.jpg,dog,somewhere\n", "line 2: the split 'somewhere' is not train, validation or test"),
        ("1.jpg,cat\n2.jpg\n", "line 2: expected path,label"),
        ("1.jpg,cat\n2.jpg,\n", "line 2: expected path,label"),
        ("1.jpg,cat\n,dog\n", "line 2: expected path,label"),
        ("1.jpg,cat\n2.jpg,dog,train,x\n", "line 2: expected path,label"),
        ("1.jpg,cat\n2.jpg," + "d" * 200_000, "line 2: field larger than field limit"),
        ("1.jpg,cat\n2.jpg,猫\n".encode("utf-16"), "is not UTF-8"),
        ("1.jpg,cat\n2.jpg,Müller\n".encode("latin-1"), "is not UTF-8"),
        ('1.jpg,cat\n2.jpg,"d\nog"\n', r"class name 'd\\nog' holds a line break"),
        ("1.jpg,cat\n2.jpg,d\u2028og\n", r"class name 'd\\u2028og' holds a line break"),
        ("1.jpg,cat\n2.jpg, cat\n", "'cat' look the same"),
        ("", "no class"),
        ("path,label\n", "no class"),
        ("path,label\n1.jpg,cat\n", "only the class 'cat'"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_manifest_that_cannot_be_used(text: str | bytes, message: str, photos: Path) -> None:
    with pytest.raises(DatasetError, match=message):
        list_photos(manifest(photos, text))


# The split


def sha(content: object) -> str:
    return hashlib.sha256(str(content).encode()).hexdigest()


def photo(content: object, label: str = "cat", name: str | None = None, split: Split | None = None) -> Photo:
    return Photo(f"/photos/{label}/{name or f'{content}.jpg'}", label, sha(content), split)


def many(label: str, count: int, start: int = 0) -> list[Photo]:
    return [photo(f"{label}{number}", label) for number in range(start, start + count)]


# Few contents, so that duplicates are common; a few takes of few subjects.
photo_lists = st.lists(
    st.builds(
        photo,
        st.integers(0, 60),
        st.sampled_from(["cat", "dog", "猫"]),
        st.none() | st.builds("s{}_nohash_{}.jpg".format, st.integers(0, 8), st.integers(0, 3)),
    ),
    min_size=1,
    max_size=80,
)
unnamed_lists = st.lists(st.builds(photo, st.integers(0, 60), st.sampled_from(["cat", "dog", "猫"])), min_size=1)
percentages = st.sampled_from([0, 5, 10, 30, 50])


def sides_of(photos: list[Photo], division: Division) -> dict[str, set[str]]:
    sides = defaultdict(set)
    for group, side in zip(content_groups(photos), division.splits, strict=True):
        sides[group].add(side)
    return sides


@given(photo_lists)
def test_groups_are_the_photos_that_share_content_or_subject(photos: list[Photo]) -> None:
    groups = content_groups(photos)
    keys = [
        {p.sha256, *([Path(p.path).name.split("_nohash_")[0]] if "_nohash_" in p.path else [])} for p in photos
    ]
    for start in range(len(photos)):
        reached, before = keys[start], set()
        while reached != before:
            before, reached = reached, reached.union(*(key for key in keys if key & reached))
        assert [group == groups[start] for group in groups] == [bool(key & reached) for key in keys]


@given(photo_lists, percentages, percentages, st.integers(0, 5))
def test_groups_lie_on_one_side_and_classes_on_every(
    photos: list[Photo], testing: float, validation: float, seed: int
) -> None:
    division = split_photos(photos, testing, validation, seed)
    assert len(division.splits) == len(photos)
    assert all(len(sides) == 1 for sides in sides_of(photos, division).values())
    wanted = {"training", *(["validation"] if validation else []), *(["testing"] if testing else [])}
    assert set(division.splits) <= wanted
    groups = content_groups(photos)
    classes_of, groups_of, covered = defaultdict(set), defaultdict(set), defaultdict(set)
    for item, group, side in zip(photos, groups, division.splits, strict=True):
        classes_of[group].add(item.label)
        groups_of[item.label].add(group)
        covered[item.label].add(side)
    large = {
        label
        for label, members in groups_of.items()
        if sum(len(classes_of[group]) == 1 for group in members) >= SMALLEST_CLASS
    }
    assert all(covered[label] == wanted for label in large)
    if testing:
        assert division.folds is None or len(large) < len(groups_of)
        assert division.folds is not None or all(sides == wanted for sides in covered.values())


@given(photo_lists, st.randoms(use_true_random=False), percentages, st.integers(0, 3))
def test_t4_the_split_depends_on_no_order_and_no_folder(
    photos: list[Photo], order: random.Random, testing: float, seed: int
) -> None:
    moved = [replace(item, path=f"/mnt/{number}/{Path(item.path).name}") for number, item in enumerate(photos)]
    pairs = list(zip(photos, moved, strict=True))
    order.shuffle(pairs)
    before, after = (split_photos(side, testing, 10, seed) for side in (photos, [pair[1] for pair in pairs]))
    expected = {
        id(item): (side, fold)
        for item, side, fold in zip(photos, before.splits, before.folds or [None] * len(photos), strict=True)
    }
    got = zip(after.splits, after.folds or [None] * len(photos), strict=True)
    assert [expected[id(pair[0])] for pair in pairs] == list(got)
    assert before.remarks == after.remarks


@given(unnamed_lists, percentages)
def test_renaming_moves_nothing(photos: list[Photo], testing: float) -> None:
    renamed = [replace(item, path=f"{number}.png") for number, item in enumerate(photos)]
    assert split_photos(photos, testing) == split_photos(renamed, testing)


@settings(max_examples=200)
@given(unnamed_lists, unnamed_lists, percentages, percentages)
def test_adding_photos_moves_nothing_of_a_class_that_covers_every_side_by_itself(
    photos: list[Photo], added: list[Photo], testing: float, validation: float
) -> None:
    wanted = {"training", *(["validation"] if validation else []), *(["testing"] if testing else [])}
    # One photo that the rule for small classes cannot touch shows where its hash alone puts a group.
    natural = {}
    for item in photos:
        pair = [item, replace(item, label="another")]
        natural[item.sha256] = split_photos(pair, testing, validation).splits[0]
    covered = defaultdict(set)
    for item in photos:
        covered[item.label].add(natural[item.sha256])
    owners = Counter(content for content, _ in {(item.sha256, item.label) for item in photos})
    for division in (split_photos(photos, testing, validation), split_photos(photos + added, testing, validation)):
        for item, side in zip(photos, division.splits, strict=False):
            if covered[item.label] == wanted or owners[item.sha256] > 1:
                assert side == natural[item.sha256]


def test_another_take_of_a_subject_moves_nothing() -> None:
    filler = many("cat", 100) + many("dog", 100)
    takes = [photo(f"take {number}", "cat", f"tom_nohash_{number}.jpg") for number in range(40)]
    sides = {split_photos(takes[:count] + filler, 30, 30).splits[0] for count in range(1, 40)}
    assert len(sides) == 1


def test_duplicates_under_two_labels_stay_together() -> None:
    photos = many("cat", 50) + many("dog", 50)
    both = [replace(item, label="dog") for item in photos[:50]]
    division = split_photos(photos + both, 30, 30)
    assert division.splits[:50] == division.splits[100:]


def test_classes_that_share_all_their_photos_are_not_small() -> None:
    photos = [photo(number, label) for number in range(100) for label in ("cat", "animal")]
    division = split_photos(photos)
    assert division.folds is None and division.remarks == ()
    assert set(division.splits) == {"training", "validation", "testing"}


@pytest.mark.parametrize(("testing", "validation"), [(10, 10), (20, 5), (0, 30), (25, 0), (0, 0), (50, 50)])
def test_the_shares_are_the_percentages(testing: float, validation: float) -> None:
    photos = many("cat", 4000) + many("dog", 4000)
    shares = Counter(split_photos(photos, testing, validation).splits)
    assert shares["testing"] / 80 == pytest.approx(testing, abs=1.5)
    assert shares["validation"] / 80 == pytest.approx(validation, abs=1.5)
    assert shares["training"] > 0
    assert (shares["testing"] == 0) == (testing == 0) and (shares["validation"] == 0) == (validation == 0)


def test_the_seed_makes_the_split() -> None:
    photos = many("cat", 200) + many("dog", 200)
    assert split_photos(photos, seed=3) == split_photos(photos, seed=3)
    assert len({split_photos(photos, seed=seed).splits for seed in range(20)}) == 20


def test_a_class_of_three_has_one_on_every_side() -> None:
    for number in range(50):
        photos = [photo(f"{number} {take}", "cat") for take in range(3)] + many("dog", 50)
        division = split_photos(photos)
        assert set(division.splits[:3]) == {"training", "validation", "testing"}
        assert division.folds is None


@pytest.mark.parametrize("count", [1, 2])
def test_t9_a_class_too_small_for_the_sides_is_cross_validated(count: int) -> None:
    photos = many("cat", count) + many("dog", 40)
    division = split_photos(photos)
    assert division.folds is not None and len(division.folds) == len(photos)
    assert set(division.folds) == set(range(5))
    assert set(division.splits[count:]) == {"training", "validation", "testing"}
    (remark,) = division.remarks
    assert "(cat)" in remark and "5-fold" in remark


def test_a_class_too_small_for_the_sides_is_trained_on() -> None:
    for number in range(20):
        division = split_photos([photo(number), *many("dog", 40)], 40, 40)
        assert division.splits[0] == "training"


def test_without_a_test_side_there_is_nothing_to_cross_validate() -> None:
    assert split_photos(many("cat", 1) + many("dog", 40), testing_percentage=0).folds is None


@given(photo_lists, st.integers(0, 3))
def test_folds_are_whole_groups_equally_full_and_spread_each_class(photos: list[Photo], seed: int) -> None:
    small = [photo("only one", "tiny"), photo("only one", "tiny", "copy.jpg")]
    division = split_photos(photos + small, seed=seed)
    groups = content_groups(photos + small)
    fold_of = defaultdict(set)
    for group, fold in zip(groups, division.folds, strict=True):
        fold_of[group].add(fold)
    assert all(len(folds) == 1 for folds in fold_of.values())
    sizes = Counter(fold for folds in fold_of.values() for fold in folds)
    assert set(sizes) == set(range(min(5, len(fold_of))))
    assert max(sizes.values()) - min(sizes.values()) <= 1


@pytest.mark.parametrize("classes", [2, 3, 40])
def test_tiny_classes_fill_more_than_one_fold(classes: int) -> None:
    photos = [photo(f"only {number}", f"class {number}") for number in range(classes)]
    division = split_photos(photos)
    assert set(division.folds) == set(range(min(5, classes)))
    assert f"{min(5, classes)}-fold" in division.remarks[0]


# Splits that the source gives


def given_splits(*counts: tuple[Split, int]) -> list[Photo]:
    return [
        photo(f"{split} {label} {number}", label, split=split)
        for label in ("cat", "dog")
        for split, count in counts
        for number in range(count)
    ]


def test_given_splits_are_kept() -> None:
    photos = given_splits(("training", 5), ("validation", 2), ("testing", 1))
    division = split_photos(photos, 50, 50)
    assert division.splits == tuple(item.split for item in photos)
    assert division.folds is None and division.remarks == ()


@pytest.mark.parametrize(
    ("given_side", "carved", "word"), [("validation", "testing", "test"), ("testing", "validation", "validation")]
)
def test_the_missing_side_is_carved_out_of_training(given_side: Split, carved: Split, word: str) -> None:
    photos = given_splits(("training", 300), (given_side, 50))
    division = split_photos(photos, 20, 20)
    for item, side in zip(photos, division.splits, strict=True):
        assert side == given_side if item.split == given_side else side in ("training", carved)
    assert division.splits.count(carved) / 600 == pytest.approx(0.2, abs=0.05)
    assert division.remarks == (f"The source gives no {word} photos: taken from its training photos.",)


def test_training_alone_gives_both_sides() -> None:
    division = split_photos(given_splits(("training", 100)))
    assert set(division.splits) == {"training", "validation", "testing"}


def test_with_percentages_of_zero_nothing_is_carved() -> None:
    division = split_photos(given_splits(("training", 50), ("validation", 10)), 0, 0)
    assert division.splits.count("testing") == 0 and division.remarks == ()


def test_duplicates_across_given_sides_are_remarked() -> None:
    photos = given_splits(("training", 5), ("validation", 5), ("testing", 5))
    photos.append(replace(photos[0], split="testing"))
    division = split_photos(photos)
    assert division.splits == tuple(item.split for item in photos)
    (remark,) = division.remarks
    assert remark.startswith("1 ") and "more than one side" in remark


# The digest


def test_the_digest_does_not_depend_on_order_or_paths() -> None:
    photos = [*many("cat", 5), *many("dog", 5), *many("猫", 2)]
    moved = [replace(item, path=f"/mnt/{number}", split="testing") for number, item in enumerate(reversed(photos))]
    assert dataset_digest(photos) == dataset_digest(moved)
    assert len(dataset_digest([])) == 64


def test_the_digest_depends_on_labels_contents_and_copies() -> None:
    photos = many("cat", 3)
    digests = {
        dataset_digest(photos),
        dataset_digest(photos[:2]),
        dataset_digest([*photos, photos[0]]),
        dataset_digest([replace(photos[0], label="dog"), *photos[1:]]),
        dataset_digest([replace(photos[0], sha256=sha("other")), *photos[1:]]),
    }
    assert len(digests) == 5
