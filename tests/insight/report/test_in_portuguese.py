"""The pages in Portuguese: nothing on them is left in English, and their numbers are written as there."""

import html
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from words import catalogue_in

from retrain.core.language import LOCALES, in_language
from retrain.insight.doctor.diagnose import diagnose
from retrain.insight.doctor.findings import KINDS, Diagnosis, Finding
from retrain.insight.doctor.pages import render_page
from retrain.insight.report.page import report_html
from retrain.insight.report.sweep_page import sweep_html
from retrain.photos.dataset import Skipped
from retrain.photos.source import SourceConfig
from retrain.runs.sweep import SweepConfig
from retrain.runs.train import Run
from retrain.training.grid import Grid

CLASSES = ("gato", "lobo", "onça")
GRID = Grid(("small", "big"), {}, l2=(1.0, 0.1, 0.01), hidden_units=((), (64, 32)))
# What programs read, and what the user typed.
NOT_WORDS = re.compile(
    r"<(style|script|pre|code)\b.*?</\1>|<th scope=\"row\">.*?</th>|<(a|b) .*?>|"
    r"(class|id|href|src|data-(kind|all|action|suggestion|file|class)|role|scope|style|type|content|name)=\"[^\"]*\"",
    re.DOTALL,
)
FOLDER = re.compile(r"\bphotos(?=[/:<])")  # in which the photos are
SHORT = 3  # letters: words of so few may be anything


def english_phrases() -> set[str]:
    """What stands between the holes of the English messages and is not the same in Portuguese."""
    phrases = set()
    for message in catalogue_in(LOCALES / "pt.po"):
        ids = (message.id,) if isinstance(message.id, str) else message.id
        said = " ".join((message.string,) if isinstance(message.string, str) else message.string).lower()
        for text in ids:
            for part in re.split(r"\{[^}]*\}|<[^>]*>", text):
                part = part.strip(" .,;:()").lower()
                if len(part) > SHORT and part not in said:
                    phrases.add(part)
    return phrases


def said_on(page: str) -> str:
    """All that a page says, in its text and its attributes."""
    text = NOT_WORDS.sub(" ", page.replace("<wbr>", ""))
    text = re.sub(r"<[^>]*?\s(alt|title|aria-label|data-label|data-reason)=\"([^\"]*)\"", r" \2 <", text)
    return html.unescape(re.sub(r"<[^>]*>", " ", text)).lower()


def left_in_english(page: str) -> set[str]:
    assert '<html lang="pt-BR">' in page
    said = said_on(FOLDER.sub("", page))
    return {phrase for phrase in english_phrases() if re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", said)}


@pytest.fixture
def run(make_run, tmp_path: Path) -> Run:
    made: Run = make_run(CLASSES, each=20, apart=0.4, painted=True)
    skipped = (Skipped(str(tmp_path / "photos/0/x.jpg"), "is empty (0 bytes)"),)
    extraction = replace(made.extraction, skipped=skipped)
    bottlenecks = replace(made.trained.bottlenecks, extraction=extraction)
    return replace(made, trained=replace(made.trained, bottlenecks=bottlenecks))


def examined(run: Run) -> Diagnosis:
    found = diagnose(run.extraction, None, 224)
    photo = run.extraction.photos[0]
    kinds = {finding.kind for finding in found.findings}
    more = tuple(Finding(kind, photo.path, photo.label, 0.0, "…", 0) for kind in KINDS if kind not in kinds)
    return replace(found, findings=(*found.findings, *more))


def test_the_phrases_are_those_of_the_catalogue() -> None:
    assert {"training", "labels that may be wrong", "the true figure lies between"} <= english_phrases()
    page = '<html lang="pt-BR"><p title="Labels that may be wrong">F1, <code>training</code></p>'
    assert left_in_english(page) == {"labels that may be wrong", "wrong"}


def test_report(run: Run) -> None:
    diagnosis = examined(run)
    with in_language("pt"):
        page = report_html(run, "retrain --image_dir cats", diagnosis)
    assert left_in_english(page) == set()
    assert re.search(r'<p class="figure">\d+,\d%</p>', page)
    assert re.search(r"\d\d/\d\d/\d{4} \d\d:\d\d", page)
    for style in re.findall(r'style="([^"]*)"', page):
        assert "," not in style, style  # a style sheet takes points


def test_doctor(run: Run, tmp_path: Path) -> None:
    diagnosis = examined(run)
    with in_language("pt"):
        page = render_page(diagnosis, tmp_path / "photos")
    assert left_in_english(page) == set()
    assert "Este arquivo está vazio (0 bytes)." in page and "Mudar para " in page
    assert 'data-suggestion="relabel:' in page  # for doctor.js and fixes.csv, in every language the same
    assert "keep" in re.findall(r'data-action="([^"]*)"', page)
    (words,) = re.findall(r'id="words">(.*?)</script>', page)
    assert json.loads(words)["many"] == "{count} decisões"


def test_one_diagnosis_speaks_both_languages(run: Run, tmp_path: Path) -> None:
    diagnosis = examined(run)
    english = render_page(diagnosis, tmp_path / "photos")
    with in_language("pt"):
        assert render_page(diagnosis, tmp_path / "photos") != english
    assert '<html lang="en">' in english and "This file is empty (0 bytes)." in english


@pytest.mark.parametrize("balanced", [False, True])
def test_sweep(make_sweep, balanced: bool) -> None:
    sweep = make_sweep(replace(GRID, class_weights=(None, "balanced") if balanced else (None,)))
    config = SweepConfig(SourceConfig(Path("fotos"), 1000, Path("fixes.csv")), GRID)
    with in_language("pt"):
        page = sweep_html(sweep, config, "retrain --image_dir fotos", Path("s.csv"))
    assert left_in_english(page) == set()
    assert "1.234 características" in page and "no máximo 1.000 por classe" in page
