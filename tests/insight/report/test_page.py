import json
import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from painting import paint
from stand_ins import no_export, with_bottlenecks

from retrain.cli.main import main
from retrain.core.errors import ExportError
from retrain.insight.report.page import report_html, write_report
from retrain.photos.dataset import Photo
from retrain.runs.train import Run
from retrain.training.metrics import measure
from retrain.training.on_photos.timed_curve import Contender

SECTIONS = {
    "learning", "confusion", "pairs", "classes", "mistakes", "predictions", "calibration", "unknown", "provenance",
}  # fmt: skip
VOID = {"meta", "link", "img", "wbr", "br", "input", "line", "rect", "circle", "polyline"}


class Page(HTMLParser):
    """What is in a page: its text, its ids, all that it links to; fails on tags that do not close."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.ids, self.links, self.tags, self.handlers = "", set(), [], [], []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self._open.append(tag)
        for name, value in attributes:
            if name == "id":
                self.ids.add(value)
            if name in ("src", "href", "srcset", "action", "data", "poster"):
                self.links.append(value)
            if name.startswith("on"):
                self.handlers.append(name)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] != "style":
            self.text += data


def opened(run: Run, **more: object) -> Page:
    html = report_html(run, **more)
    page = Page(html)
    assert all(link.startswith(("data:", "#")) for link in page.links)
    assert {link[1:] for link in page.links if link.startswith("#")} <= page.ids
    assert "script" not in page.tags and "iframe" not in page.tags and page.handlers == []
    assert "url(" not in html and "@import" not in html
    return page


def test_a_run_has_all_sections(make_run) -> None:
    run = make_run("abc", each=40, apart=0.4, painted=True)
    page = opened(run)
    assert page.ids >= SECTIONS
    assert page.tags.count("img") >= 24
    assert f"{run.trained.test.accuracy:.1%}" in page.text
    assert f"{run.trained.test.interval[0]:.1%}" in page.text


def test_names_are_shown_and_never_obeyed(make_run) -> None:
    names = ["<script>alert(1)</script>", '"onload="alert(1)', "Gato 🐈 São", "{{ 7 * 7 }}", "</style><b>", "it's & co"]
    page = opened(make_run(names, each=20, apart=0.3, painted=True))
    for name in names:
        assert name in page.text


def test_long_names_are_cut_short_and_kept_in_the_tooltip(make_run) -> None:
    name = "x" * 255
    run = make_run([name, "b"], each=20, apart=0.1)
    page = opened(run)
    assert "x" * 59 + "…" in page.text
    assert f'title="{name}"' in report_html(run)


def test_two_classes(make_run) -> None:
    page = opened(make_run(["cat", "dog"], each=30))
    assert {"confusion", "classes"} <= page.ids


def test_a_thousand_classes_stay_readable(make_run) -> None:
    run = make_run([f"class {number:04}" for number in range(1000)], each=3, testing_percentage=34, l2=1.0)
    html = report_html(run)
    page = Page(html)
    assert "30 of 1,000 classes" in page.text
    assert "The other 960 classes" in page.text
    assert len(html) < 1_500_000


def test_tiny_classes_are_cross_validated(make_run) -> None:
    run = make_run("abc", each=2)
    assert run.division.folds is not None
    page = opened(run)
    assert "5-fold cross-validation, 4 times" in page.text
    assert "fitted to all photos" in page.text


def test_without_test_photos_there_is_no_accuracy(make_run) -> None:
    page = opened(make_run("ab", each=10, testing_percentage=0))
    assert "no measured accuracy" in page.text
    assert {"confusion", "mistakes", "calibration", "unknown"}.isdisjoint(page.ids)
    assert {"learning", "provenance"} <= page.ids


def test_without_validation_photos(make_run) -> None:
    page = opened(make_run("ab", each=20, validation_percentage=0))
    assert "Before calibration" not in page.text
    assert "expected calibration error" in page.text


def test_mini_batches_have_steps_on_the_axis(make_run) -> None:
    page = opened(make_run("ab", each=20, how_many_training_steps=20, learning_rate=0.1))
    assert "each point is an evaluation" in page.text


def test_a_perfect_model_has_no_mistakes(make_run) -> None:
    page = opened(make_run("ab", each=20, apart=30.0))
    assert "None of the" in page.text
    assert "pairs" not in page.ids


def test_the_calibration_is_undone_for_the_picture(make_run) -> None:
    run = make_run("abc", each=60, apart=0.3, validation_percentage=30, testing_percentage=30, l2=1e-4)
    confidence = run.trained.confidence
    assert abs(confidence.calibration.temperature - 1) > 0.1
    page = opened(run)
    assert f"{confidence.ece_before:.1%}" in page.text
    assert f"{run.trained.test.ece:.1%}" in page.text


def test_retrain_writes_the_page_of_its_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import retrain.exports.writer
    from retrain.insight.report import page as module

    def slowly(*args: object, **values: object) -> str:
        time.sleep(0.3)
        return render(*args, **values)

    render = module.render
    monkeypatch.setattr(module, "render", slowly)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(retrain.exports.writer, "write_outputs", no_export)
    for place, name in enumerate(("red", "blue")):
        for number in range(10):
            paint(tmp_path / "photos" / name / f"{number}.jpg", (220 - 200 * place, number, 20 + 200 * place))
    with pytest.raises(SystemExit) as leave:
        main(["--image_dir", "photos", "--architecture", "fake", "--report", "pages/report.html", "--json"])
        raise SystemExit(0)
    assert leave.value.code == 0
    html = (tmp_path / "pages/report.html").read_text(encoding="utf-8")
    page = Page(html)
    assert {"confusion", "doctor", "provenance"} <= page.ids
    assert "--report pages/report.html" in page.text
    # The time that it took to write the page is in it, and is no other than on the terminal.
    captured = capsys.readouterr()
    times = re.findall(r"<dt>seconds</dt><dd>(.*?)</dd>", html)[0]
    assert f"seconds: {times}" in captured.err.replace("\n", " ")
    total = re.findall(r"<dt>time</dt><dd>(.*?) s</dd>", html)[0]
    assert f"total {total}" in times
    seconds = json.loads(captured.out)["seconds"]
    assert abs(seconds["total"] - float(total)) < 0.06
    assert seconds["report"] >= 0.3


def test_what_the_export_proves_is_told(make_run) -> None:
    run = make_run("ab")
    assert "parity" not in opened(run).ids
    proof = {"tflite": {"greatest_difference": 3.2e-6, "top_1_agreement": 1.0, "photos": 48}}
    provenance = {
        "dataset_digest": "d12181", "weights_sha256": "22f873", "bottleneck_fingerprint": "4e35b0",
        "versions": {"numpy": "2.4.6"},
    }  # fmt: skip
    manifest = {"parity": proof, "provenance": provenance}
    page = opened(replace(run, exported=replace(run.exported, manifest=manifest)))
    assert "parity" in page.ids
    for word in ("3.2e-06", "model.tflite", "d12181", "22f873", "4e35b0", "2.4.6"):
        assert word in page.text


def test_file_names_that_are_no_text(make_run, tmp_path: Path) -> None:
    run = make_run("ab", each=20, apart=0.1)
    photos = tuple(Photo(f"{photo.path}\udcff", photo.label, photo.sha256) for photo in run.extraction.photos)
    run = replace(run, trained=with_bottlenecks(run.trained, replace(run.extraction, photos=photos)))
    page = tmp_path / "report.html"
    write_report(page, run)
    assert r".jpg\xff" in page.read_text(encoding="utf-8")


def test_probabilities_that_are_equal_or_certain_are_drawn(make_run) -> None:
    run = make_run("ab", each=20)
    certain = np.eye(2, dtype=np.float32)[np.zeros(len(run.trained.test_rows), int)]
    opened(replace(run, trained=replace(run.trained, test_probabilities=certain)))


def test_the_findings_of_the_doctor_are_a_section(make_run) -> None:
    from retrain.insight.doctor.diagnose import diagnose

    run = make_run("ab", each=20, painted=True)
    diagnosis = diagnose(run.extraction, run.division.splits, 32)
    page = opened(run, diagnosis=diagnosis)
    assert "doctor" in page.ids
    for _, heading, number in diagnosis.counts():
        assert heading in page.text and str(number) in page.text
    assert "doctor" not in opened(run).ids


def test_the_heat_map_of_an_export_stands_beside_a_mistake(make_run, monkeypatch: pytest.MonkeyPatch) -> None:
    from retrain.insight.report import heatmaps

    run = make_run("ab", each=40, apart=0.1, painted=True)
    monkeypatch.setattr(heatmaps, "find_tflite", lambda model: model)
    monkeypatch.setattr(heatmaps, "activation_maps", lambda path: lambda pixels: np.ones((2, 3, 3), np.float32))
    run.trained.test_probabilities[:] = run.trained.test_probabilities[:, ::-1]  # everything is a mistake
    page = opened(run)
    assert "where the wrong class was seen" in page.text
    monkeypatch.undo()
    assert "where the wrong class was seen" not in opened(run).text  # there is no export to read


def test_the_comparison_with_training_from_scratch_is_a_section(make_run) -> None:
    run = make_run("ab", each=20, compare="scratch")
    assert "scratch" not in opened(run).ids
    test = measure(np.eye(2, dtype=np.float32)[[0] * 19 + [1]], np.zeros(20, np.intp), "ab")
    nothing = measure(np.zeros((0, 2), np.float32), np.zeros(0, np.intp), "ab")
    transfer = Contender("transfer", 5289000, 2562, test, 12.3, (), "an evaluation")
    scratch = Contender("from scratch <b>", 1202978, 1201314, nothing, 7.0, (), "an epoch", "7 came from the cache")
    page = opened(replace(run, contenders=(transfer, scratch)))
    assert "scratch" in page.ids
    low, high = test.interval or (0, 0)
    for words in ("5,289,000", "2,562", "95.0%", f"{low:.1%} to {high:.1%}", "12.3 s", "from scratch <b>", "7 came"):
        assert words in page.text


def test_a_page_replaces_the_one_before_and_leaves_nothing_else(make_run, tmp_path: Path) -> None:
    run = make_run("ab")
    path = tmp_path / "new" / "report.html"
    for _ in range(2):
        write_report(path, run)
    assert [found.name for found in path.parent.iterdir()] == ["report.html"]
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_place_that_cannot_be_written_is_a_sentence(make_run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ExportError, match="`report`"):
        write_report(tmp_path / "file" / "report.html", make_run("ab"))
