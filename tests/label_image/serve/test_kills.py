"""Killed and started again under load: no answer is wrong or half, and what was lost is noticed by who asked."""

import http.client
import json
import socket
import threading
import time
from pathlib import Path

import pytest
from serving import Served, photo, served

ROUNDS = 4

pytestmark = pytest.mark.kills


class Asking:
    """Clients that ask one port, again after each failure; `wrong` are answers that were not what they should be."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.right = self.lost = 0
        self.wrong: list[object] = []
        self.stop = threading.Event()
        self._photos = {"red": photo((220, 30, 30)), "green": photo((30, 200, 30)), "blue": photo((30, 30, 220))}
        self._threads = [threading.Thread(target=self._ask, args=(colour,)) for colour in self._photos]
        for thread in self._threads:
            thread.start()

    def _ask(self, colour: str) -> None:
        while not self.stop.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            try:
                while not self.stop.is_set():
                    connection.request("POST", "/label", self._photos[colour])
                    answer = connection.getresponse()
                    said = json.loads(answer.read())
                    if answer.status != 200 or said["label"] != colour or len(said["top"]) != 3:
                        self.wrong.append((answer.status, said))
                    self.right += 1
            except (OSError, http.client.HTTPException):  # the server is gone: it says nothing, or ends in the middle
                self.lost += 1
                time.sleep(0.02)
            finally:
                connection.close()

    def end(self) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join()


def test_kill_and_restart_under_load(colours: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    asking = Asking(port)
    try:
        for _ in range(ROUNDS):
            with served(colours, "--port", str(port)) as server:
                _until_more(asking, server)
                server.process.kill()
                assert server.process.wait(60) == -9
        with served(colours, "--port", str(port)) as server:
            _until_more(asking, server)
            asking.end()
            assert server.end()[0] == 0
    finally:
        asking.end()
    assert asking.wrong == [] and asking.lost >= ROUNDS and asking.right > 20 * ROUNDS


def _until_more(asking: Asking, server: Served) -> None:
    before, deadline = asking.right, time.monotonic() + 60
    while asking.right < before + 30 and time.monotonic() < deadline:
        time.sleep(0.01)
        assert server.process.poll() is None
    assert asking.right >= before + 30
