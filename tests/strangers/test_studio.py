"""A studio listens where it was told to. It looks up no name, connects to nobody, and writes to its folders alone."""

import json
import shutil
import socket
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from in_studio import TOKEN
from watched import run_watched

SECONDS = "25"  # that it is open


@pytest.mark.skipif(shutil.which("timeout") is None, reason="timeout is absent")
def test_a_studio_speaks_to_its_pages_alone(three_colours: Path, tmp_path: Path) -> None:
    room = tmp_path / "room"
    shutil.copytree(three_colours / "photos", room / "photos")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    trained: list[Any] = []
    end = threading.Event()

    def ask() -> None:
        while not end.is_set():
            try:
                state = answer(port, "state")
                if state["training"] is None and state["work"] is None:
                    answer(port, "train", b"{}")
                elif state["training"] is not None:
                    trained.append(state["training"])
            except OSError:
                pass
            time.sleep(0.2)

    asking = threading.Thread(target=ask)
    asking.start()
    program = Path(sys.executable).with_name("retrain")
    options = ["--port", str(port), "--architecture", "fake", "--token", TOKEN]
    folders = ["--bottleneck_dir", room / "b", "--model_dir", room / "m", "--output_dir", room / "model"]
    command = ["timeout", "--signal=TERM", SECONDS, program, "studio", room / "photos", *options, *folders]
    try:
        run = run_watched([str(word) for word in command], tmp_path, tmp_path / "watched", [room])
    finally:
        end.set()
        asking.join()
    assert trained and trained[-1]["accuracy"] > 0.9
    assert (run.elsewhere, run.left, run.variables) == ((), (), ())
    # Accepted connections are sockets as well.
    said = {line for line in run.network if not line.startswith(("socket.__new__", "socket("))}
    assert said and all("127.0.0.1" in line for line in said), said
    assert {line.split("(")[0].split(" ")[0] for line in said} <= {"socket.getaddrinfo", "socket.bind", "bind"}, said


def answer(port: int, what: str, body: bytes | None = None) -> Any:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/{what}", body, {"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, timeout=60) as given:
        return json.loads(given.read() or b"null")
