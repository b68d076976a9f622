import os
import shutil
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from object_server import ObjectServer

# Nothing that this module imports may import NumPy: its libraries read these when they are loaded.
if "PYTEST_XDIST_WORKER" in os.environ:  # each worker has a core: more threads would only be in each other's way
    for _name in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "TF_NUM_INTEROP_THREADS",
        "TF_NUM_INTRAOP_THREADS",
    ):
        os.environ.setdefault(_name, "1")

# Whoever runs the tests: pages are in English where a test says nothing else.
os.environ["LANGUAGE"] = "en"

# For the processes that tests start.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(Path(__file__).parent / "support/start"), *filter(None, [os.environ.get("PYTHONPATH")])]
)

# Modules that take 20 seconds of processor time and more, the longest first, so that none is left alone at the end.
LONGEST = (
    "strangers/test_it_talks_to_nobody.py",
    "faults/test_storm.py",
    "runs/test_export.py",
    "e2e/test_fine_tuning.py",
    "faults/test_training_kills.py",
    "training/on_photos/test_fine_tune.py",
    "e2e/test_sources.py",
    "training/fitting/test_mini_batches.py",
    "test_docs_examples.py",
    "test_docs_portuguese.py",
    "e2e/test_real_doctor.py",
    "e2e/test_joined.py",
    "packaging/test_wheel.py",
    "label_image/serve/test_openapi.py",
    "foreign/test_bounded_readers.py",
    "e2e/test_demo.py",
    "e2e/test_real_heads.py",
    "e2e/test_heads.py",
    "exports/test_template.py",
    "label_image/test_threads.py",
    "training/on_photos/test_small_cnn.py",
    "label_image/test_terminal.py",
    "test_api.py",
    "exports/test_every_format.py",
)

# However busy the machine is: no example is too slow, and no input is drawn too slowly.
settings.register_profile(
    "patient",
    settings.default,
    deadline=None,
    suppress_health_check=[*settings.default.suppress_health_check, HealthCheck.too_slow],
)
settings.load_profile("patient")
# `pytest tests/foreign/test_fuzz.py --hypothesis-profile=long`
settings.register_profile(
    "long", max_examples=10_000, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest modules where several workers share them."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        ranks = {Path(__file__).parent / name: rank for rank, name in enumerate(LONGEST)}
        assert all(path.is_file() for path in ranks), "LONGEST names a module that is no more"
        items.sort(key=lambda item: ranks.get(item.path, len(ranks)))


@pytest.fixture(scope="session")
def three_colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`photos` of three colours, and `model`, an export that tells them apart; made once, never to be written to."""
    from painting import paint_classes

    from retrain.cli.main import main

    folder = tmp_path_factory.mktemp("three_colours")
    paint_classes(folder / "photos", {name: name for name in ("red", "green", "blue")}, range(20))
    main(
        f"--image_dir {folder / 'photos'} --output_dir {folder / 'model'} --architecture fake --folds 0 "
        f"--bottleneck_dir {folder / 'b'} --model_dir {folder / 'm'}".split()
    )
    return folder


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photos and an export of three colours; never written to."""
    from export_folders import paint

    from retrain.cli.main import main

    folder = tmp_path_factory.mktemp("trained")
    paint(folder / "photos", range(20))
    main(
        f"--image_dir {folder / 'photos'} --output_dir {folder / 'model'} --architecture fake --folds 0 "
        f"--formats saved_model "
        f"--bottleneck_dir {folder / 'b'} --model_dir {folder / 'm'}".split()
    )
    return folder


@pytest.fixture
def model(trained: Path, tmp_path: Path) -> Path:
    """The export, to be written to."""
    return Path(shutil.copytree(trained / "model", tmp_path / "model"))


@pytest.fixture(scope="session")
def exported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export in every format; never written to."""
    from stand_ins import converted

    from retrain.exports.registry import FORMATS

    folder = tmp_path_factory.mktemp("exported")
    shutil.copytree(trained / "model", folder / "model")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # coremltools is written for older versions of what it meets
        there = [name for name, format in FORMATS.items() if format.lacks() is None]
        report = converted(folder / "model", there, str(trained / "photos"), folder)
    made = [name for name in there if FORMATS[name].conversions]
    assert [result.name for result in report.results] == ["saved_model", "saved_model_bytes", *made]
    assert [result.refused for result in report.results] == [None] * len(report.results)
    return folder / "model"


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def _object_server() -> "Iterator[ObjectServer]":
    pytest.importorskip("moto.server", reason="moto is not installed: it is the object storage of the tests")
    pytest.importorskip("boto3", reason="boto3 is not installed: the extra `storage` has it")
    from object_server import object_server

    with object_server() as server:
        yield server


@pytest.fixture
def storage(_object_server: "ObjectServer", monkeypatch: pytest.MonkeyPatch) -> "Iterator[ObjectServer]":
    """An object storage on loopback with an empty bucket, which this process finds in its environment."""
    from label_image import object_storage

    for name, value in _object_server.environment.items():
        monkeypatch.setenv(name, value)
    object_storage.forget_connections()
    _object_server.empty()
    yield _object_server
    object_storage.forget_connections()  # another test's server has another address
