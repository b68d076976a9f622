"""kill -9 of a worker, a node and the driver in the middle of a run on Ray: nothing is lost, or wrong, or twice."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("ray", reason="Ray is not installed")

import ray_driver
from machines import can_be_made, machines
from ray_driver import FAKE
from ray_nodes import Nodes, name_of, processes, ray_nodes

pytestmark = pytest.mark.kills

PHOTOS, COPIES = 1000, 20
MID = 200  # photos that are computed when something is killed
LOST = 2 * int(5 / ray_driver.SECONDS) + 64  # what two workers compute in 5 seconds, and a batch each


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    with ray_nodes(1, 1) as nodes:
        yield nodes


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for number in range(PHOTOS + COPIES):
        shade = number % PHOTOS
        path = folder / "ab"[number % 2] / f"{number:04}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (9, 9), (shade % 256, shade // 4, 255 - shade % 199)).save(path, compress_level=0)
    return folder


class Driver:
    """A run of `ray_driver` over the photos, into a store of this test."""

    def __init__(self, photos: Path, folder: Path, nodes: Nodes, executor: str = "ray") -> None:
        self.log = folder / "log"
        self.process = subprocess.Popen(
            [sys.executable, ray_driver.__file__, photos, folder / "store", self.log, executor],
            env={**os.environ, **nodes.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wait_until_computed(self, photos: int) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if int(line.split()[1]) >= photos:
                return
        raise AssertionError(f"it ended before: {self.process.communicate()[1]}")

    def finish(self) -> dict[str, object]:
        out, err = self.process.communicate(timeout=240)
        assert (self.process.returncode, err) == (0, "")
        return json.loads(out.splitlines()[-1])  # type: ignore[no-any-return]

    def ran(self) -> int:
        """How many photos went through networks until now, in all runs of this test."""
        return self.log.stat().st_size


def assert_complete(result: dict[str, object], photos: Path) -> None:
    """Every photo has its own bottleneck, once."""
    rows = result["rows"]
    assert isinstance(rows, dict)
    assert sorted(rows) == sorted(map(str, photos.glob("*/*.png")))
    for path, row in rows.items():
        pixels = FAKE.preprocessing.pixels(Path(path).read_bytes()).astype(np.float64)
        np.testing.assert_allclose(row, pixels.mean(axis=(0, 1)) / 127.5 - 1, atol=2e-6)


def test_a_worker_is_killed(nodes: Nodes, photos: Path, tmp_path: Path) -> None:
    driver = Driver(photos, tmp_path, nodes)
    driver.wait_until_computed(MID)
    workers = [pid for node in nodes.processes for pid in processes(node.pid) if "MapWorker" in name_of(pid)]
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    result = driver.finish()
    assert_complete(result, photos)
    assert (result["computed"], result["hits"]) == (PHOTOS, COPIES)
    assert PHOTOS <= driver.ran() <= PHOTOS + LOST


def test_a_node_is_killed(nodes: Nodes, photos: Path, tmp_path: Path) -> None:
    driver = Driver(photos, tmp_path, nodes)
    driver.wait_until_computed(MID)
    nodes.kill(1)
    result = driver.finish()
    assert_complete(result, photos)
    assert (result["computed"], result["hits"]) == (PHOTOS, COPIES)
    assert PHOTOS <= driver.ran() <= PHOTOS + LOST


@pytest.mark.skipif(not can_be_made(), reason="namespaces of the network take root, and `ip`")
def test_a_node_is_cut_off(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on, and writes what another node is told to compute anew."""
    for name, value in (("period_ms", 1000), ("timeout_ms", 3000), ("failure_threshold", 3)):
        monkeypatch.setenv(f"RAY_health_check_{name}", str(value))  # else it is missed after a minute
    with machines(2) as apart, ray_nodes(1, 1, on=apart) as nodes:
        driver = Driver(photos, tmp_path, nodes)
        driver.wait_until_computed(MID)
        apart[1].cut_off()
        result = driver.finish()
    assert_complete(result, photos)
    assert (result["computed"], result["hits"]) == (PHOTOS, COPIES)


def test_the_driver_is_killed_and_the_set_goes_on_here_and_there(nodes: Nodes, photos: Path, tmp_path: Path) -> None:
    driver = Driver(photos, tmp_path, nodes)
    driver.wait_until_computed(MID)
    driver.process.kill()
    driver.process.communicate()
    here = Driver(photos, tmp_path, nodes, "local")
    here.wait_until_computed(MID)
    here.process.kill()
    here.process.communicate()
    result = Driver(photos, tmp_path, nodes).finish()
    assert_complete(result, photos)
    assert int(str(result["hits"])) >= MID + COPIES
    assert PHOTOS <= driver.ran() <= PHOTOS + 2 * LOST
