"""The languages that pages speak. A message is an English sentence; `retrain/locales/pt.po` has the others' (Babel).

Values stand in braces and carry their own format, `{accuracy:.1%} of {photos:,} photos`, by which numbers are written
as the language writes them. English is what Python makes of that, and loads no Babel. The language is that of a
context: a thread that is started begins in English, and says `in_language` itself.
"""

import gettext
import os
import string
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrain.core.errors import OptionError

if TYPE_CHECKING:
    from babel import Locale

ENGLISH = "en"
LANGUAGES = (ENGLISH, "pt")
TAGS = {ENGLISH: "en", "pt": "pt-BR"}  # which kind of each it is, as HTML says it
LOCALES = Path(__file__).parents[1] / "locales"

_spoken: ContextVar[str] = ContextVar("language", default=ENGLISH)


@dataclass(frozen=True)
class Message:
    """A sentence that is not said yet: `str` of it is in the language of that moment. `message` makes one.

    Values may be messages, too. One that depends on a number has it as `count`, and `many` for all numbers but one.
    """

    text: str
    values: tuple[tuple[str, object], ...] = ()
    many: str = ""
    count: int | None = None

    def __str__(self) -> str:
        values = dict(self.values)
        if self.count is None:
            return translated(self.text, **values)
        return translated_count(self.text, self.many, self.count, **values)


@contextmanager
def in_language(language: str) -> Iterator[None]:
    """Within it, everything is said in this one of LANGUAGES. Raises OptionError if it is none of them."""
    if language not in LANGUAGES:
        raise OptionError(f"`lang` {language!r} is not known; choose from {', '.join(LANGUAGES)}.")
    before = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(before)


def language_now() -> str:
    """That of the moment, one of LANGUAGES."""
    return _spoken.get()


def language_of_user(environment: Mapping[str, str] = os.environ) -> str:
    """That of the user's locale, as gettext finds it, if it is one of LANGUAGES; else English."""
    told = [environment.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG")]
    locale = next(filter(None, told), "C")
    wanted = [*environment.get("LANGUAGE", "").split(":"), locale]
    if locale.partition(".")[0] in ("C", "POSIX"):  # where nothing is to be translated
        return ENGLISH
    known = (name.replace("-", "_").partition("_")[0].partition(".")[0].lower() for name in wanted)
    return next((name for name in known if name in LANGUAGES), ENGLISH)


def translatable(text: str) -> str:
    """The text as it is: marks a constant that is translated where it is used."""
    return text


def message(text: str, /, **values: object) -> Message:
    """A sentence with its values, to be said later."""
    return Message(text, tuple(values.items()))


def message_count(one: str, many: str, count: int, /, **values: object) -> Message:
    """A sentence about `count` things, to be said later."""
    return Message(one, tuple(values.items()), many, count)


def translated(text: str, /, **values: object) -> str:
    """A sentence in the language of the moment; in English where that language lacks it."""
    language = _spoken.get()
    said = text if language == ENGLISH else _catalogue(language).sentence(text)
    return _filled(said, values) if values else said


def translated_count(one: str, many: str, count: int, /, **values: object) -> str:
    """A sentence about `count` things, which is one of its values, as the language counts."""
    language = _spoken.get()
    english = one if count == 1 else many
    said = english if language == ENGLISH else _catalogue(language).counted(one, many, count)
    return _filled(said, {"count": count, **values})


def figure(value: float | Real, form: str = "") -> str:
    """A number by a format of Python's, such as `,.1f` or `.0%`, with the signs of the language: 1.234,5 and 85,5%."""
    written, language = format(value, form), _spoken.get()
    if language == ENGLISH:
        return written
    number, percent, _ = written.partition("%")
    return number.translate(_signs(language)) + (_percent_sign(language) if percent else "")


def moment(when: datetime) -> str:
    """A date and a time of day, to the minute."""
    language = _spoken.get()
    if language == ENGLISH:
        return when.strftime("%Y-%m-%d %H:%M")
    from babel.dates import format_datetime

    return format_datetime(when, "short", locale=_locale(language))


class _Figures(string.Formatter):
    """`str.format` with the figures of the language."""

    def format_field(self, value: Any, format_spec: str) -> str:
        return figure(value, format_spec) if isinstance(value, Real) else format(value, format_spec)


def _filled(said: str, values: Mapping[str, object]) -> str:
    return _Figures().vformat(said, (), values)


@dataclass(frozen=True)
class _Catalogue:
    """The translations of a language, with a form for each way of counting; `form_of` a number it is one of them."""

    forms: Mapping[str, tuple[str, ...]]
    form_of: Callable[[int], int]

    def sentence(self, text: str) -> str:
        return self._form(text, 0) or text

    def counted(self, one: str, many: str, count: int) -> str:
        return self._form(one, self.form_of(count)) or (one if count == 1 else many)

    def _form(self, text: str, form: int) -> str:
        forms = self.forms.get(text, ())
        return forms[form] if form < len(forms) else ""


@cache
def _catalogue(language: str) -> _Catalogue:
    """The catalogue of a language, read once (pt: 30 ms); by the English sentence, or the one for one thing."""
    from babel.messages.pofile import read_po

    with (LOCALES / f"{language}.po").open("rb") as file:
        catalogue = read_po(file)
    forms = {}
    for entry in catalogue:
        if entry.id and entry.string and not entry.fuzzy:
            english = entry.id if isinstance(entry.id, str) else entry.id[0]
            forms[english] = (entry.string,) if isinstance(entry.string, str) else tuple(entry.string)
    return _Catalogue(forms, gettext.c2py(catalogue.plural_expr))


@cache
def _locale(language: str) -> "Locale":
    from babel import Locale

    return Locale.parse(TAGS[language], sep="-")


@cache
def _signs(language: str) -> dict[int, str]:
    """From the signs in Python's numbers to those of the language."""
    from babel.numbers import get_decimal_symbol, get_group_symbol

    locale = _locale(language)
    return str.maketrans({".": get_decimal_symbol(locale), ",": get_group_symbol(locale)})


@cache
def _percent_sign(language: str) -> str:
    """With the space before it, where there is one."""
    suffix: str = _locale(language).percent_formats[None].suffix[0]
    return suffix
