"""Outputs where only root can put a test: real mounts, and folders of other users."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from retrain.core.errors import ExportError
from retrain.core.outputs import check_file, check_folder

NOBODY = 65534
EXPORT_TWICE = """
import json, os, sys
from pathlib import Path
from retrain.core.errors import RetrainError
from retrain.core.outputs import temporary_beside
from retrain.exports.folder import check_export_dir, replace_export
folder = Path(sys.argv[1])
try:
    for number in "123":
        check_export_dir(folder)
        with temporary_beside(folder) as temporary:
            new = temporary / "new"
            new.mkdir()
            for name in ("labels.txt", "model.json"):
                (new / name).write_text(json.dumps({"format": "retrain-export", "run": number}))
            replace_export(new, folder)
except RetrainError as error:
    sys.exit(str(error))
print(json.dumps({"inside": sorted(os.listdir(folder)), "beside": sorted(os.listdir(folder.parent)),
                  "runs": [json.loads(path.read_text())["run"] for path in sorted(folder.rglob("model.json"))]}))
"""


def can_mount() -> bool:
    unshare = shutil.which("unshare")
    return unshare is not None and subprocess.run([unshare, "-m", "true"], capture_output=True).returncode == 0


needs_mounts = pytest.mark.skipif(not can_mount(), reason="only root may mount, and not in every container")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


def export_as_nobody(folder: Path) -> subprocess.CompletedProcess[str]:
    """Export to `out` in a folder as a user who may write hardly anywhere; Python itself may be root's alone."""
    imports = "import os, encodings.utf_8_sig, retrain.exports.folder"
    become = f"{imports}; os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})"
    command = [sys.executable, "-c", become + EXPORT_TWICE, "out"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.fixture
def everyones() -> Iterator[Path]:
    """A folder that every user can enter and read, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@needs_mounts
@pytest.mark.parametrize("mount", ["mount -t tmpfs none", "mount --bind disk"], ids=["another disk", "the same disk"])
def test_an_export_into_a_real_mount_point(mount: str, tmp_path: Path) -> None:
    for name in ("disk/lost+found", "out"):
        (tmp_path / name).mkdir(parents=True)
    script = f'{mount} out && mkdir -p out/lost+found && exec "$@"'
    command = ["unshare", "-m", "sh", "-c", script, "sh", sys.executable, "-c", EXPORT_TWICE, "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["inside"] == ["labels.txt", "lost+found", "model.json", "previous"]
    assert found["runs"] == ["3", "2"]
    assert found["beside"] == ["disk", "out"]


@needs_mounts
def test_a_file_that_is_mounted_is_refused(tmp_path: Path) -> None:
    for name in ("disk.txt", "labels.txt"):
        (tmp_path / name).touch()
    check_file(tmp_path / "labels.txt", "--output_labels")
    code = "from retrain.core.outputs import *; check_file(Path('labels.txt'), '--output_labels')"
    script = 'mount --bind disk.txt labels.txt && exec "$@"'
    command = ["unshare", "-m", "sh", "-c", script, "sh", sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert "--output_labels labels.txt is mounted there" in done.stderr


@needs_root
def test_a_folder_of_ones_own_in_one_that_may_not_be_written_to(everyones: Path) -> None:
    (everyones / "out").mkdir()
    os.chown(everyones / "out", NOBODY, NOBODY)
    done = export_as_nobody(everyones)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["inside"] == ["labels.txt", "model.json", "previous"]


@needs_root
@pytest.mark.parametrize("ones_own", ["nothing", "the parent"])
def test_what_may_not_be_written_is_refused_before_the_work(ones_own: str, everyones: Path) -> None:
    """With one's own parent, the export is another user's and may be renamed; the one before may not be removed."""
    for name in ("out", "out.previous"):
        (everyones / name).mkdir()
        (everyones / name / "model.json").write_text(json.dumps({"format": "retrain-export"}))
    if ones_own == "the parent":
        os.chown(everyones, NOBODY, NOBODY)
    done = export_as_nobody(everyones)
    assert done.returncode == 1
    expected = (
        "nothing may be written in" if ones_own == "nothing" else "out.previous, an earlier export, is in the way"
    )
    assert expected in done.stderr
    assert sorted(os.listdir(everyones)) == ["out", "out.previous"]


@needs_root
def test_a_pseudo_file_system_is_refused_even_for_root() -> None:
    with pytest.raises(
        ExportError, match="--summaries_dir /proc/new cannot be written: nothing may be written in /proc"
    ):
        check_folder(Path("/proc/new"), "--summaries_dir")
