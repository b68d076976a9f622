"""`label_image serve`: in this process for what is answered, in one of its own for how it lives and ends."""

import base64
import contextlib
import io
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from starlette.testclient import TestClient

from label_image.serve.app import application
from label_image.serve.guard import Access
from label_image.serve.limits import Limits
from label_image.serve.settings import Settings
from label_image.serve.starting import service_of

LIMITS = Limits()
COMMAND = ("-m", "label_image", "serve")


def settings_for(model: Path, limits: Limits = LIMITS, threads: int = 2, **others: Any) -> Settings:
    defaults: dict[str, Any] = {
        "name": "colours", "host": "127.0.0.1", "port": 0, "token": None, "https": False, "certificate": None,
        "origins": (), "hosts": frozenset(), "labels": None, "lang": None, "trust": False,
    }  # fmt: skip
    return Settings(model=model, limits=limits, threads=threads, **{**defaults, **others})


@contextlib.contextmanager
def client_of(model: Path, access: Access | None = None, limits: Limits = LIMITS) -> Iterator[TestClient]:
    """Asks an application in this process."""
    service = service_of(settings_for(model, limits), print)
    app = application(service, access or Access())
    with TestClient(app, base_url="http://127.0.0.1:8501", raise_server_exceptions=False) as client:
        yield client


def photo(colour: tuple[int, int, int], kind: str = "PNG", size: tuple[int, int] = (40, 30)) -> bytes:
    """An encoded photo of one colour."""
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, kind)
    return file.getvalue()


def b64(data: bytes) -> dict[str, str]:
    """As TensorFlow Serving takes bytes."""
    return {"b64": base64.b64encode(data).decode()}


class Served:
    """A server in a process of its own."""

    def __init__(
        self,
        model: Path,
        *options: str,
        environment: dict[str, str] | None = None,
        python: Sequence[str] = COMMAND,
        program: str | Path = sys.executable,
    ) -> None:
        self.process = subprocess.Popen(
            [program, *python, str(model), "--port", "0", "--name", "colours", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline()
        found = re.search(r"on (https?://\S+:(\d+)/)", self.said)
        if found is None:
            raise AssertionError(self.said + self.process.communicate(timeout=60)[0])
        self.url, self.port = found[1], int(found[2])

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def end(self) -> tuple[int, str]:
        """Its exit code, and what it said meanwhile, once it is told to end."""
        self.process.terminate()
        assert self.process.stdout is not None
        said = self.process.stdout.read()
        return self.process.wait(60), said


@contextlib.contextmanager
def served(
    model: Path,
    *options: str,
    environment: dict[str, str] | None = None,
    python: Sequence[str] = COMMAND,
    program: str | Path = sys.executable,
) -> Iterator[Served]:
    """A server for as long as the block runs."""
    server = Served(model, *options, environment=environment, python=python, program=program)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
        server.process.communicate(timeout=60)
