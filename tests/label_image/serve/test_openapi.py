"""The description is true: schemathesis asks by it, and by what it does not allow."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from serving import client_of, served
from starlette.testclient import TestClient

from label_image.serve.guard import Access


def test_all_routes_are_described(client: TestClient) -> None:
    described = client.get("/openapi.json").json()["paths"]
    served = {
        (route.path, method.lower())
        for route in client.app.routes  # type: ignore[attr-defined]
        for method in route.methods - {"HEAD"}
        if route.path not in ("/{path:path}", "/ca.crt")
    }
    assert {(path, method) for path, methods in described.items() for method in methods} == served


def test_the_token_is_described_where_there_is_one(colours: Path) -> None:
    with client_of(colours, Access(token="x")) as client:
        content = client.get("/openapi.json").json()
    assert content["security"] == [{"token": []}]
    assert content["paths"]["/v2/health/live"]["get"]["security"] == []


def test_schemathesis_finds_nothing(colours: Path, tmp_path: Path) -> None:
    """But that what fits the description is refused: none can say which bytes are a photo."""
    program = Path(sys.executable).with_name("schemathesis")
    if not program.is_file():
        pytest.skip("no schemathesis, which is in the extra dev")
    with served(colours) as server:
        done = subprocess.run(
            [program, "run", f"{server.url}openapi.json", "--max-examples", "5", "--seed", "1",
             "--exclude-checks", "positive_data_acceptance", "--phases", "coverage,fuzzing"],
            capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"}, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-5000:]
        assert re.search(r"Tested: 20\b", done.stdout)
        code, said = server.end()
        assert code == 0 and "Traceback" not in said
