"""Walking folders: each real one once, in training and in `label_image`, whatever leads to it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from listings import make

from label_image.find_photos import find_photos
from label_image.folders import PassedOver, walk
from retrain.photos.dataset import Dataset
from retrain.photos.opening import list_photos

# Root may enter everything, unless it gives that up.
WITHOUT_PRIVILEGE = ["setpriv", "--inh-caps", "-all", "--bounding-set", "-dac_override,-dac_read_search"]


def photos_of(root: Path) -> list[str]:
    return [os.path.relpath(file.path, root) for file in list_photos(root).files]


def reasons(listing: Dataset, root: Path) -> dict[str, str]:
    return {os.path.relpath(item.path, root): item.reason for item in listing.skipped}


def found(*images: str | Path) -> list[str]:
    return [item if isinstance(item, str) else f"{item.path} {item.reason}" for item in find_photos(map(str, images))]


@pytest.fixture
def inside_one_another(tmp_path: Path) -> Iterator[Callable[[str, int], Path]]:
    """Photos with so many folders of a name in one another below a class, and a photo in the last of them."""
    root = make(tmp_path / "photos", "cat/a.jpg", "dog/b.jpg")

    def dig(name: str, folders: int) -> Path:
        here = os.open(root / "cat", os.O_RDONLY)
        for _ in range(folders):
            os.mkdir(name, dir_fd=here)
            below = os.open(name, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        os.close(os.open("last.jpg", os.O_CREAT, dir_fd=here))
        os.close(here)
        return root

    yield dig
    subprocess.run(["rm", "-rf", str(root)], check=True)  # pytest's own way is a recursive one


def test_folders_are_listed_as_far_as_a_path_reaches(inside_one_another: Callable[[str, int], Path]) -> None:
    root = inside_one_another("d" * 250, 20)
    listing = list_photos(root)
    assert [os.path.basename(file.path) for file in listing.files] == ["a.jpg", "b.jpg"]
    (skipped,) = listing.skipped
    assert skipped.reason == "cannot be listed: File name too long" and len(skipped.path) > 4000
    assert "Photos may be missing" in listing.remarks[0]
    assert found(root) == [str(root / "cat/a.jpg"), f"{skipped.path} {skipped.reason}", str(root / "dog/b.jpg")]


def test_1500_folders_in_one_another(inside_one_another: Callable[[str, int], Path]) -> None:
    root = inside_one_another("d", 1500)
    last = f"cat/{'d/' * 1500}last.jpg"
    assert photos_of(root) == ["cat/a.jpg", last, "dog/b.jpg"]
    assert found(root) == [str(root / name) for name in ("cat/a.jpg", last, "dog/b.jpg")]


def test_a_fan_of_links_is_walked_once(tmp_path: Path) -> None:
    """Two links in each folder to the next one: 2**22 paths lead to the last."""
    root = make(tmp_path / "photos", "dog/b.jpg", *(f"cat/f{level}/{level}.jpg" for level in range(23)))
    for level in range(22):
        for name in ("one", "two"):
            (root / f"cat/f{level}" / name).symlink_to(f"../f{level + 1}")
    listing = list_photos(root)
    assert len(listing.files) == 24
    assert len(listing.skipped) == 44
    assert reasons(listing, root)["cat/f0/one"] == f"is another path to {root}/cat/f1"
    assert len(found(root)) == 24
    assert len(found(f"{root}/**/*.jpg")) == 24


def test_a_fan_of_links_outside_of_the_photos(tmp_path: Path) -> None:
    fan = make(tmp_path / "fan", *(f"f{level}/{level}.jpg" for level in range(23)))
    for level in range(22):
        for name in ("one", "two"):
            (fan / f"f{level}" / name).symlink_to(f"../f{level + 1}")
    root = make(tmp_path / "photos", "dog/b.jpg", "cat/a.jpg")
    (root / "cat/fan").symlink_to(fan / "f0")
    assert len(list_photos(root).files) == 25
    assert len(found(root)) == 25


def test_a_link_takes_no_photo_out_of_its_folder(tmp_path: Path) -> None:
    root = make(tmp_path / "photos", "cat/a.jpg", "dog/b.jpg", "dog/pups/c.jpg")
    (root / "cat/dogs").symlink_to("../dog")
    (root / "cat/pups").symlink_to("../dog/pups")
    (root / "ant").symlink_to("dog")
    assert photos_of(root) == ["cat/a.jpg", "dog/b.jpg", "dog/pups/c.jpg"]
    listing = list_photos(root)
    assert reasons(listing, root) == {
        "ant": f"is another path to {root}/dog",
        "cat/dogs": f"is another path to {root}/dog",
        "cat/pups": f"is another path to {root}/dog/pups",
    }
    assert listing.remarks == (f"{root} has class folders without photos, left out: ant.",)
    assert sorted(found(root)) == [str(root / name) for name in ("cat/a.jpg", "dog/b.jpg", "dog/pups/c.jpg")]


@pytest.mark.skipif(sys.platform != "linux", reason="these folders are Linux's")
@pytest.mark.parametrize("target", ["/proc", "/proc/self", "/sys", "/sys/class", "/dev", "/proc/self/task"])
def test_links_to_folders_of_the_system_are_not_entered(target: str, tmp_path: Path) -> None:
    root = make(tmp_path / "photos", "cat/a.jpg", "dog/b.jpg")
    (root / "cat/system").symlink_to(target)
    listing = list_photos(root)
    assert len(listing.files) == 2
    assert reasons(listing, root) == {"cat/system": "is a folder of the system"}
    assert listing.remarks == (f"Photos may be missing: {root}/cat/system is a folder of the system.",)
    assert f"{root}/cat/system is a folder of the system" in found(root)


def test_litter_is_passed_over_unless_it_is_named(tmp_path: Path) -> None:
    root = make(tmp_path, "a.jpg", "Thumbs.db", ".DS_Store", "desktop.ini", "._a.jpg", ".cache/b.jpg", "in/THUMBS.DB")
    assert found(root) == [str(root / "a.jpg")]
    assert found(f"{root}/*.*") == found(f"{root}/**") == [str(root / "a.jpg")]
    assert found(root / "Thumbs.db") == [str(root / "Thumbs.db")]
    assert found(f"{root}/*/THUMBS.DB") == [str(root / "in/THUMBS.DB")]


def test_what_is_no_file_is_left_for_reading_to_say(tmp_path: Path) -> None:
    root = make(tmp_path, "a.jpg")
    os.mkfifo(root / "pipe")
    (root / "nothing").symlink_to("absent")
    assert found(root) == [str(root / name) for name in ("a.jpg", "nothing", "pipe")]


def test_a_link_that_is_named_is_followed(tmp_path: Path) -> None:
    make(tmp_path, "photos/in/a.jpg")
    (tmp_path / "photos/in/up").symlink_to("..")
    (tmp_path / "here").symlink_to("photos")
    assert found(tmp_path / "here") == [str(tmp_path / "here/in/a.jpg")]


PATTERNS = {
    "**/*.jpg": ["1.jpg", "a/2.jpg", "a/b/3.jpg", "a/b/a/4.jpg"],
    "**": ["1.jpg", "a/2.jpg", "a/b/3.jpg", "a/b/a/4.jpg", "a/b/n.odd"],
    "a/**/*.jpg": ["a/2.jpg", "a/b/3.jpg", "a/b/a/4.jpg"],
    "**/b/*": ["a/b/3.jpg", "a/b/n.odd"],
    "**/a/**/[34].jpg": ["a/b/3.jpg", "a/b/a/4.jpg"],
    "*/**/b/**": ["a/b/3.jpg", "a/b/a/4.jpg", "a/b/n.odd"],
    "**/a/*.jpg": ["a/2.jpg", "a/b/a/4.jpg"],
    "**/no": ["**/no"],
    "*.jpg": ["1.jpg"],
    "no*": ["no*"],
}


def photos_in(pattern: str) -> list[str]:
    return [item for item in find_photos([pattern]) if isinstance(item, str)]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns(pattern: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(
        make(tmp_path, "1.jpg", "a/2.jpg", "a/b/3.jpg", "a/b/a/4.jpg", "a/b/n.odd", ".h/5.jpg", "a/b/n.txt")
    )
    assert sorted(photos_in(pattern)) == sorted(PATTERNS[pattern])
    absolute = [str(tmp_path / name) for name in PATTERNS[pattern]]
    assert sorted(photos_in(str(tmp_path / pattern))) == sorted(absolute)
    passed_over = [item.path for item in find_photos([pattern]) if isinstance(item, PassedOver)]
    assert passed_over == (["a/b/n.txt"] if "a/b/n.odd" in PATTERNS[pattern] else []), "where the pattern matches it"


def test_folder_that_may_not_be_entered_is_named(tmp_path: Path) -> None:
    root = make(tmp_path / "photos", "cat/a.jpg", "cat/shut/b.jpg", "dog/c.jpg", "dog/blind/d.jpg", "elk/e.jpg")
    (root / "fox").symlink_to(tmp_path / "photos/cat/shut/inner")
    modes = {"cat/shut": 0o000, "dog/blind": 0o600, "elk": 0o000}
    for name, mode in modes.items():
        (root / name).chmod(mode)
    code = (
        "import sys; from retrain.photos.opening import list_photos; from label_image.find_photos import find_photos\n"
        "listing = list_photos(sys.argv[1])\n"
        "print(*(file.path for file in listing.files), *listing.skipped, *listing.remarks, sep='\\n')\n"
        "print(*find_photos([sys.argv[1]]), sep='\\n')"
    )
    prefix = WITHOUT_PRIVILEGE if os.geteuid() == 0 else []
    if prefix and shutil.which("setpriv") is None:
        pytest.skip("root may enter every folder, and there is no setpriv")
    try:
        ran = subprocess.run(
            [*prefix, sys.executable, "-c", code, str(root)], capture_output=True, text=True, check=True
        )
    finally:
        for name in modes:
            (root / name).chmod(0o755)
    lines = ran.stdout.replace(f"{root}/", "").splitlines()
    assert lines[:2] == ["cat/a.jpg", "dog/c.jpg"]
    assert set(lines[2:6]) == {
        "Skipped(path='cat/shut', reason='cannot be listed: Permission denied')",
        "Skipped(path='dog/blind/d.jpg', reason='cannot be read: Permission denied')",
        "Skipped(path='elk', reason='cannot be listed: Permission denied')",
        "Skipped(path='fox', reason='cannot be read: Permission denied')",
    }
    assert "left out: elk." in lines[6]
    assert lines[7] == "Photos may be missing: fox cannot be read: Permission denied (2 more so)."
    assert {"cat/a.jpg", "dog/blind/d.jpg", "dog/c.jpg"} <= set(lines[8:])
    assert len(lines) == 14


def test_walk_of_nothing() -> None:
    assert list(walk([])) == []


def test_files_that_metadata_do_not_name_are_looked_for_once(tmp_path: Path) -> None:
    root = make(tmp_path, "1.jpg", "2.jpg", *(f"f{level}/{level}.jpg" for level in range(23)))
    for level in range(22):
        for name in ("one", "two"):
            (root / f"f{level}" / name).symlink_to(f"../f{level + 1}")
    (root / "metadata.csv").write_text("file_name,label\n1.jpg,cat\n2.jpg,dog\n")
    listing = list_photos(root, tmp_path / "bottlenecks")
    assert len(listing.files) == 2
    assert [item.reason for item in listing.skipped] == ["is not in the metadata"] * 23
