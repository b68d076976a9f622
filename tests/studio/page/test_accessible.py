"""axe-core finds nothing in any view, light or dark, on a desk or on a phone; and the focus is never lost."""

import json
from pathlib import Path

import pytest
from chromium import Page
from studio_page import Opening, at
from studio_stand_in import filled
from studio_views import full, views

AXE = Path(__file__).resolve().parents[3] / "web" / "node_modules" / "axe-core" / "axe.min.js"
RUN = """axe.run(document, {resultTypes: ["violations"]}).then(({violations}) => violations.map(({id, nodes}) => {
    const told = nodes.slice(0, 4).map(({html, any}) => `${html.slice(0, 160)} ${any[0]?.message ?? ""}`);
    return `${id}: ${told.join(" | ")}`;
}))"""
AT = "document.activeElement"

pytestmark = pytest.mark.browser


@pytest.fixture
def axe() -> str:
    if not AXE.is_file():
        pytest.skip("no axe-core: make web-runtime installs what package-lock.json has")
    return AXE.read_text()


def violations(page: Page, axe: str) -> list[str]:
    if not page.run("typeof axe === 'object'"):
        page.run(axe)
    found: list[str] = page.run(RUN)
    return found


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_axe_finds_nothing(opened: Opening, axe: str, tmp_path: Path, width: int, scheme: str) -> None:
    found = {}
    for name, page in views(opened, opened.serve(full()), tmp_path, width=width, scheme=scheme):
        found[name] = violations(page, axe)
    assert len(found) >= 14
    assert {name: told for name, told in found.items() if told} == {}


def test_axe_finds_nothing_on_the_phones_page(opened: Opening, axe: str) -> None:
    page = opened(filled({"siamese": 1, "tabby": 1}), "collect/", width=390)
    assert violations(page, axe) == []
    page.press("[data-key=live]")
    page.wait("document.querySelector('.live-camera')?.readyState > 1")
    assert violations(page, axe) == []


def test_axe_sees_faults(opened: Opening, axe: str) -> None:
    page = opened(filled({"siamese": 1, "tabby": 1}))
    picture = "Object.assign(new Image(), {src: '/icon.svg'})"
    page.run(f"document.querySelector('#view').append(document.createElement('button'), {picture})")
    assert [told.partition(":")[0] for told in violations(page, axe)] == ["button-name", "image-alt"]


def test_the_focus_is_never_lost(opened: Opening) -> None:
    page = opened(filled({"siamese": 2, "tabby": 3}, unlabelled=1))
    focus = "(at => at === document.body ? '' : at.dataset.key ?? at.id)(document.activeElement)"
    steps = {
        "a class": ("[data-key='class/tabby']", "class/tabby"),
        "train": ("[data-key=train]", "train"),
        "undo": ("#undo", "undo"),
    }
    for selector, expected in steps.values():
        page.run(f"document.querySelector({json.dumps(selector)}).focus()")
        page.key("Enter")
        page.wait("document.querySelector('#work').textContent === ''")
        assert page.run(focus) in (expected, "train-heading"), selector
    at(page, "class", "tabby")
    page.run("document.querySelector('#grid').focus()")
    for key in ("a", "Delete"):
        page.key(key, *(["Control"] if key == "a" else []))
    page.wait("document.querySelectorAll('.tile').length === 0")
    assert page.run("document.activeElement !== document.body")


def test_all_is_reached_by_tab_and_the_focus_is_seen(opened: Opening) -> None:
    page = opened(filled({"siamese": 2, "tabby": 3}))
    page.wait("document.querySelectorAll('.tile').length === 5")
    reached = []
    for _ in range(40):
        page.key("Tab")
        reached.append(
            page.run("(at => at.dataset.key ?? (at.id || at.outerHTML.slice(0, 80)))(document.activeElement)")
        )
        if len(reached) > 3 and page.run("document.activeElement === document.body"):
            break
        if reached[-1] != "grid":
            assert page.run("getComputedStyle(document.activeElement).outlineStyle") in ("solid", "auto"), reached[-1]
    assert {"skip", "all/", "class/tabby", "new-class", "doctor/", "webcam", "grid", "train"} <= set(reached)
