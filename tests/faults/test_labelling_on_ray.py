"""Labelling on a cluster while a process, a node or the command is killed: the table is that of one machine."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from labelling import label, rows, start
from PIL import Image

pytest.importorskip("ray.data", reason="Ray is not installed: `make cluster`")
from ray_nodes import Nodes, name_of, processes, ray_nodes

pytestmark = pytest.mark.kills
PHOTOS = 160
FIRST = 32  # are labelled by the command itself
BLOCK = 16  # photos that a worker labels before it gives them back
SIDE = 2000  # pixels: a tenth of a second to decode, or more


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Large ones, so that there is time to kill."""
    folder = tmp_path_factory.mktemp("large") / "photos"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 60, (SIDE, SIDE, 1), np.uint8)
    for number in range(PHOTOS):
        shade = np.array([number, 90, 190 - number], np.uint8)
        Image.fromarray(noise + shade).save(folder / f"{number:03}.jpg")
    return folder


@pytest.fixture(scope="module")
def table(three_colours: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The table that this machine makes."""
    path = tmp_path_factory.mktemp("here") / "here.csv"
    label(three_colours / "model", photos, "--csv", path)
    return path.read_bytes()


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nodes]:
    """A head that computes nothing, and two nodes of a core each."""
    with ray_nodes(0, 1, 1) as found:
        for name, value in found.environment.items():
            monkeypatch.setenv(name, value)
        yield found


def workers(nodes: Nodes, number: int) -> list[int]:
    """The processes that label on a node."""
    return [pid for pid in processes(nodes.processes[number].pid) if "OnNode" in name_of(pid)]


def kill_worker(nodes: Nodes, command: "subprocess.Popen[str]") -> None:
    os.kill(next(pid for number in (1, 2) for pid in workers(nodes, number)), signal.SIGKILL)


def kill_node(nodes: Nodes, command: "subprocess.Popen[str]") -> None:
    nodes.kill(2)


def kill_command(nodes: Nodes, command: "subprocess.Popen[str]") -> None:
    command.kill()


@pytest.mark.parametrize("kill", [kill_worker, kill_node, kill_command])
def test_the_table_is_that_of_one_machine(
    kill: Callable[[Nodes, "subprocess.Popen[str]"], None],
    nodes: Nodes, three_colours: Path, photos: Path, table: bytes, tmp_path: Path,
) -> None:  # fmt: skip
    model = three_colours / "model"
    arguments = (photos, "--csv", "there.csv", "--executor", "ray")
    command = start(model, *arguments, folder=tmp_path)
    try:
        done = wait_for_rows(command, tmp_path / "there.csv.partial", FIRST + BLOCK)
        assert done < PHOTOS, "all was done before anything could be killed: make larger photos"
        kill(nodes, command)
        out, err = command.communicate(timeout=300)
    finally:
        command.kill()
    assert "Traceback" not in err
    if kill is kill_command:
        again = start(model, *arguments, folder=tmp_path)
        out, err = again.communicate(timeout=300)
        assert again.returncode == 0, err
        before = re.search(r"^(\d+) of them were labelled before", out, re.M)
        assert before and int(before[1]) >= done - BLOCK, "more than a block was labelled again"
    else:
        assert command.returncode == 0, err
    assert len(rows(tmp_path / "there.csv")) == PHOTOS
    assert (tmp_path / "there.csv").read_bytes() == table


def wait_for_rows(command: "subprocess.Popen[str]", journal: Path, number: int) -> int:
    """Until a journal has so many rows; how many it has."""
    end = time.monotonic() + 240
    while time.monotonic() < end and command.poll() is None:
        found = journal.read_bytes().count(b"\n") - 1 if journal.exists() else 0
        if found >= number:
            return found
        time.sleep(0.05)
    raise AssertionError(command.communicate(timeout=60))
