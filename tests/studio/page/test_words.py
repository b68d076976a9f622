"""Both languages have every word, in the same forms; numbers and counts are those of the language."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from in_node import Node, module, node

PAGE = Path(__file__).resolve().parents[3] / "retrain" / "studio" / "page"
ANSWER = f"""
    const {{ LANGUAGES, languageOf, speaker }} = await import({module(PAGE / "words.js")});
    return ({{ what, values }}) => {{
        if (what === "words") return LANGUAGES;
        if (what === "language") return languageOf(values);
        const {{ language, key, values: filled }} = values;
        return speaker(language, new Intl.NumberFormat(language))(key, filled);
    }};
"""
Words = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def answer() -> Iterator[Node]:
    with node(ANSWER) as found:
        yield found


@pytest.fixture(scope="module")
def words(answer: Node) -> Words:
    found: Words = answer(what="words", values=None)
    return found


def texts(word: Any) -> list[str]:
    return [word] if isinstance(word, str) else list(word.values())


def test_languages_have_the_same_words_in_the_same_order(words: Words) -> None:
    assert list(words) == ["en", "pt"]
    assert list(words["en"]) == list(words["pt"]) and len(words["en"]) > 150


def test_languages_fill_in_the_same_values(words: Words) -> None:
    def filled(word: Any) -> set[str]:
        return set(re.findall(r"\{(\w+)\}", " ".join(texts(word))))

    different = [key for key in words["en"] if filled(words["en"][key]) != filled(words["pt"][key])]
    assert different == []
    assert [key for key in words["en"] if isinstance(words["en"][key], str) != isinstance(words["pt"][key], str)] == []


def test_no_word_was_left_in_english(words: Words) -> None:
    alike = {key for key in words["en"] if words["en"][key] == words["pt"][key]}
    assert alike == {"webcam", "classes", "guessIs", "pointsIs"}


def test_terms_are_those_of_brazilian_courses(words: Words) -> None:
    told = " ".join(text for word in words["pt"].values() for text in texts(word)).lower()
    assert all(term in told for term in ("rótulo", "classe", "acurácia", "matriz de confusão", "treinar"))
    assert not re.search(r"\b(telemóvel|ecrã|ficheiro|etiqueta|precisão)\b", told)


def test_every_word_that_the_page_asks_for_is_there_and_no_other(words: Words) -> None:
    code = {file.name: file.read_text() for file in PAGE.rglob("*.js") if not file.name.startswith("words")}
    asked = {key for text in code.values() for key in re.findall(r'\bsay\(\s*"(\w+)"', text)}
    assert asked - set(words["en"]) == set()
    in_page = (PAGE / "index.html").read_text()
    named = set(re.findall(r'"(\w+)"', " ".join(code.values()))) | set(re.findall(r'data-words="(\w+)"', in_page))
    built = {key for key in words["en"] if key.startswith("did_") or key.endswith(("Tab", "Class", "Example"))}
    of_camera = {"insecure", "noCamera", "refused", "busy"}
    assert set(words["en"]) - named - built - of_camera == set()


@pytest.mark.parametrize(
    ("preferred", "language"),
    [(["pt-BR", "en"], "pt"), (["de", "pt"], "pt"), (["en-GB", "pt"], "en"), (["de"], "en"), ([None, "PT"], "pt"),
     (["constructor"], "en")],
)  # fmt: skip
def test_the_language_is_the_first_that_is_spoken(answer: Node, preferred: list[str], language: str) -> None:
    assert answer(what="language", values=preferred) == language


@pytest.mark.parametrize(
    ("language", "count", "said"),
    [("en", 0, "no photos"), ("en", 1, "1 photo"), ("en", 5000, "5,000 photos"), ("pt", 0, "nenhuma foto"), 
     ("pt", 1, "1 foto"), ("pt", 50000, "50.000 fotos")],
)  # fmt: skip
def test_counts_have_their_form(answer: Node, language: str, count: int, said: str) -> None:
    assert answer(what="say", values={"language": language, "key": "photos", "values": {"count": count}}) == said
