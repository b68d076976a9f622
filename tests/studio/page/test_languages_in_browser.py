"""Whatever can be read on the page, or heard, is in the words of its language."""

import re
from pathlib import Path

import pytest
from chromium import Page
from studio_page import Opening
from studio_stand_in import PAGE, filled
from studio_views import full, views

pytestmark = pytest.mark.browser
# Text that is seen or heard, except what people and the server wrote: names, and sentences of the server.
SAID = r"""(() => {
    const said = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const element = node instanceof Element ? node : node.parentElement;
        if (element.closest("noscript, [data-data], kbd")) continue;
        if (node instanceof Element) {
            for (const name of ["aria-label", "placeholder", "alt", "title"]) {
                const isName = name === "title" && element.matches(".tile, bdi, #undo");
                if (!isName) said.push(element.getAttribute(name) ?? "");
            }
        } else if (!element.closest("bdi")) said.push(node.textContent);
    }
    return said.filter((text) => /\p{L}/u.test(text));
})()"""
NAMES = ("bengal", "siamese", "tabby", "cats")
FILES = re.compile(r"[\w-]+\.(jpg|png)")


def foreign(page: Page) -> set[str]:
    """What is left of all that is said without what stands within «»."""
    rest = {re.sub("«.*»", "", text, flags=re.S) for text in page.run(SAID)}
    for name in NAMES:
        rest = {text.replace(name, "") for text in rest}
    return {text for text in rest if re.search(r"[^\W\d_]", FILES.sub("", text))}


def marked(language: str) -> bytes:
    """The words of a language, each within «»."""
    text = (PAGE / f"words_{language}.js").read_text()
    return re.sub(r':(\s+)"((?:[^"\\]|\\.)*)"', r':\1"«\2»"', text).encode()


def test_nothing_is_said_outside_of_the_words(opened: Opening, tmp_path: Path) -> None:
    studio = full()
    studio.files["words_pt.js"] = marked("pt")
    seen = {}
    for name, page in views(opened, opened.serve(studio), tmp_path, path="?lang=pt", width=390):
        if name != "nothing yet":
            seen[name] = foreign(page)
    assert len(seen) >= 13
    assert {name: texts for name, texts in seen.items() if texts} == {}


def test_what_is_outside_is_seen(opened: Opening) -> None:
    studio = filled({"siamese": 1, "tabby": 1})
    studio.files["words_pt.js"] = marked("pt")
    page = opened(studio, "?lang=pt")
    page.run("document.querySelector('#view').append('Left in English')")
    assert foreign(page) == {"Left in English"}


def test_the_language_is_the_browsers_until_another_is_chosen(opened: Opening) -> None:
    server = opened.serve(filled({"siamese": 1, "tabby": 1}))
    page = opened(server, language="pt-BR")
    assert page.text("#train-heading") == "Treinar"
    assert page.run("document.documentElement.lang") == "pt-BR"
    page.run("[...document.querySelectorAll('.languages button')].find(e => e.lang === 'en').click()")
    page.wait("document.querySelector('#train-heading')?.textContent === 'Train' && document.body.dataset.ready")
    again = opened(server, language="pt-BR")
    assert again.text("#train-heading") == "Train"
    asked = opened(server, "?lang=pt", language="en-GB")
    assert asked.text("#train-heading") == "Treinar"
    asked.run("localStorage.clear()")
