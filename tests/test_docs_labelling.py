"""The commands of docs/label_image.md run as they stand there, in a folder as they expect it."""

import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from calling import python_path
from labelling import files_below, rows
from painting import paint
from web_site import Site, running

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/label_image.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ ((?:cat .* \| )?label_image .*)$", PAGE, re.M)


@pytest.fixture
def folder(three_colours: Path, tmp_path: Path) -> Path:
    shutil.copytree(three_colours / "model", tmp_path / "tf_files/model")
    paint(tmp_path / "gato.jpg", "red")
    for name in ("photos", "card", "inbox", "more"):
        paint(tmp_path / name / "a.jpg", "green")
        paint(tmp_path / name / "deep" / "b.jpg", "blue")
    return tmp_path


def run(command: str, folder: Path, **more: object) -> "subprocess.Popen[str]":
    program = f"{sys.executable} -m label_image"
    line = command.replace("label_image", program, 1)
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": python_path(ROOT)}
    return subprocess.Popen(
        ["bash", "-c", f"set -o pipefail; {line}"],
        cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more,
    )  # type: ignore[call-overload,no-any-return]  # fmt: skip


def test_the_page_has_a_command_of_each_kind() -> None:
    options = {option for command in COMMANDS for option in re.findall(r"--\w+", command)}
    assert options >= {"--csv", "--parquet", "--jsonl", "--copy_to", "--move_to", "--watch", "--json", "--top_k"}


@pytest.mark.parametrize("command", [command for command in COMMANDS if "--watch" not in command])
def test_commands_of_the_page_run(command: str, folder: Path) -> None:
    if "--parquet" in command:
        pytest.importorskip("pyarrow")
    with running(Site()) as site:
        site.serve("/gato.jpg", (folder / "gato.jpg").read_bytes())
        process = run(command.replace("https://example.com", site.url), folder)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert out
    for table in re.findall(r"--csv (\S+)", command):
        assert list(rows(folder / table)[0])[:6] == [
            "path",
            "label",
            "probability",
            "unknown",
            "similarity",
            "threshold",
        ]
    if "--move_to" in command:
        assert set(files_below(folder / "sorted")) == {"green/a.jpg", "blue/b.jpg"} and not files_below(folder / "card")


def test_watching_as_on_the_page(folder: Path) -> None:
    (command,) = [command for command in COMMANDS if "--watch" in command]
    process = run(f"exec {command}", folder)
    try:
        end = time.monotonic() + 60
        while not (folder / "answers.csv").exists() and time.monotonic() < end:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130 and len(rows(folder / "answers.csv")) == 2
    assert set(files_below(folder / "sorted")) == {"green/a.jpg", "blue/b.jpg"}


def test_a_table_is_one_to_train_with(folder: Path) -> None:
    from retrain.photos.opening import list_photos

    run("label_image photos card --csv answers.csv", folder).communicate(timeout=120)
    table = (folder / "answers.csv").read_text().replace(",blue,", ",azul,")
    (folder / "answers.csv").write_text(table)
    photos = list_photos(str(folder / "answers.csv")).files
    assert {(Path(photo.path).name, photo.label) for photo in photos} == {("a.jpg", "green"), ("b.jpg", "azul")}
