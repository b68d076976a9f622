import hashlib
import os
from dataclasses import replace
from pathlib import Path

from retrain.photos.dataset import Photo, PhotoFile, dataset_digest

DIGESTED = [Photo(f"{label}/{n}.jpg", label, f"{label} {n}") for label in ("cat", "猫") for n in range(3)]


def test_the_digest_does_not_depend_on_order_or_paths() -> None:
    moved = [replace(item, path=f"/mnt/{number}", split="testing") for number, item in enumerate(reversed(DIGESTED))]
    assert dataset_digest(DIGESTED) == dataset_digest(moved)


def test_the_digest_is_that_of_the_sorted_lines() -> None:
    contents = [hashlib.sha256(bytes([number % 90])).hexdigest() for number in range(100)]
    photos = [Photo("", "ab"[number % 2], sha256) for number, sha256 in enumerate(contents)]
    lines = sorted(f"{photo.sha256} {photo.label}\n" for photo in photos)
    assert dataset_digest(photos) == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_the_digest_depends_on_labels_contents_and_copies() -> None:
    first, *others = DIGESTED
    digests = {
        dataset_digest(DIGESTED),
        dataset_digest(others),
        dataset_digest([*DIGESTED, first]),
        dataset_digest([replace(first, label="dog"), *others]),
        dataset_digest([replace(first, sha256="other"), *others]),
    }
    assert len(digests) == 5


def test_a_file_is_unchanged_until_it_is_written_again_or_gone(tmp_path: Path) -> None:
    path = tmp_path / "1.jpg"
    path.write_bytes(b"one")
    file = PhotoFile.of(str(path), "cat", os.stat(path), "testing")
    assert file.is_unchanged() and replace(file, part=1).is_unchanged()
    assert not replace(file, gone_sha256="0" * 64).is_unchanged()
    path.write_bytes(b"other")
    assert not file.is_unchanged()
    path.unlink()
    assert not file.is_unchanged()
