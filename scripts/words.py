"""Bring the catalogues of what pages say, retrain/locales/*.po, up to what the code says; say what is to be translated.

    make words

Messages that are new stand there without a translation, those that are not said any more are gone. Where messages are
looked for is in pyproject.toml, `tool.babel`.
"""

import os
import sys
import tempfile
from pathlib import Path

import click
from babel.messages.catalog import Catalog
from babel.messages.frontend import CommandLineInterface
from babel.messages.pofile import read_po

from retrain.core.language import ENGLISH, LANGUAGES, LOCALES, TAGS

ROOT = Path(__file__).resolve().parents[1]
# What takes messages, in templates and in Python; the numbers are the places of one message for one and for many.
KEYWORDS = ("_", "ngettext:1,2", "translated", "translated_count:1,2", "translatable", "message", "message_count:1,2")


def pybabel(*arguments: str) -> None:
    """Run a command of Babel's."""
    CommandLineInterface().run(["pybabel", "--quiet", *arguments])


def extract(template: Path) -> Catalog:
    """Write all messages of the code to a template; returns them."""
    keywords = [part for keyword in KEYWORDS for part in ("--keyword", keyword)]
    pybabel("extract", "--no-default-keywords", *keywords, "--mapping-file", str(ROOT / "pyproject.toml"),
            "--project", "retrain", "--add-location", "file", "--no-wrap", "--output-file", str(template),
            os.path.relpath(ROOT / "retrain"))  # fmt: skip
    return catalogue_in(template)


def catalogue_in(path: Path) -> Catalog:
    """What a file of messages holds."""
    with path.open("rb") as file:
        return read_po(file)


def update(template: Path, language: str) -> list[str]:
    """Bring the catalogue of a language up to the template; returns the messages without translation."""
    path = LOCALES / f"{language}.po"
    locale = TAGS[language].replace("-", "_")
    if path.exists():
        pybabel("update", "--no-fuzzy-matching", "--ignore-obsolete", "--no-wrap", "--ignore-pot-creation-date",
                "--locale", locale, "--input-file", str(template), "--output-file", str(path))  # fmt: skip
    else:
        pybabel("init", "--no-wrap", "--locale", locale, "--input-file", str(template), "--output-file", str(path))
    return [first(message.id) for message in catalogue_in(path) if message.id and not said(message.string)]


def first(text: "str | tuple[str, ...] | list[str]") -> str:
    """The message for one, where there are several."""
    return text if isinstance(text, str) else text[0]


def said(translation: "str | tuple[str, ...] | list[str] | None") -> bool:
    """Whether each form of a translation is there."""
    return all((translation,) if isinstance(translation, str) else translation or ("",))


@click.command()
def main() -> None:
    """Bring retrain/locales/*.po up to what the code says, and say what is to be translated."""
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder) / "messages.pot"
        extract(template)
        missing = {language: update(template, language) for language in LANGUAGES if language != ENGLISH}
    for language, messages in missing.items():
        print(f"retrain/locales/{language}.po: {len(messages)} messages without translation.")
        print(*(f"  {text}" for text in messages), sep="\n", end="\n" if messages else "")
    sys.exit(any(missing.values()))


if __name__ == "__main__":
    main()
