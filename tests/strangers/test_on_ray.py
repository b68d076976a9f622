"""Ray on this machine speaks to this machine alone, and nothing of its own stays behind."""

import re
import sys
from pathlib import Path

import pytest
from painting import paint
from watched import STRACE, run_watched

pytest.importorskip("ray.data", reason="Ray is not installed: `make cluster`")
ADDRESS = re.compile(r'inet_addr\("([^"]+)"\)|AF_INET6, "(?:::ffff:)?([^"]+)"')
ASKED = re.compile(r"socket\.getaddrinfo '([^']+)'|http\.client\.connect .* '([^']+)' \d+$")
# Ray connects a datagram socket to it, which sends nothing, to learn from the kernel which address this machine has.
ROUTE = "8.8.8.8"


def test_label_image_on_ray_speaks_to_this_machine_alone(three_colours: Path, tmp_path: Path) -> None:
    from ray.util import get_node_ip_address

    if STRACE is None:
        pytest.skip("strace is not installed: Ray's own processes cannot be watched")
    for number in range(60):  # more than are labelled without Ray
        paint(tmp_path / f"photos/{number}.png", (number * 4, 90, 30))
    (tmp_path / "given").mkdir()
    words = [str(Path(sys.executable).with_name("label_image")), "photos", "--model", str(three_colours / "model")]
    words += ["--csv", "given/answers.csv", "--executor", "ray"]
    run = run_watched(words, tmp_path, tmp_path / "room", [tmp_path / "given"])
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
