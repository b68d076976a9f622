"""The one style sheet: its colours can be read in the light and in the dark (WCAG 2.2, AA), and it is the only one."""

import re
from pathlib import Path

import pytest

from retrain.insight.html.rendering import TEMPLATES

STYLE = (TEMPLATES / "style.css").read_text(encoding="utf-8")
LIGHT, DARK = (
    dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block)) for block in re.findall(r":root \{(.*?)\}", STYLE, re.S)
)
LEAST = 4.5  # of text


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_by_hand() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_can_be_read(scheme: dict[str, str]) -> None:
    pairs = [(text, ground) for text in ("ink", "quiet", "blue", "good", "bad") for ground in ("ground", "card")]
    pairs += [("ink", "well"), ("quiet", "well"), ("ink", "tint"), ("strong", "blue")]
    found = {pair: contrast(scheme[pair[0]], scheme[pair[1]]) for pair in pairs}
    assert {pair: round(one, 2) for pair, one in found.items() if one < LEAST} == {}


def test_both_schemes_have_the_same_colours() -> None:
    assert LIGHT.keys() == DARK.keys() and len(LIGHT) >= 11


def test_there_is_no_other_style_sheet() -> None:
    root = Path(__file__).parents[3] / "retrain" / "insight"
    assert [path.name for path in root.rglob("*.css")] == ["style.css"]
    pages = [path for path in root.rglob("*.html") if "<style>" in path.read_text(encoding="utf-8")]
    assert [path.name for path in pages] == ["base.html"]
