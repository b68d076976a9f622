"""Ray on this machine speaks to this machine alone."""

import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from painting import paint
from watched import STRACE, run_watched

pytest.importorskip("ray.data", reason="Ray is not installed: `make cluster`")
ADDRESS = re.compile(r'inet_addr\("([^"]+)"\)|AF_INET6, "(?:::ffff:)?([^"]+)"')
ASKED = re.compile(r"socket\.getaddrinfo '([^']+)'|http\.client\.connect .* '([^']+)' \d+$")
# Ray connects a datagram socket to it, which sends nothing, to learn from the kernel which address this machine has.
ROUTE = "8.8.8.8"


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder of a short name: those of Ray's sockets may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="s-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def test_label_image_on_ray_speaks_to_this_machine_alone(three_colours: Path, place: Path) -> None:
    from ray.util import get_node_ip_address

    if STRACE is None:
        pytest.skip("strace is not installed: Ray's own processes cannot be watched")
    for number in range(60):  # more than are labelled without Ray
        paint(place / f"photos/{number}.png", (number * 4, 90, 30))
    (place / "given").mkdir()
    words = [str(Path(sys.executable).with_name("label_image")), "photos", "--model", str(three_colours / "model")]
    words += ["--csv", "given/answers.csv", "--executor", "ray"]
    run = run_watched(words, place, place / "room", [place / "given"])
    assert run.returncode == 0, run.output
    assert run.elsewhere == ()
    here = {"127.0.0.1", "::1", "0.0.0.0", "::", "localhost", get_node_ip_address()}
    spoken = {one for seen in run.network for groups in ADDRESS.findall(seen) for one in groups if one}
    assert spoken & here, "nobody was spoken to: Ray was not watched"
    assert spoken - here <= {ROUTE}
    asked = {one for seen in run.network for groups in ASKED.findall(seen) for one in groups if one}
    assert asked <= here
    sent = [seen for seen in run.network if ROUTE in seen and not seen.startswith(("connect", "getpeername"))]
    assert sent == []
