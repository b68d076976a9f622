"""Text in pictures: class names with any letters, drawn with Pillow in a font that is already there.

The fonts of the system come first, then the one that matplotlib brings. A container often has neither;
then Pillow's own font, which ends at ASCII, and names without their accents: Sao Joao for São João.
"""

import functools
import unicodedata
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from PIL import ImageFont

# Looked for where the system keeps its fonts. Those with most letters and most often there come first.
SYSTEM = (
    # Linux
    "DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "FreeSans.ttf", "NotoSansCJK-Regular.ttc",
    "wqy-zenhei.ttc", "DroidSansFallbackFull.ttf", "unifont.ttf",
    # macOS
    "Arial.ttf", "Helvetica.ttc", "Arial Unicode.ttf",
    # Windows
    "segoeui.ttf", "arial.ttf", "msyh.ttc", "YuGothM.ttc", "malgun.ttf", "seguisym.ttf",
)  # fmt: skip
UNASSIGNED = "\U0010ffff"  # no font has it: drawn as the box that stands for a missing letter
UNKNOWN = "?"
ELLIPSIS = "…"
# Unicode's categories of what only changes its neighbours: accents, and characters that show nothing.
SILENT = frozenset({"Mn", "Me", "Cf"})

Font = ImageFont.FreeTypeFont


def typeset(text: str, size: int) -> tuple[str, Font]:
    """A text as it can be drawn, and the font for it, of that size in pixels."""
    text = printable(text)
    font = font_for(text, size)
    return drawable(text, font), font


def printable(text: str) -> str:
    """A text on one line, its accents joined to their letters (macOS's file names have them apart)."""
    return unicodedata.normalize("NFC", " ".join(text.split()))


def font_for(text: str, size: int) -> Font:
    """The first font that has all letters of a text, or else the one that lacks fewest."""
    fewest, best = len(text) + 1, None
    for font in _fonts(size):
        lacking = len(_missing(text, font))
        if lacking < fewest:
            fewest, best = lacking, font
        if not lacking:
            break
    assert best is not None  # Pillow's own font is always there
    return best


def drawable(text: str, font: Font) -> str:
    """A text without the accents and ligatures that a font lacks; "?" for each other letter it lacks."""
    missing = _missing(text, font)
    return "".join(_plainer(letter, font) if letter in missing else letter for letter in text)


def shortened(text: str, font: Font, width: float) -> str:
    """A text cut to so many pixels, with an ellipsis where something is missing."""
    if font.getlength(text) <= width:
        return text
    ellipsis = drawable(ELLIPSIS, font)
    # The longest beginning that fits, by bisection.
    fits, too_long = 0, len(text)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if font.getlength(text[:middle].rstrip() + ellipsis) <= width:
            fits = middle
        else:
            too_long = middle
    return text[:fits].rstrip() + ellipsis


def wrapped(text: str, font: Font, width: float) -> list[str]:
    """A text on lines of so many pixels, broken between words; a word that is too long is shortened."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(shortened(word, font, width))
    return [line for line in lines if line] or [""]


def _fonts(size: int) -> Iterator[Font]:
    for name in candidates():
        font = _load(name, size)
        if font:
            yield font
    yield _pillows_own(size)


@functools.cache
def candidates() -> tuple[str, ...]:
    """Names and paths of the fonts to try, the best first."""
    matplotlib = find_spec("matplotlib")  # without importing it
    folders = (matplotlib.submodule_search_locations if matplotlib else None) or []
    return (*SYSTEM, *(str(Path(folder, "mpl-data/fonts/ttf/DejaVuSans.ttf")) for folder in folders))


@functools.lru_cache(maxsize=128)
def _load(name: str, size: int) -> Font | None:
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None


@functools.lru_cache(maxsize=8)
def _pillows_own(size: int) -> Font:
    font = ImageFont.load_default(size)
    assert isinstance(font, Font)  # whenever a size is given
    return font


def _missing(text: str, font: Font) -> set[str]:
    """Those letters of a text that a font draws as its box."""
    box = _drawn(font, UNASSIGNED)
    return {letter for letter in set(text) if _drawn(font, letter) == box}


def _plainer(letter: str, font: Font) -> str:
    """What stands for a letter that a font lacks: its parts in Unicode (NFKD) less the accents."""
    parts = [part for part in unicodedata.normalize("NFKD", letter) if unicodedata.category(part) not in SILENT]
    missing = _missing("".join(parts), font)
    return "".join(UNKNOWN if part in missing else part for part in parts)


def _drawn(font: Font, letter: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(letter)
    return mask.size, bytes(mask)
