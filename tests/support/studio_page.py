"""The studio's page in a browser, against a server that is made up."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from chromium import Browser, Page
from studio_stand_in import Served, Studio


class Opening:
    """Opens the page of a studio; what it opened is closed in the end."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.servers: list[Served] = []
        self.pages: list[Page] = []

    def serve(self, studio: Studio) -> Served:
        self.servers.append(Served(studio))
        return self.servers[-1]

    def __call__(self, where: Studio | Served, path: str = "", width: int = 1280, **options: str) -> Page:
        server = self.serve(where) if isinstance(where, Studio) else where
        page = self.browser.open(f"{server.url}{path}", width, 844 if width < 800 else 900, **options)
        self.pages.append(page)
        page.wait("document.body?.dataset.ready")
        return page


@contextmanager
def opening(browser: Browser) -> Iterator[Opening]:
    """Open pages until the end of the block; no page may have said an error by then."""
    browser.said.clear()
    found, said = Opening(browser), []
    try:
        yield found
        said = list(browser.said)  # before pages close, which may end requests that they wait for
    finally:
        for page in found.pages:
            page.close()
        for server in found.servers:
            server.stop()
    assert said == [], said


def at(page: Page, kind: str, label: str = "") -> None:
    """Look at a class, or at all, unlabelled, doctor."""
    selector = f'.rail [data-key="{kind}/{label}"]'
    item = f"document.querySelector({json.dumps(selector)})"
    page.wait(f"{item} !== null")
    page.run(f"{item}.click()")


def shown(page: Page) -> list[str]:
    """The names of the photos in the grid, in order."""
    names: list[str] = page.run(
        "[...document.querySelectorAll('.tile')].sort((a, b) => a.ariaPosInSet - b.ariaPosInSet).map(e => e.title)"
    )
    return names
