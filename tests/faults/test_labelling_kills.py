"""Labelling that is killed at any moment, again and again: nothing is lost or doubled, and it comes to its end."""

import random
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from labelling import files_below, label, rows, start
from PIL import Image

PHOTOS = 1500
KILLS = 12
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGINT, signal.SIGTERM)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Many small ones, each of its own content, and names that occur in several folders."""
    shades = np.random.default_rng(0).integers(0, 256, (PHOTOS, 3))
    for number, shade in enumerate(shades):
        path = tmp_path / "photos" / str(number % 7) / f"{number // 7}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40 + number // 1000, 30 + number % 1000), tuple(map(int, shade))).save(path, compress_level=0)
    return tmp_path / "photos"


@pytest.mark.kills
@pytest.mark.parametrize("option", ["--copy_to", "--move_to"])
def test_kills_lose_and_double_nothing(option: str, three_colours: Path, photos: Path, tmp_path: Path) -> None:
    chance = random.Random(20261128)
    before = files_below(photos)
    arguments = ("photos", "--csv", "t.csv", "--jsonl", "t.jsonl", option, "sorted")
    stopped = 0
    for _ in range(KILLS):
        process = start(three_colours / "model", *arguments, folder=tmp_path)
        try:
            wait_for(process, tmp_path, chance.uniform(0, 0.25))
            if process.poll() is None:
                process.send_signal(chance.choice(SIGNALS))
            _, err = process.communicate(timeout=120)
        finally:
            process.kill()
        stopped += process.returncode != 0
        assert process.returncode in (0, -signal.SIGKILL, 130, 143) and "Traceback" not in err, err
        there = {*files_below(photos).values(), *files_below(tmp_path / "sorted").values()}
        assert set(before.values()) <= there, "a photo is nowhere"
    assert stopped >= KILLS // 3, "most ended before they could be killed: make more photos"

    process = start(three_colours / "model", *arguments, folder=tmp_path)
    _, err = process.communicate(timeout=300)
    assert process.returncode == (0 if "There is no photo" not in err else 1), err
    after = files_below(tmp_path / "sorted")
    assert sorted(after.values()) == sorted(before.values()), "each photo is there once"
    assert files_below(photos) == (before if option == "--copy_to" else {})
    column = "copied_to" if option == "--copy_to" else "moved_to"
    assert_table_is_true(tmp_path, before, column)
    assert not [path.name for path in tmp_path.iterdir() if path.name.endswith((".partial", ".tmp"))]
    assert not list((tmp_path / "sorted").glob(".*"))


def wait_for(process: "subprocess.Popen[str]", folder: Path, seconds: float) -> None:
    """Until a run has begun to work, and a little longer."""
    journal = folder / "t.csv.partial"
    size = journal.stat().st_size if journal.exists() else 0
    while process.poll() is None and (not journal.exists() or journal.stat().st_size == size):
        time.sleep(0.01)
    time.sleep(seconds)


def assert_table_is_true(folder: Path, before: dict[str, bytes], column: str) -> None:
    """Each photo has one row, and lies where its row says."""
    found = rows(folder / "t.csv")
    if not found:
        return
    assert sorted(row["path"] for row in found) == sorted(f"photos/{name}" for name in before)
    for row in found:
        assert (folder / row[column]).read_bytes() == before[row["path"].removeprefix("photos/")]
        assert Path(row[column]).parent.name == ("unknown" if row["unknown"] == "true" else row["label"])


@pytest.mark.kills
def test_two_runs_that_move_the_same_photos_lose_none(three_colours: Path, photos: Path, tmp_path: Path) -> None:
    before = files_below(photos)
    both = [
        start(three_colours / "model", "photos", "--move_to", "sorted", "--csv", f"{name}.csv", folder=tmp_path)
        for name in ("one", "two")
    ]
    for process in both:
        _, err = process.communicate(timeout=300)
        assert process.returncode in (0, 1) and "Traceback" not in err, err
        errors = [line for line in err.splitlines() if line.startswith("Error: ")]
        assert all(" is gone: " in line or " cannot be read: " in line for line in errors), errors
    assert files_below(photos) == {}
    assert sorted(files_below(tmp_path / "sorted").values()) == sorted(before.values())


@pytest.mark.kills
def test_a_table_that_was_killed_is_the_same_byte_for_byte(three_colours: Path, photos: Path, tmp_path: Path) -> None:
    label(three_colours / "model", photos, "--csv", tmp_path / "undisturbed.csv")
    arguments = (photos, "--csv", "t.csv")
    for _ in range(4):
        process = start(three_colours / "model", *arguments, folder=tmp_path)
        try:
            wait_for(process, tmp_path, 0.0)
        finally:
            process.kill()
            process.communicate()
    process = start(three_colours / "model", *arguments, folder=tmp_path)
    process.communicate(timeout=300)
    assert (tmp_path / "t.csv").read_bytes() == (tmp_path / "undisturbed.csv").read_bytes()
