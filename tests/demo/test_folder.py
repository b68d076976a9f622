"""`retrain demo`: the same seed gives the same bytes, and nobody else's file is touched."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from retrain.cli.main import cli
from retrain.core.errors import OptionError, RetrainError
from retrain.demo.coats import COATS


def draw(folder: Path, *options: object) -> Result:
    return CliRunner().invoke(cli, ["demo", str(folder), *map(str, options)])


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures of each coat in `cats`, and gato.jpg beside them. Tests only read it."""
    folder = tmp_path_factory.mktemp("demo")
    result = draw(folder / "cats", "--per_coat", 2, "--photo", folder / "gato.jpg")
    assert result.exit_code == 0, result.output
    return folder


def test_a_folder_for_each_coat_with_pictures_of_several_sizes(drawn: Path) -> None:
    assert len(COATS) >= 6
    expected = {f"{coat}/{number}.jpg" for coat in COATS for number in ("001", "002")}
    assert set(contents(drawn / "cats")) == expected
    sizes = set()
    for path in (drawn / "cats").glob("*/*.jpg"):
        with Image.open(path) as picture:
            picture.load()
            assert (picture.format, picture.mode) == ("JPEG", "RGB")
            sizes.add(picture.size)
        assert path.stat().st_size < 40_000
    assert len(sizes) > 3
    assert all(240 <= side <= 320 for size in sizes for side in size)


def test_no_two_pictures_are_equal_and_gato_is_none_of_them(drawn: Path) -> None:
    files = contents(drawn)
    assert "gato.jpg" in files
    assert len(set(files.values())) == len(files)


def test_the_same_seed_draws_the_same_bytes(drawn: Path, tmp_path: Path) -> None:
    draw(tmp_path / "cats", "--per_coat", 2, "--photo", tmp_path / "gato.jpg")
    assert contents(tmp_path) == contents(drawn)


def test_more_pictures_keep_the_earlier_ones_and_fewer_are_the_first(drawn: Path, tmp_path: Path) -> None:
    two = contents(drawn / "cats")
    draw(tmp_path, "--per_coat", 3)
    three = contents(tmp_path)
    assert len(three) == 3 * len(COATS)
    assert {name: three[name] for name in two} == two
    draw(tmp_path, "--per_coat", 2)
    assert contents(tmp_path) == two


def test_another_seed_draws_other_pictures(drawn: Path, tmp_path: Path) -> None:
    draw(tmp_path, "--per_coat", 1, "--seed", 1)
    before = contents(drawn / "cats")
    assert all(data != before[name] for name, data in contents(tmp_path).items())


def test_a_second_run_writes_nothing(tmp_path: Path) -> None:
    draw(tmp_path, "--per_coat", 1)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    result = draw(tmp_path, "--per_coat", 1)
    assert "0 drawn, 7 there already" in result.output
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("name", ["notes.txt", "tabby", "tabby/001.jpg", "tabby/mine.jpg", "dogs/001.jpg"])
def test_a_folder_with_anything_else_in_it_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"mine")
    result = draw(tmp_path, "--per_coat", 1)
    assert isinstance(result.exception, OptionError) and str(tmp_path) in str(result.exception)
    assert contents(tmp_path) == {name: b"mine"}


def test_somebody_elses_gato_is_not_overwritten(tmp_path: Path) -> None:
    gato = tmp_path / "gato.jpg"
    gato.write_bytes(b"a real cat")
    result = draw(tmp_path / "cats", "--per_coat", 1, "--photo", gato)
    assert isinstance(result.exception, OptionError) and str(gato) in str(result.exception)
    assert contents(tmp_path) == {"gato.jpg": b"a real cat"}


def test_a_coat_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    result = draw(tmp_path / "cats", "--per_coat", 1, "--photo", tmp_path / "gato.jpg", "--coat", "striped")
    assert isinstance(result.exception, OptionError) and "tabby" in str(result.exception)
    assert contents(tmp_path) == {}


def test_a_folder_that_cannot_be_written_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_bytes(b"a file, so nothing can be put into it")
    result = draw(tmp_path / "notes.txt" / "cats", "--per_coat", 1)
    assert isinstance(result.exception, RetrainError) and result.exception.exit_code == 1
    assert "notes.txt" in str(result.exception) and "cannot be written" in str(result.exception)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc to find the processes")
def test_processes_end_with_the_one_that_was_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "retrain", "demo", str(tmp_path / "demo"), "--per_coat", "2000"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as demo:
        children = Path(f"/proc/{demo.pid}/task/{demo.pid}/children")
        try:
            wait_until(lambda: len(list((tmp_path / "demo").rglob("*.jpg"))) > 4)
            drawing = children.read_text().split()
        finally:
            demo.kill()
    assert drawing
    wait_until(lambda: not any(is_running(pid) for pid in drawing))


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
