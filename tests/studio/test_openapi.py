"""The description is true: schemathesis asks by it, and by what it does not allow."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from in_studio import PHONE, TOKEN, asking, config_for, opened
from painting import paint_classes
from starlette.testclient import TestClient


def test_all_that_pages_ask_for_is_described(tmp_path: Path) -> None:
    with asking(config_for(tmp_path / "photos")) as page:
        described = page.get("/api/openapi.json")["paths"]
        [api] = [route for route in page.client.app.routes if route.path == "/api"]  # type: ignore[attr-defined]
        served = {
            (f"/api{route.path}", method.lower())
            for route in api.routes
            for method in route.methods - {"HEAD"}
            if route.path != "/events"
        }
    assert {(path, method) for path, methods in described.items() for method in methods} == served


def test_the_description_needs_the_token_too(tmp_path: Path) -> None:
    with asking(config_for(tmp_path / "photos")) as page:
        phone = TestClient(page.client.app, base_url="http://127.0.0.1:8600")
        assert phone.get("/api/openapi.json").status_code == 401
        phone.headers["Authorization"] = f"Bearer {PHONE}"
        assert phone.get("/api/openapi.json").status_code == 403


def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    """But that what fits the description is refused: which photos and classes there are, none can describe."""
    program = Path(sys.executable).with_name("schemathesis")
    if not program.is_file():
        pytest.skip("no schemathesis, which is in the extra dev")
    paint_classes(tmp_path / "photos", {"red": "red", "blue": "blue"}, range(4))
    with opened(tmp_path / "photos") as server:
        done = subprocess.run(
            [program, "run", f"{server.url}api/openapi.json", "--max-examples", "5", "--seed", "1",
             "--header", f"Authorization: Bearer {TOKEN}",
             "--exclude-checks", "positive_data_acceptance", "--phases", "coverage,fuzzing"],
            capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"}, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-6000:]
        assert re.search(r"Tested: 25\b", done.stdout), done.stdout[-3000:]
        code, said = server.end()
    assert code == 0 and "Traceback" not in said, said
