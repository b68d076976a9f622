"""The commands of `retrain store`, from the outside."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from calling import exit_code
from PIL import Image
from shard_files import list_shards

from retrain.backbones.backbone import find_backbone
from retrain.bottlenecks.extraction import extract
from retrain.bottlenecks.inspection import verify_store
from retrain.cli.main import main
from retrain.photos.opening import list_photos

PHOTOS = 8
without_rights = pytest.mark.skipif(
    subprocess.run(["setpriv", "--version"], capture_output=True, check=False).returncode != 0,
    reason="setpriv is not here, and root may write everywhere",
)


def cats(folder: Path, count: int = PHOTOS, first: int = 0) -> Path:
    for number in range(first, first + count):
        path = folder / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 9), (number % 256, number // 256, 90)).save(path)
    return folder


def fill(photos: Path, store: Path, size: int = 8) -> Path:
    """A store with the bottlenecks of photos; returns the folder of its fingerprint."""
    found = extract(list_photos(photos), find_backbone("fake", Path("no-models"), image_size=size), store)
    return store / found.fingerprint


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    fill(cats(tmp_path / "photos"), tmp_path / "tf_files/bottlenecks")
    return tmp_path


def call(*arguments: str) -> int:
    """The exit code of `retrain store` with these arguments."""
    return exit_code(main, "store", *arguments)


def output(capsys: pytest.CaptureFixture[str]) -> str:
    both = capsys.readouterr()
    assert "Traceback" not in both.err
    return both.out + both.err


def test_photos_to_keep_that_are_not_there_are_named_by_the_option(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("prune", "--keep_photos", str(here / "none")) == 1
    said = output(capsys)
    assert "--keep_photos" in said and "--image_dir" not in said


def test_info_for_people_and_for_programs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("info") == 0
    shown = output(capsys)
    assert "fake, 8 px, float32" in shown and f" {PHOTOS} " in shown
    assert call("info", "--json") == 0
    (folder,) = json.loads(capsys.readouterr().out)["fingerprints"]
    assert (folder["photos"], folder["bottlenecks"], folder["damaged"]) == (PHOTOS, PHOTOS, 0)


def test_info_counts_templates_of_exports_on_their_own_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("info") == 0 and "emplate" not in output(capsys)
    for name, size in (("a" * 64, 1_500_000), ("b" * 64, 700_000)):
        kept = here / "tf_files/bottlenecks/templates" / name
        (kept / "variables").mkdir(parents=True)
        (kept / "template.json").write_bytes(b"{}")
        (kept / "variables/data").write_bytes(bytes(size - 2))
    assert call("info") == 0
    assert "Templates of exports: 2, 2.2 MB, in tf_files/bottlenecks/templates" in output(capsys)
    assert call("info", "--json") == 0
    assert json.loads(capsys.readouterr().out)["templates"] == {"number": 2, "bytes": 2_200_000}


def test_verify_names_what_is_damaged_and_repairs_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("verify") == 0 and "Sound: " in output(capsys)
    path = next(here.glob("tf_files/bottlenecks/*/*.parquet"))
    path.write_bytes(path.read_bytes()[:-1])
    assert call("verify") == 1
    shown = output(capsys)
    assert path.name in shown and "--repair" in shown
    assert call("verify", "--repair") == 0
    assert (path.parents[1] / "damaged" / path.parent.name / f"{path.name}.damaged").exists()
    assert call("verify") == 0
    assert call("info") == 0 and "set aside: 1" in output(capsys)


@pytest.mark.parametrize(
    "arguments",
    [
        ["info"],
        ["verify"],
        ["verify", "--repair"],
        ["prune", "--keep_photos", "photos"],
        ["prune", "--keep_photos", "photos", "--yes"],
    ],
)
def test_a_folder_that_is_no_store_is_said_to_hold_none_and_stays_as_it_is(
    arguments: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "notes").mkdir()
    (here / "notes/mine.txt").write_text("mine")
    assert call(*arguments, "--bottleneck_dir", "notes") == 0
    said = output(capsys)
    assert "notes holds no bottlenecks." in said and "Sound" not in said and "Nothing to remove" not in said
    assert [path.name for path in (here / "notes").rglob("*")] == ["mine.txt"]


def test_prune_says_what_it_would_do_and_does_it_when_told_to(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "photos/a/0.png").unlink()
    before = {path: path.stat().st_mtime_ns for path in here.glob("tf_files/bottlenecks/*/*")}
    assert call("prune", "--keep_photos", "photos") == 0
    assert "pass --yes to remove 1 bottlenecks" in output(capsys)
    assert {path: path.stat().st_mtime_ns for path in here.glob("tf_files/bottlenecks/*/*")} == before
    assert call("prune", "--keep_photos", "photos", "--yes") == 0
    assert "Removed: 1 bottlenecks" in output(capsys)
    again = extract(list_photos(here / "photos"), find_backbone("fake", here), "tf_files/bottlenecks", start=None)  # type: ignore[arg-type]
    assert (again.hits, again.computed) == (PHOTOS - 1, 0)
    assert call("prune", "--keep_photos", "photos", "--yes") == 0 and "Nothing to remove" in output(capsys)


def test_several_sources_and_a_fingerprint_are_kept(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = fill(cats(here / "others", first=100), here / "tf_files/bottlenecks")
    fill(here / "photos", here / "tf_files/bottlenecks", size=16)
    arguments = ["--keep_photos", "photos", "--keep_photos", "others", "--keep_fingerprint", other.name[:6], "--yes"]
    assert call("prune", *arguments) == 0
    assert "all of it" in output(capsys)
    assert call("info", "--json") == 0
    (folder,) = json.loads(capsys.readouterr().out)["fingerprints"]
    assert (folder["fingerprint"], folder["photos"]) == (other.name, 2 * PHOTOS)


def test_merge_adds_what_another_machine_computed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(cats(here / "others", first=100), here / "elsewhere")
    assert call("merge", "elsewhere") == 0 and "Shards added: 1" in output(capsys).replace("added: 2", "added: 1")
    found = extract(list_photos(here / "others"), find_backbone("fake", here), "tf_files/bottlenecks", start=None)  # type: ignore[arg-type]
    assert found.computed == 0


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["prune"], 2, "Say what to keep"),
        (["prune", "--keep_fingerprint", "zz"], 2, "no fingerprint that begins with"),
        (["prune", "--keep_photos", "nowhere"], 1, "There is no folder or manifest nowhere"),
        (["prune", "--keep_photos="], 2, "empty value"),
        (["merge"], 2, "Missing argument"),
        (["merge", "nowhere"], 1, "There is no folder nowhere; check STORE."),
        (["merge", "tf_files/bottlenecks"], 2, "is the store itself"),
        (["info", "--bottleneck_dir", "nowhere"], 1, "There is no folder nowhere; check --bottleneck_dir."),
        (["verify", "--bottleneck_dir", "nowhere"], 1, "There is no folder nowhere; check --bottleneck_dir."),
        (["prune", "--keep_photos", "photos", "--bottleneck-dir", "nowhere"], 1, "There is no folder nowhere"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    arguments: list[str], code: int, sentence: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*arguments) == code
    assert sentence in output(capsys)
    assert not (here / "nowhere").exists()


def command(*arguments: str, unprivileged: bool = False) -> list[str]:
    bound = ["setpriv", "--inh-caps", "-all", "--bounding-set", "-dac_override,-dac_read_search"]
    return [*(bound if unprivileged else []), sys.executable, "-m", "retrain", "store", *arguments]


@without_rights
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["info"], 0),
        (["verify"], 1),
        (["verify", "--repair"], 1),
        (["prune", "--keep_photos", "photos", "--yes"], 1),
        (["prune", "--keep_fingerprint", "KEPT", "--yes"], 1),
        (["merge", "elsewhere"], 1),
    ],
)
def test_a_store_that_may_only_be_read(arguments: list[str], code: int, here: Path) -> None:
    store = here / "tf_files/bottlenecks"
    fill(here / "photos", store, size=16)
    kept = fill(cats(here / "others", first=100), here / "elsewhere").name
    (here / "photos/a/0.png").unlink()
    damaged = list_shards(store / kept)[0]
    damaged.write_bytes(b"torn")
    places = [store, *(folder for folder in store.iterdir() if folder.is_dir())]
    for folder in places:
        folder.chmod(0o555)
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    asked = [kept if argument == "KEPT" else argument for argument in arguments]
    done = subprocess.run(command(*asked, unprivileged=True), capture_output=True, text=True, check=False)
    for folder in places:
        folder.chmod(0o755)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert {path: path.read_bytes() for path in store.rglob("*") if path.is_file()} == before
    if code and arguments != ["verify"]:
        assert "Permission denied" in done.stderr


def shards_of(folder: Path) -> int:
    return len(list_shards(folder))


def many_shards(here: Path, store: str, count: int) -> Path:
    """A store with this many shards more."""
    from retrain.bottlenecks.store import Key, Store

    backbone = find_backbone("fake", Path("no-models"))
    opened = Store(here / store, backbone.covers(), backbone.dim)
    for number in range(count):
        opened.put_many([Key(f"{number:064x}")], np.full((1, 3), number, np.float32))
        opened.flush()
    return opened.folder


def kill_when(process: subprocess.Popen[bytes], moment: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    try:
        while process.poll() is None and not moment() and time.monotonic() < until:
            time.sleep(0.001)
    finally:
        process.kill()
        process.wait()


def test_merging_that_is_killed_is_done_by_the_same_command(here: Path) -> None:
    store = here / "tf_files/bottlenecks"
    folder = store / many_shards(here, "elsewhere", 300).name
    before = shards_of(folder)
    process = subprocess.Popen(command("merge", "elsewhere"))
    kill_when(process, lambda: shards_of(folder) > before + 2)
    assert process.returncode == -signal.SIGKILL, "it was done before it could be killed"
    assert verify_store(store).damaged == ()
    assert subprocess.run(command("merge", "elsewhere"), check=False).returncode == 0
    sound = verify_store(store)
    assert sound.damaged == () and sound.shards == before + 300
    assert not list(store.rglob(".retrain-*"))


def test_pruning_that_is_killed_loses_nothing_that_was_to_stay(here: Path) -> None:
    folder = many_shards(here, "tf_files/bottlenecks", 300)
    store, before = folder.parent, shards_of(folder)
    process = subprocess.Popen(command("prune", "--keep_photos", "photos", "--yes"))
    kill_when(process, lambda: shards_of(folder) < before - 2)
    assert process.returncode in (-signal.SIGKILL, 0)  # opening merges small shards first: that, too, may be cut off
    assert verify_store(store).damaged == ()
    assert subprocess.run(command("prune", "--keep_photos", "photos", "--yes"), check=False).returncode == 0
    again = extract(list_photos(here / "photos"), find_backbone("fake", here), store, start=None)  # type: ignore[arg-type]
    assert (again.hits, again.computed) == (PHOTOS, 0)


def test_two_processes_merge_into_one_store_at_once(here: Path) -> None:
    many_shards(here, "elsewhere", 40)
    fill(cats(here / "others", first=100), here / "another")
    processes = [subprocess.Popen(command("merge", "elsewhere", "another")) for _ in range(2)]
    assert [process.wait(120) for process in processes] == [0, 0]
    found = verify_store(here / "tf_files/bottlenecks")
    assert found.damaged == ()
    for photos in ("photos", "others"):
        again = extract(list_photos(here / photos), find_backbone("fake", here), "tf_files/bottlenecks", start=None)  # type: ignore[arg-type]
        assert again.computed == 0
    assert os.listdir(here / "elsewhere") != []


def test_prune_says_how_the_photos_to_keep_are_read(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "photos/logs").mkdir()
    (here / "photos/logs/run.txt").write_text("")
    assert call("prune", "--keep_photos", "photos") == 0
    assert "Read as: class folders a, b; left out: logs." in output(capsys)


def lost_disk(here: Path) -> str:
    shutil.move(here / "photos/b", here / "disk")
    cats(here / "photos", first=1, count=1)
    shutil.move(here / "photos/b", here / "photos/c")
    (here / "photos/b").symlink_to(here / "disk/not mounted")
    return "photos"


def lost_side(here: Path) -> str:
    (here / "sides").mkdir()
    (here / "photos").rename(here / "sides/train")
    shutil.copytree(here / "sides/train", here / "sides/val")
    (here / "sides/test").symlink_to(here / "disk")
    return "sides"


def rows_of_nothing(here: Path) -> str:
    rows = [f"photos/{'ab'[number % 2]}/{number}.png,{'ab'[number % 2]}" for number in range(PHOTOS)]
    (here / "photos.csv").write_text("\n".join(["path,label", *rows]))
    (here / "photos/a/0.png").unlink()
    (here / "photos/a/2.png").unlink()
    return "photos.csv"


def side_without_classes(here: Path) -> str:
    (here / "sides/test").mkdir(parents=True)
    (here / "photos").rename(here / "sides/train")
    (here / "sides/train/a/0.png").rename(here / "sides/test/0.png")
    return "sides"


@pytest.mark.parametrize(
    ("prepare", "sentence"),
    [
        (lost_disk, "photos to keep may be missing: photos/b is a link to nothing. Mount the disk"),
        (lost_side, "photos to keep may be missing: sides/test is a link to nothing. Mount the disk"),
        (rows_of_nothing, "missing: ./photos/a/0.png does not exist (photos.csv, line 2) (1 more so). Mount the disk"),
        (side_without_classes, "would not be kept: sides/test holds photos without classes. Pass --layout folders"),
    ],
    ids=["class folder", "side", "rows", "no classes"],
)
def test_prune_removes_nothing_while_photos_to_keep_are_not_found(
    prepare: Callable[[Path], str], sentence: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, shards = prepare(here), sorted(here.glob("tf_files/bottlenecks/*/*"))
    assert call("prune", "--keep_photos", source, "--yes") == 1
    assert sentence in " ".join(output(capsys).split())
    assert sorted(here.glob("tf_files/bottlenecks/*/*")) == shards


def test_prune_by_every_folder_keeps_photos_without_classes(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    side_without_classes(here)
    assert call("prune", "--keep_photos", "sides", "--layout", "folders", "--yes") == 0
    assert "Nothing to remove" in output(capsys)


@without_rights
def test_prune_removes_nothing_where_a_folder_may_not_be_read(here: Path) -> None:
    shutil.copytree(here / "photos/b", here / "photos/c")
    (here / "photos/a").chmod(0)
    found = subprocess.run(
        command("prune", "--keep_photos", "photos", "--yes", unprivileged=True), capture_output=True, text=True
    )
    (here / "photos/a").chmod(0o755)
    assert found.returncode == 1 and "photos/a cannot be listed: Permission denied" in found.stderr
