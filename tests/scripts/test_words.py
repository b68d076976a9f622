"""What pages say is there in every language: each message of the code is translated, and nothing else is."""

import ast
import re
import string

import pytest
from babel.messages.catalog import Catalog, Message
from words import KEYWORDS, ROOT, catalogue_in, extract, first, said

from retrain.core.language import ENGLISH, LANGUAGES, LOCALES

TRANSLATED = [language for language in LANGUAGES if language != ENGLISH]
MARKUP = re.compile(r"</?\w+>")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """All messages of the code."""
    return extract(tmp_path_factory.mktemp("words") / "messages.pot")


@pytest.fixture(scope="module", params=TRANSLATED)
def catalogue(request: pytest.FixtureRequest) -> Catalog:
    return catalogue_in(LOCALES / f"{request.param}.po")


def forms(text: "str | tuple[str, ...] | list[str]") -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


def messages(catalogue: Catalog) -> list[Message]:
    return [message for message in catalogue if message.id]


def ids(catalogue: Catalog) -> set[tuple[str, ...]]:
    return {forms(message.id) for message in messages(catalogue)}


def fields(text: str) -> set[str]:
    """The placeholders of a message, with their formats."""
    return {f"{name}:{form}" for _, name, form, _ in string.Formatter().parse(text) if name is not None}


def test_each_language_has_a_catalogue() -> None:
    assert {path.stem for path in LOCALES.glob("*.po")} == set(TRANSLATED)


def test_none_is_missing_and_none_is_left_over(template: Catalog, catalogue: Catalog) -> None:
    assert len(messages(template)) > 80
    assert ids(template) - ids(catalogue) == set(), "run `make words`, and translate"
    assert ids(catalogue) - ids(template) == set(), "run `make words`"
    assert list(catalogue.obsolete) == []


def test_each_is_translated_in_all_its_forms(catalogue: Catalog) -> None:
    plural = catalogue.num_plurals
    assert [first(one.id) for one in messages(catalogue) if not said(one.string)] == []
    assert [first(one.id) for one in messages(catalogue) if one.fuzzy] == []
    assert [
        first(one.id) for one in messages(catalogue) if isinstance(one.id, tuple) and len(forms(one.string)) != plural
    ] == []


def test_placeholders_are_the_same(catalogue: Catalog) -> None:
    wrong = {}
    for one in messages(catalogue):
        expected = set().union(*map(fields, forms(one.id)))
        for text in forms(one.string):
            # Of one thing a language may say so without its number.
            if fields(text) != expected and not (isinstance(one.id, tuple) and fields(text) | {"count:", "count:,"}
                                                 >= expected >= fields(text)):  # fmt: skip
                wrong[text] = expected
    assert wrong == {}


def test_markup_is_the_same_and_fits_into_attributes(catalogue: Catalog) -> None:
    for one in messages(catalogue):
        for text in forms(one.string):
            assert sorted(MARKUP.findall(text)) == sorted(MARKUP.findall(first(one.id))), text
            assert '"' not in text, text


def test_no_message_hides_where_babel_does_not_look() -> None:
    """Inside of an f-string, or chosen by `if` within the call, which would make one message of two."""
    takers = {keyword.partition(":")[0] for keyword in KEYWORDS}
    hidden = []
    for path in (ROOT / "retrain").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        inside = {id(one) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for one in ast.walk(node)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in takers and node.args:
                literal = isinstance(node.args[0], ast.Constant)
                if (literal and id(node) in inside) or isinstance(node.args[0], (ast.IfExp, ast.JoinedStr)):
                    hidden.append(f"{path.name}:{node.lineno}")
    assert hidden == []


def test_messages_are_found_wherever_they_are(template: Catalog) -> None:
    assert ("They are left out of everything.",) in ids(template)  # a constant
    assert ("Enlarge {photo}",) in ids(template)  # in an attribute of a template
    assert ("Accept the suggestion", "Accept all {count:,} suggestions") in ids(template)
    assert any(text[0].endswith("hard photos are the useful ones.") for text in ids(template))
