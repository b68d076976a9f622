"""One application that most of these tests ask, and photos for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import client_of, photo
from starlette.testclient import TestClient


@pytest.fixture(scope="session")
def red() -> bytes:
    return photo((220, 30, 30))


@pytest.fixture(scope="session")
def blue() -> bytes:
    return photo((30, 30, 220))


@pytest.fixture(scope="session")
def colours(trained: Path) -> Path:
    return trained


@pytest.fixture(scope="module")
def client(colours: Path) -> Iterator[TestClient]:
    with client_of(colours) as client:
        yield client
