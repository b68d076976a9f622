"""40 seconds of the storm of kills (scripts/storm.py), and that it sees each kind of fault."""

import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from storm import judge
from storm_checks import check_bottlenecks, check_left_behind
from storm_commands import Plan, Storm, draw_photos

from retrain.backbones.backbone import find_backbone
from retrain.bottlenecks.extraction import extract
from retrain.bottlenecks.near_copies import find_near_copies, thumbnail_store
from retrain.bottlenecks.store import Store
from retrain.photos.opening import list_photos

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "storm.py"
FAKE = find_backbone("fake", Path("no-models"))


@pytest.mark.kills
def test_kills_for_40_seconds_leave_nothing_wrong_lost_or_behind() -> None:
    command = [sys.executable, SCRIPT, "--seconds", "40", "--kills", "60", "--seed", "20261128"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1500, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    killed = re.search(r"^(\d+) kills .* (\d+) stored bottlenecks compared; 0 faults$", done.stdout, re.MULTILINE)
    assert killed, done.stdout
    assert int(killed[1]) >= 4 and int(killed[2]) > 0, done.stdout  # one that kills nobody shows nothing


@pytest.fixture
def storm(tmp_path: Path) -> Storm:
    """One that is over: a store that was worked on beside the folders for clean and temporary ones."""
    for name in ("storm", "clean", "logs", "tmp"):
        (tmp_path / name).mkdir()
    draw_photos(tmp_path / "photos", 2, np.random.default_rng(0))
    extract(list_photos(tmp_path / "photos"), FAKE, tmp_path / "storm/store")
    return Storm(Plan(tmp_path, ("--architecture", "fake"), False, False), 1, time.monotonic())


def test_a_clean_store_has_no_fault(storm: Storm) -> None:
    assert check_bottlenecks(storm, [FAKE]) == 6 + 3  # photos and the probe's
    check_left_behind(storm)
    assert storm.faults == []


def test_one_wrong_bottleneck_is_seen(storm: Storm) -> None:
    opened = Store(storm.plan.folder / "storm/store", FAKE.covers(), FAKE.dim)
    keys, vectors = next((keys, matrix) for keys, matrix in opened.scan() if keys[0].view == "original")
    for shard in opened.folder.glob("*.parquet"):
        shard.unlink()
    vectors = vectors.copy()
    vectors[1, 0] += 1e-4
    opened.put_many(keys, vectors)
    opened.close()
    check_bottlenecks(storm, [FAKE])
    assert storm.faults == ["wrong bottlenecks with 8 pixels"]


def test_one_wrong_thumbnail_is_seen(storm: Storm) -> None:
    store = storm.plan.folder / "storm/store"
    photos = extract(list_photos(storm.plan.folder / "photos"), FAKE, store).photos
    find_near_copies(photos, np.ones((len(photos), 3), np.float32) + 1e-3 * np.arange(3, dtype=np.float32), store)
    assert not (store / "thumbnails").exists(), "photos that are all the same to the network have no candidates"
    alike = np.eye(3, dtype=np.float32)[[0, 0, 1, 1, 2, 2]] + np.float32(1)
    find_near_copies(photos, alike, store)
    assert check_bottlenecks(storm, [FAKE]) == 6 + 3 + 6 and storm.faults == []
    with thumbnail_store(store) as kept:
        keys, rows = next(kept.scan())
        for shard in kept.folder.glob("*.parquet"):
            shard.unlink()
        kept.put_many(keys, rows + np.eye(len(rows), rows.shape[1]))
    check_bottlenecks(storm, [FAKE])
    assert storm.faults == ["a wrong thumbnail"] * 6


@pytest.mark.parametrize("name", ["tmp/anything", "storm/.retrain-12345678-1234567890abcdef.tmp", "storm/x.damaged"])
def test_what_is_left_behind_is_seen(storm: Storm, name: str) -> None:
    (storm.plan.folder / name).mkdir()
    check_left_behind(storm)
    assert [fault.partition(" (")[0] for fault in storm.faults] == [f"left behind: {name}"]


@pytest.mark.parametrize(
    ("code", "said", "faults"),
    [
        (-9, "", 0),
        (143, "", 1),
        (1, "Error: no", 1),
        (-9, "Traceback (most recent call last)", 1),
        (1, "out was replaced by another training meanwhile: run the command again.", 0),
    ],
)
def test_exit_codes_and_tracebacks_are_seen(storm: Storm, code: int, said: str, faults: int) -> None:
    log = storm.plan.folder / "logs" / "1.txt"
    log.write_text(said)
    judge(storm, "train", "KILL", code, log, 1.0)
    assert len(storm.faults) == faults


def test_a_lost_export_is_seen(storm: Storm) -> None:
    log, export = storm.plan.folder / "logs" / "1.txt", storm.plan.folder / "storm/model/model.json"
    log.touch()
    export.parent.mkdir()
    export.touch()
    judge(storm, "train", "KILL", -9, log, 1.0)
    assert storm.faults == []
    export.unlink()
    judge(storm, "train", "KILL", -9, log, 1.0)
    assert len(storm.faults) == 1
