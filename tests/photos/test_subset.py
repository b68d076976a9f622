"""`--max_images_per_class`: which photos are kept."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from retrain.photos.dataset import Dataset, PhotoFile
from retrain.photos.subset import limit_per_class


def a_listing(names: dict[str, list[str]], split: Any = None) -> Dataset:
    return Dataset(
        tuple(PhotoFile(f"{label}/{name}", label, 1, 1, 1, split) for label in names for name in sorted(names[label]))
    )


def test_at_most_n_per_class() -> None:
    listing = a_listing({"a": [f"{n}.jpg" for n in range(50)], "b": ["1.jpg", "2.jpg"], "c": list("xyz")})
    limited = limit_per_class(listing, 3)
    count = {label: sum(file.label == label for file in limited.files) for label in "abc"}
    assert count == {"a": 3, "b": 2, "c": 3}
    assert limited.remarks == (
        "47 photos of 1 classes are left out: `max_images_per_class` 3 keeps at most 3 per class.",
    )
    assert list(limited.files) == [file for file in listing.files if file in limited.files]  # in their order
    assert limit_per_class(listing, 3) == limited
    assert limit_per_class(listing, None) == listing
    assert limit_per_class(listing, 50) == replace(listing, max_images_per_class=50)


def test_what_is_no_photo_by_its_name_takes_no_place() -> None:
    beside = [f"{n}{extension}" for n in range(9) for extension in (".json", ".xml", ".txt")]
    listing = a_listing({"a": [f"{n}.jpg" for n in range(9)] + beside, "b": ["1.jpg", "1.json"]})
    limited = limit_per_class(listing, 4)
    assert sum(file.path.startswith("a/") and file.path.endswith(".jpg") for file in limited.files) == 4
    assert {file.path for file in limited.files} >= {f"a/{name}" for name in beside} | {"b/1.jpg", "b/1.json"}
    assert limited.remarks[0].startswith("5 photos of 1 classes are left out")


def test_the_first_names_are_not_preferred() -> None:
    listing = a_listing({"a": [f"{n:03}.jpg" for n in range(1000)]})
    numbers = [int(file.path[2:5]) for file in limit_per_class(listing, 100).files]
    assert 400 < sum(numbers) / 100 < 600


def test_each_given_side_has_its_own_limit() -> None:
    sides = [a_listing({"a": list("uvwxyz"), "b": list("uv")}, split) for split in ("training", "testing")]
    limited = limit_per_class(Dataset(sides[0].files + sides[1].files), 2)
    assert [(file.label, file.split) for file in limited.files] == [
        (label, split) for split in ("training", "testing") for label in ("a", "a", "b", "b")
    ]
    assert "side of the given split" in limited.remarks[0]


def test_a_set_mounted_elsewhere_keeps_its_choice() -> None:
    listing = a_listing({"a": [f"{n}.jpg" for n in range(20)]})
    elsewhere = Dataset(tuple(PhotoFile(f"/mnt/{file.path}", "a", 1, 1, 1) for file in listing.files))
    assert [f"/mnt/{file.path}" for file in limit_per_class(listing, 5).files] == [
        file.path for file in limit_per_class(elsewhere, 5).files
    ]


file_names = st.lists(st.text("abc123", min_size=1, max_size=6), max_size=30, unique=True)


@given(file_names, file_names, st.integers(1, 12))
def test_added_photos_displace_at_most_as_many(names: list[str], added: list[str], limit: int) -> None:
    both = sorted({*names, *added})
    before = {file.path for file in limit_per_class(a_listing({"a": names}), limit).files}
    after = {file.path for file in limit_per_class(a_listing({"a": both}), limit).files}
    new = {f"a/{name}" for name in both} - {f"a/{name}" for name in names}
    assert len(after) == min(limit, len(both))
    assert after - before <= new  # no photo that was left out comes in
    assert len(before - after) <= len(after & new)  # as many go as come
