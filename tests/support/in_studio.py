"""A studio in this process, on the average-colour network, and what asks it."""

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from retrain.backbones.backbone_config import BackboneConfig
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.studio.app import application
from retrain.studio.config import StudioConfig
from retrain.studio.gate import Gate
from retrain.studio.studio import Studio

TOKEN, PHONE = "secret", "phones"
PATIENCE = 60  # seconds, of a busy machine


def config_for(folder: Path, **others: Any) -> StudioConfig:
    """A studio's config, its store and model beside the folder."""
    values: dict[str, Any] = {
        "output_dir": folder.with_name(f"{folder.name}_model"),
        "backbone": BackboneConfig(architecture="fake", model_dir=folder.with_name("models")),
        "extraction": ExtractionConfig(bottleneck_dir=folder.with_name("bottlenecks")),
        "host": "127.0.0.1", "port": 8600, "https": False, "token": TOKEN, "phone_token": PHONE,
    }  # fmt: skip
    return StudioConfig(folder, **{**values, **others})


class Asking:
    """A page of the studio, without the page."""

    def __init__(self, client: TestClient, studio: Studio) -> None:
        self.client, self.studio = client, studio

    def get(self, path: str) -> Any:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, status: int = 200, **body: Any) -> Any:
        answer = self.client.post(path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def add(self, data: bytes, name: str, label: str | None = None) -> Any:
        where = {"name": name} if label is None else {"name": name, "label": label}
        answer = self.client.post("/api/photos", params=where, content=data)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def state(self) -> Any:
        return self.get("/api/state")

    def photos(self) -> dict[str, str | None]:
        """The class of each photo, by its name."""
        found = self.get("/api/photos")
        return {name: None if number < 0 else found["classes"][number] for _, number, name, _ in found["photos"]}

    def ids(self) -> dict[str, str]:
        """By name."""
        return {name: one for one, _, name, _ in self.get("/api/photos")["photos"]}

    def until(self, holds: Callable[[Any], Any]) -> Any:
        """The state in which this holds."""
        end = time.monotonic() + PATIENCE
        while not holds(state := self.state()):
            assert time.monotonic() < end, state
            time.sleep(0.05)
        return state

    def done(self) -> Any:
        """The state once all photos were seen and nothing is being worked on."""
        return self.until(lambda state: state["work"] is None and state["seeing"]["done"] == state["seeing"]["total"])


@contextlib.contextmanager
def asking(config: StudioConfig) -> Iterator[Asking]:
    """A studio that runs, and a page that has entered it."""
    studio = Studio(config)
    app = application(studio, Gate(config.token, config.phone_token, config.port))
    base = f"http://127.0.0.1:{config.port}"
    with TestClient(app, base_url=base, raise_server_exceptions=False) as client:
        entered = client.post("/api/enter", headers={"Authorization": f"Bearer {config.token}"})
        assert entered.status_code == 204
        yield Asking(client, studio)


class Opened:
    """A studio in a process of its own."""

    def __init__(
        self,
        folder: Path,
        *options: str,
        architecture: str = "fake",
        token: str | None = TOKEN,
        environment: dict[str, str] | None = None,
    ) -> None:
        arguments = (
            "studio", str(folder), "--port", "0", "--no_open", "--architecture", architecture,
            *([] if token is None else ["--token", token]),
            "--bottleneck_dir", str(folder.with_name("bottlenecks")), "--model_dir", str(folder.with_name("models")),
        )  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-m", "retrain", *arguments, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline()
        found = re.search(r"(https?://\S+:(\d+)/)", self.said)
        if found is None:
            raise AssertionError(self.said + self.process.communicate(timeout=60)[0])
        self.url, self.port = found[1], int(found[2])
        self.address = self.said[found.start() :].strip()

    def end(self) -> tuple[int, str]:
        """Its exit code, and what it said meanwhile, once it is told to end."""
        self.process.terminate()
        said, _ = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, said

    def kill(self) -> None:
        """As the power does it."""
        self.process.kill()
        self.process.communicate()


@contextlib.contextmanager
def opened(folder: Path, *options: str, **others: Any) -> Iterator[Opened]:
    """A studio in a process of its own, for as long as the block runs."""
    server = Opened(folder, *options, **others)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.kill()
