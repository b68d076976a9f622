import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from label_image.files import sha256_of_bytes
from label_image.preprocessing import Preprocessing
from retrain.photos.dataset import PhotoFile
from retrain.photos.reading import CHANGED, ReadPhoto, absolute_paths, map_in_order, read_photos

SMALL = Preprocessing.parse("decode|orient|resize(4,box)")


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def photo(path: Path, grey: int) -> tuple[PhotoFile, str]:
    Image.new("RGB", (9, 9), (grey, grey, grey)).save(path, "PNG")
    status = path.stat()
    return PhotoFile(str(path), "cat", status.st_size, status.st_mtime_ns, status.st_ino), sha256_of_bytes(
        path.read_bytes()
    )


def read(
    threads: ThreadPoolExecutor, files: list[PhotoFile], wanted: list[tuple[int, str | None]], *stored: str
) -> list[ReadPhoto]:
    return list(read_photos(wanted, files, set(stored), lambda data, _: SMALL.pixels(data), False, threads, 3))


def test_only_new_contents_are_decoded_and_each_once(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    pairs = [photo(tmp_path / f"{number}.png", grey) for number, grey in enumerate([10, 20, 10, 30, 10])]
    files, hashes = [file for file, _ in pairs], [sha256 for _, sha256 in pairs]
    answers = read(threads, files, [(index, None) for index in range(5)], hashes[3])
    assert [answer.index for answer in answers] == [0, 1, 2, 3, 4]
    assert [answer.sha256 for answer in answers] == hashes
    decoded = [answer for answer in answers if answer.pixels is not None]
    assert sorted(answer.sha256 for answer in decoded) == sorted({hashes[0], hashes[1]})
    for answer in decoded:
        assert answer.pixels is not None
        assert (answer.pixels == (10 if answer.sha256 == hashes[0] else 20)).all()
    assert all(time.time_ns() - answer.read_ns < 60e9 for answer in answers)


def test_problems_of_a_file_and_of_a_content(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    (changed, _), (gone, _), (text, _) = (photo(tmp_path / name, 1) for name in ("a.png", "b.png", "c.png"))
    os.unlink(gone.path)
    Path(text.path).write_text("text")
    answers = read(threads, [changed, gone, text], [(0, "0" * 64), (1, None), (2, None)])
    assert [answer.sha256 for answer in answers] == ["", "", sha256_of_bytes(b"text")]
    assert answers[0].problem == CHANGED
    assert "cannot be read" in answers[1].problem and "is not a photo" in answers[2].problem


def test_absolute_paths_are_those_of_os(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths = ["a.jpg", "x/a.jpg", "x/../b.jpg", "/a.jpg", "//a.jpg", "./x//y/c.jpg", "../d.jpg", "/x/y/\udce9.jpg"]
    assert absolute_paths(paths) == [os.path.abspath(path) for path in paths]
    folders: dict[str, str] = {}
    assert [absolute_paths([path], folders) for path in paths] == [[os.path.abspath(path)] for path in paths]


def test_results_come_in_order_and_no_more_than_asked_for_ahead(threads: ThreadPoolExecutor) -> None:
    started: list[int] = []

    def work(number: int) -> int:
        started.append(number)
        time.sleep(0.002 if number % 2 else 0)
        return number

    results = map_in_order(work, range(50), threads, 5)
    for expected in range(50):
        assert next(results) == expected
        assert len(started) <= expected + 5
    assert next(results, None) is None


def test_what_nobody_waits_for_any_more_is_not_started(threads: ThreadPoolExecutor) -> None:
    release, started = threading.Event(), []

    def work(number: int) -> int:
        started.append(number)
        if number:
            release.wait(10)
        return number

    results = map_in_order(work, range(100), threads, 50)
    assert next(results) == 0
    results.close()
    release.set()
    threads.shutdown(wait=True)
    assert len(started) <= 1 + 2 * 4
