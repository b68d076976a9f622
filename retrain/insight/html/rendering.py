"""From templates to HTML, with everything escaped that comes from outside, in the language of the moment.

`_("… {photos:,} …", photos=n)` and `ngettext(one, many, count)` are `translated` and `translated_count` in templates:
messages may hold markup, values are escaped.
"""

import base64
import hashlib
import os
import re
from functools import cache
from numbers import Real
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from retrain.core.language import TAGS, figure, language_now, translated, translated_count
from retrain.insight.retold import retold
from retrain.photos.fixes import KEEP, RELABEL, REMOVE

TEMPLATES = Path(__file__).parent / "templates"
LONGEST_NAME = 60  # letters of a class name; its tooltip has all


def render(template: str, **values: object) -> str:
    """Fill a template of this package."""
    return _environment().get_template(template).render(**values)


def script(name: str) -> tuple[str, str]:
    """A script of this package, and what a page's content security policy calls it."""
    text = (TEMPLATES / name).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return text, f"sha256-{digest}"


def shown(text: str | os.PathLike[str]) -> str:
    """Text or a path as UTF-8 can hold it: bytes of a file name that are no text as `\\xff`."""
    return os.fsencode(text).decode(errors="backslashreplace")


def brief(name: str) -> str:
    """A name of at most `LONGEST_NAME` letters; a longer one ends in an ellipsis."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def source_name(source: str | os.PathLike[str]) -> str:
    """What the photos are called: the last part of where they are."""
    return shown(os.path.basename(os.path.abspath(source)) if os.path.exists(source) else source)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=_percent, width=_width, count=_count, figure=figure, shown=shown, file=_file, parts=_parts,
        brief=brief, action=_action, retold=retold,
    )  # fmt: skip
    environment.globals.update(_=_translated, ngettext=_translated_count, language_tag=_language_tag)
    return environment


def _percent(share: float | None, digits: int = 1) -> str:
    """0.855 as 85.5%; nothing where there is no figure."""
    return "–" if share is None else figure(share, f".{digits}%")


def _width(share: float, digits: int = 1) -> str:
    """A share as a style sheet takes it, whatever the language."""
    return f"{share:.{digits}%}"


def _count(number: int) -> str:
    return figure(number, ",")


def _action(action: str) -> str:
    """What is done by keep, remove or relabel:CLASS of fixes.csv, in words."""
    label = action.removeprefix(RELABEL)
    if label != action:
        return translated("Relabel as {label}", label=label)
    return {KEEP: translated("Keep"), REMOVE: translated("Remove")}[action]


def _translated(text: str, **values: object) -> Markup:
    return Markup(translated(text, **_escaped(values)))


def _translated_count(one: str, many: str, count: int, **values: object) -> Markup:
    return Markup(translated_count(one, many, count, **_escaped(values)))


def _escaped(values: dict[str, object]) -> dict[str, object]:
    """Texts as HTML; numbers as they are, for they are still to be written."""
    return {name: value if isinstance(value, Real) else escape(value) for name, value in values.items()}


def _language_tag() -> str:
    return TAGS[language_now()]


def _file(path: str) -> str:
    """The last two parts of a path, which say class and photo."""
    return shown(os.path.join(*Path(path).parts[-2:])) if path else ""


def _parts(name: str) -> list[str]:
    """Where a long name may be broken."""
    return re.findall(r"[^_/]*[_/]|[^_/]+", name)
