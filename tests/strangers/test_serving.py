"""A server listens where it was told to. It looks up no name, connects to nobody, and writes nothing."""

import json
import shutil
import socket
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from serving import photo
from watched import run_watched

SECONDS = "20"  # that it is served


@pytest.mark.skipif(shutil.which("timeout") is None, reason="timeout is absent")
def test_a_server_speaks_to_those_who_ask_alone(three_colours: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    answers: list[str] = []
    end = threading.Event()

    def ask() -> None:
        while not end.is_set():
            try:
                with urllib.request.urlopen(
                    f"http://127.0.0.1:{port}/label", photo((220, 30, 30)), timeout=60
                ) as answer:
                    answers.append(json.load(answer)["label"])
            except OSError:
                time.sleep(0.1)

    asking = threading.Thread(target=ask)
    asking.start()
    program = Path(sys.executable).with_name("label_image")
    command = ["timeout", "--signal=TERM", SECONDS, program, "serve", three_colours / "model", "--port", str(port)]
    try:
        run = run_watched([str(word) for word in command], tmp_path, tmp_path / "room", [])
    finally:
        end.set()
        asking.join()
    assert answers and set(answers) == {"red"}
    assert (run.elsewhere, run.left, run.variables) == ((), (), ())
    # Accepted connections are sockets as well.
    said = {line for line in run.network if not line.startswith(("socket.__new__", "socket("))}
    assert said and all("127.0.0.1" in line for line in said), said
    assert {line.split("(")[0].split(" ")[0] for line in said} <= {"socket.getaddrinfo", "socket.bind", "bind"}, said
