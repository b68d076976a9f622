import os
import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import HealthCheck, settings
from painting import paint_classes

if "PYTEST_XDIST_WORKER" in os.environ:  # each worker has a core: more threads would only be in each other's way
    for _name in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "TF_NUM_INTEROP_THREADS",
        "TF_NUM_INTRAOP_THREADS",
    ):
        os.environ.setdefault(_name, "1")

# Modules that take longest, the longest first, so that none is left alone at the end.
LONGEST = (
    "strangers/test_it_talks_to_nobody.py",
    "faults/test_storm.py",
)

# `pytest tests/foreign/test_fuzz.py --hypothesis-profile=long`
settings.register_profile(
    "long", max_examples=10_000, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest modules where several workers share them."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        ranks = {Path(__file__).parent / name: rank for rank, name in enumerate(LONGEST)}
        items.sort(key=lambda item: ranks.get(item.path, len(ranks)))


@pytest.fixture(scope="session")
def three_colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`photos` of three colours, and `model`, an export that tells them apart; made once, never to be written to."""
    from retrain.cli.main import main

    folder = tmp_path_factory.mktemp("three_colours")
    paint_classes(folder / "photos", {name: name for name in ("red", "green", "blue")}, range(20))
    main(
        f"--image_dir {folder / 'photos'} --output_dir {folder / 'model'} --architecture fake "
        f"--bottleneck_dir {folder / 'b'} --model_dir {folder / 'm'}".split()
    )
    return folder


@pytest.fixture(scope="session")
def every_format(three_colours: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same export with every format that this machine can write; never to be written to."""
    from retrain.cli.main import main

    folder = shutil.copytree(three_colours / "model", tmp_path_factory.mktemp("every_format") / "model")
    main(["export", str(folder), "--to", "all", "--image_dir", str(three_colours / "photos"), "--force"])
    return folder


@pytest.fixture
def browser() -> str:
    """A Chromium."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium: apt-get install chromium")
    return found


class Server:
    """A web server on this machine. `pages` maps a path to (status, body, promised length or None)."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.pages: dict[str, tuple[int, bytes, int | None]] = {}
        self.asked: list[str] = []


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            status, body, length = served.pages.get(self.path, (404, b"", 0))
            self.send_response(status)
            if length is not None:
                self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        served = Server(f"http://127.0.0.1:{http.server_port}/")
        thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield served
        http.shutdown()
        thread.join()
