"""A photo is what its bytes are: which changes of files are seen, and what is read again."""

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from extracting import (
    FAKE,
    assert_true,
    average_colour,
    broken_photos,
    class_folders,
    list_photos,
    photo_bytes,
    read_by,
    run,
    touch,
    write,
)

from label_image.files import sha256_of_bytes
from retrain.bottlenecks.extraction import Extraction, extract
from retrain.photos import hashes, opening


def test_an_unchanged_photo_is_not_even_read_again(cats: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(cats, store)
    read_by(monkeypatch, lambda path: pytest.fail(f"{path} was read"))
    assert run(cats, store)[0].hits == 6


def rename(cats: Path) -> Path:
    (cats / "a" / "0.jpg").rename(cats / "a" / "新しい 名.PNG")
    return cats


def swap_names(cats: Path) -> Path:
    one, other, spare = cats / "a" / "0.jpg", cats / "a" / "2.jpg", cats / "spare"
    one.rename(spare)
    other.rename(one)
    spare.rename(other)
    return cats


def relabel_a_photo(cats: Path) -> Path:
    (cats / "a" / "0.jpg").rename(cats / "b" / "0.jpg")
    return cats


def relabel_a_class(cats: Path) -> Path:
    (cats / "a").rename(cats / "Сфинкс")
    return cats


def duplicate(cats: Path) -> Path:
    shutil.copy(cats / "a" / "0.jpg", cats / "b" / "copy.jpg")
    return cats


def mount_elsewhere(cats: Path) -> Path:
    return cats.rename(cats.parent / "mnt")


def copy_without_times(cats: Path) -> Path:
    return shutil.copytree(cats, cats.parent / "copy", copy_function=shutil.copyfile)


def remove(cats: Path) -> Path:
    (cats / "a" / "0.jpg").unlink()
    return cats


@pytest.mark.parametrize(
    "change",
    [
        rename,
        swap_names,
        relabel_a_photo,
        relabel_a_class,
        duplicate,
        touch,
        mount_elsewhere,
        copy_without_times,
        remove,
    ],
)
def test_nothing_is_computed_again_for_the_same_contents(
    change: Callable[[Path], Path], cats: Path, store: Path
) -> None:
    run(cats, store)
    again, counter = run(change(cats), store)
    assert (again.computed, counter.starts) == (0, 0)
    assert again.hits == len(again.photos)
    assert_true(again)


def test_a_replaced_photo_is_computed_again_and_no_other(cats: Path, store: Path) -> None:
    run(cats, store)
    write(cats / "a" / "0.jpg", photo_bytes(100))
    again, _ = run(cats, store)
    assert (again.hits, again.computed) == (5, 1)
    assert_true(again)


def test_a_photo_of_the_same_name_in_another_data_set_is_another_photo(tmp_path: Path, store: Path) -> None:
    run(class_folders(tmp_path / "cats"), store)
    for number in range(6):
        write(tmp_path / "dogs" / "ab"[number % 2] / f"{number}.jpg", photo_bytes(number + 100))
    dogs, _ = run(tmp_path / "dogs", store)
    assert (dogs.hits, dogs.computed) == (0, 6)
    assert_true(dogs)


def replace_unseen(path: Path, data: bytes) -> None:
    """Other bytes of the same size in the same file, with the modification time put back."""
    before = path.stat()
    assert before.st_size == len(data)
    with open(path, "r+b") as file:
        file.write(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_the_same_size_with_a_newer_time_is_seen(cats: Path, store: Path) -> None:
    run(cats, store)
    path = cats / "b" / "1.jpg"
    replace_unseen(path, photo_bytes(101))
    os.utime(path)
    again, _ = run(cats, store)
    assert again.computed == 1
    assert_true(again)


def test_a_photo_replaced_in_place_with_its_old_time_is_seen_by_its_change_time(
    cats: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashes, "RACY_NS", -(10**12))  # nobody writes within the same tick here
    reads = []
    read_by(monkeypatch, lambda path: reads.append(path) or Path(path).read_bytes())

    def real_run() -> Extraction:
        reads.clear()
        return extract(opening.list_photos(cats), FAKE, store)

    real_run()
    assert (real_run().computed, reads) == (0, [])
    time.sleep(0.05)  # a tick of the clock of the file system
    replaced = cats / "b" / "1.jpg"
    replace_unseen(replaced, photo_bytes(101))
    again = real_run()
    assert (again.computed, reads) == (1, [str(replaced)])
    assert_true(again)


def test_paranoid_sees_a_photo_replaced_without_a_trace(cats: Path, store: Path) -> None:
    run(cats, store)
    replace_unseen(cats / "b" / "1.jpg", photo_bytes(101))
    again, _ = run(cats, store, paranoid=True)
    assert (again.hits, again.computed) == (5, 1)
    assert_true(again)
    after, _ = run(cats, store)
    assert after.computed == 0
    assert_true(after)


def test_a_photo_replaced_without_a_trace_never_gets_another_photos_name(cats: Path, store: Path) -> None:
    run(cats, store)
    path = cats / "b" / "1.jpg"
    replace_unseen(path, photo_bytes(101))
    other = replace(FAKE, weights_sha256="other")
    again, _ = run(cats, store, other)
    assert [item.path for item in again.skipped] == [str(path)]
    assert "`paranoid`" in again.skipped[0].reason
    assert_true(again)
    cured, _ = run(cats, store, other, paranoid=True)
    assert (cured.computed, cured.skipped) == (1, ())
    assert_true(cured)


def test_a_photo_that_vanishes_after_the_listing_is_skipped(cats: Path, store: Path) -> None:
    listing = list_photos(cats)
    (cats / "a" / "0.jpg").unlink()
    extraction = extract(listing, FAKE, store)
    assert [os.path.basename(item.path) for item in extraction.skipped] == ["0.jpg"]
    assert "cannot be read" in extraction.skipped[0].reason
    assert_true(extraction)


def test_each_photo_is_read_once(cats: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken_photos(cats)
    write(cats / "a" / "copy.jpg", photo_bytes(0))
    reads: list[str] = []
    read_by(monkeypatch, lambda path: reads.append(path) or Path(path).read_bytes())
    assert run(cats, store)[0].computed == 6
    assert sorted(reads) == sorted(file.path for file in list_photos(cats).files)


def test_a_photo_that_changes_while_it_is_read_gets_the_bottleneck_of_what_was_read(
    cats: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(cats / "a" / "0.jpg")

    def read(name: str) -> bytes:
        data = Path(name).read_bytes()
        if name == path:
            write(Path(name), photo_bytes(100))
        return data

    read_by(monkeypatch, read)
    first, _ = run(cats, store)
    assert (first.computed, first.photos[0].sha256) == (6, sha256_of_bytes(photo_bytes(0)))
    np.testing.assert_allclose(first.matrix[0], average_colour(photo_bytes(0)), atol=2e-6)
    monkeypatch.undo()
    again, _ = run(cats, store)
    assert again.computed == 1
    assert_true(again)


def test_a_copy_stands_in_for_a_photo_that_was_replaced_without_a_trace(cats: Path, store: Path) -> None:
    path = cats / "b" / "1.jpg"
    write(cats / "b" / "copy.jpg", photo_bytes(1))
    run(cats, store)
    replace_unseen(path, photo_bytes(101))
    again, _ = run(cats, store, replace(FAKE, weights_sha256="other"))
    assert [item.path for item in again.skipped] == [str(path)]
    assert again.computed == 6
    assert_true(again)
