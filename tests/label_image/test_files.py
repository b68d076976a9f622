import errno
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from label_image import files
from label_image.files import (
    NO_LOCK,
    is_temporary,
    reason_of,
    remove_leftovers,
    scratch_folder,
    sha256_of,
    sha256_of_all,
    sha256_of_bytes,
    temporary_folder,
    write_in_one_step,
)

SOURCES = [path for folder in ("retrain", "label_image") for path in (Path(__file__).parents[2] / folder).rglob("*.py")]
HOLD = """
import sys, time
from pathlib import Path
from label_image.files import temporary_folder
with temporary_folder(Path(sys.argv[1])) as folder:
    (folder / "half").write_bytes(b"half")
    print(folder.name, flush=True)
    time.sleep(60)
"""


@contextmanager
def held(folder: Path) -> Iterator[str]:
    """The name of a temporary folder of a living process, which is killed at the end."""
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.kill()


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_the_sha256_of_a_file_is_that_of_its_bytes(kind: type, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    sha256 = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    assert sha256_of(tmp_path / "a") == sha256_of_bytes(kind(b"a")) == sha256


def test_the_sha256_of_a_folder_covers_names_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    before = sha256_of_all(tmp_path)
    (tmp_path / "a").write_bytes(b"2")
    changed = sha256_of_all(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert len({before, changed, sha256_of_all(tmp_path)}) == 3


def test_a_temporary_folder_is_ours_alone_and_gone_at_the_end(tmp_path: Path) -> None:
    with temporary_folder(tmp_path / "made") as folder:
        assert folder.parent == tmp_path / "made"
        assert is_temporary(folder.name) and names(folder) == []
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "deep").mkdir()
        (folder / "deep/file").touch()
    assert names(tmp_path / "made") == []
    with pytest.raises(KeyboardInterrupt), temporary_folder(tmp_path) as folder:
        (folder / "file").touch()
        raise KeyboardInterrupt
    assert names(tmp_path) == ["made"]


def test_names_are_random(tmp_path: Path) -> None:
    with temporary_folder(tmp_path) as one, temporary_folder(tmp_path) as other:
        assert one != other
        assert str(os.getpid()) not in re.split(r"[-.]", one.name)


def test_a_taken_name_is_never_used_be_it_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setattr(files.secrets, "token_hex", lambda count: "ab" * count)
    (tmp_path / f".retrain-{files._machine()}-{'ab' * 8}.tmp").symlink_to("elsewhere")
    with pytest.raises(FileExistsError), temporary_folder(tmp_path):
        pass
    assert names(tmp_path / "elsewhere") == []


def test_the_next_run_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    with held(tmp_path) as name:
        pass
    assert names(tmp_path) == [name]
    with temporary_folder(tmp_path) as folder:
        assert names(tmp_path) == [folder.name]
    assert names(tmp_path) == []


def test_what_a_living_run_owns_stays(tmp_path: Path) -> None:
    with held(tmp_path) as name:
        os.utime(tmp_path / name / "half", (0, 0))
        os.utime(tmp_path / name, (0, 0))
        with temporary_folder(tmp_path) as own:
            assert names(tmp_path) == sorted([name, own.name])
    assert names(tmp_path) == [name]


def test_a_folder_of_another_machine_or_without_a_lock_stays_for_a_day(tmp_path: Path) -> None:
    left = [tmp_path / f".retrain-{machine}-{'0' * 16}.tmp" for machine in ("12345678", NO_LOCK)]
    for folder in left:
        (folder / "deep").mkdir(parents=True)
        os.utime(folder, (0, 0))
    remove_leftovers(tmp_path)
    assert all((folder / "deep").exists() for folder in left), "something in it has just changed"
    yesterday = time.time() - 25 * 3600
    for folder in left:
        for path in (folder / "deep", folder):
            os.utime(path, (yesterday, yesterday))
    remove_leftovers(tmp_path)
    assert names(tmp_path) == []


def test_a_file_system_without_locks_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(descriptor: int, operation: int) -> None:
        raise OSError(9, "Bad file descriptor")  # what NFS says of a folder

    monkeypatch.setattr(files.fcntl, "flock", no_locks)
    with temporary_folder(tmp_path) as folder:
        assert NO_LOCK in folder.name
        monkeypatch.undo()
        remove_leftovers(tmp_path)
        assert folder.exists()
    assert names(tmp_path) == []


def test_only_folders_of_our_names_are_removed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/photo.jpg").touch()
    (tmp_path / f".retrain-{files._machine()}-{'1' * 16}.tmp").symlink_to("elsewhere")
    (tmp_path / f".retrain-{files._machine()}-{'2' * 16}.tmp").write_bytes(b"a file")
    (tmp_path / ".retrain-notes.tmp").mkdir()
    before = names(tmp_path)
    remove_leftovers(tmp_path)
    assert names(tmp_path) == before and names(tmp_path / "elsewhere") == ["photo.jpg"]
    remove_leftovers(tmp_path / "none")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_in_a_sticky_folder_what_others_made_is_left_alone(tmp_path: Path) -> None:
    left = tmp_path / f".retrain-{files._machine()}-{'3' * 16}.tmp"
    left.mkdir()
    os.chown(left, 12345, 12345)
    tmp_path.chmod(0o1777)
    remove_leftovers(tmp_path)
    assert left.exists()
    tmp_path.chmod(0o755)
    remove_leftovers(tmp_path)
    assert not left.exists()


def test_two_runs_that_tidy_at_once_never_take_each_others_folder(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from label_image.files import write_in_one_step
for number in range(300):
    write_in_one_step(Path(sys.argv[1], sys.argv[2]), b"%d" % number)
"""
    runs = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path), name]) for name in ("a", "b", "c")]
    assert [run.wait() for run in runs] == [0, 0, 0]
    assert [(tmp_path / name).read_bytes() for name in names(tmp_path)] == [b"299"] * 3


def test_a_file_is_replaced_in_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / ("x" * 255)  # as long as a name can be
    write_in_one_step(path, b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *paths: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space left"):
            write_in_one_step(path, b"new", sync=True)
    assert path.read_bytes() == b"old" and names(tmp_path) == [path.name]
    write_in_one_step(path, memoryview(b"new"), sync=True)
    assert path.read_bytes() == b"new" and names(tmp_path) == [path.name]


def test_files_obey_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o002)
    try:
        write_in_one_step(tmp_path / "file", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o664


def test_a_full_scratch_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for number, named in ((errno.ENOSPC, str(tmp_path)), (errno.EPIPE, None)):
        with pytest.raises(OSError) as error, scratch_folder():
            raise OSError(number, "as a write says it")
        assert error.value.filename == named
    assert list(tmp_path.iterdir()) == []


def test_a_scratch_folder_lies_where_the_system_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files.tempfile, "gettempdir", lambda: str(tmp_path))
    with scratch_folder() as folder:
        assert folder.parent == tmp_path
    (tmp_path / "file").write_bytes(b"abc")
    assert sha256_of(tmp_path / "file").startswith("ba7816bf")


@pytest.mark.parametrize("word", ["getpid", "mkstemp", "mkdtemp", "TemporaryDirectory", "NamedTemporaryFile"])
def test_no_other_module_makes_temporary_names(word: str) -> None:
    assert [path.name for path in SOURCES if word in path.read_text(encoding="utf-8")] == []


def test_of_a_copy_that_failed_the_first_reason_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: str, target: str, **_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), source, None, target)

    (tmp_path / "from").mkdir()
    for name in "ab":
        (tmp_path / "from" / name).touch()
    with pytest.raises(shutil.Error) as failed:
        shutil.copytree(tmp_path / "from", tmp_path / "to", copy_function=full)
    assert reason_of(failed.value) == "No space left on device"
    assert reason_of(OSError(errno.EROFS, "Read-only file system", "x")) == "Read-only file system"
    assert reason_of(OSError("something else")) == "something else"
    of_arrow = "Error writing bytes to file. Detail: [errno 28] No space left on device"
    assert reason_of(OSError(errno.ENOSPC, of_arrow)) == "No space left on device"
