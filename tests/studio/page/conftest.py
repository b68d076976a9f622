from collections.abc import Iterator

import pytest
from chromium import Browser, chromium
from studio_page import Opening, opening


@pytest.fixture(scope="session")
def running(browser: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests of the page."""
    with chromium(browser, tmp_path_factory.mktemp("browser") / "profile") as found:
        yield found


@pytest.fixture
def opened(running: Browser) -> Iterator[Opening]:
    with opening(running) as found:
        yield found
