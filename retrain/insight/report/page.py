"""The report of a run: one HTML page that needs nothing beside it, no network and no script."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from retrain.core.defaults import TOP_K
from retrain.core.html_files import write_page
from retrain.core.language import figure, moment, translatable, translated, translated_count
from retrain.exports.registry import TITLES
from retrain.insight.html.rendering import brief, render, shown, source_name
from retrain.insight.report.charts import Chart, reliability_chart, similarity_chart
from retrain.insight.report.evidence import (
    LEAST_FAMILIAR,
    ClassRow,
    ConfusedPair,
    Evidence,
    Mistake,
    Prediction,
    confusion_of,
)
from retrain.insight.report.heatmaps import heat_uris
from retrain.insight.report.learning import calibrated_losses, learning_charts, learning_words, why_chosen
from retrain.insight.results import stages, with_report
from retrain.photos.classes import class_indices, index_by_label
from retrain.photos.thumbnails import square_uris
from retrain.runs.train import Run
from retrain.training.confidence import before_calibration
from retrain.training.metrics import Bin, Metrics, measure
from retrain.training.trained import TrainedHead

if TYPE_CHECKING:
    from retrain.insight.doctor.findings import Diagnosis
    from retrain.insight.doctor.pages import Section

# What stands for times until the page is done: nothing else on a page has a NUL, no name of a photo and no text.
TOTAL, STAGES = "\0total\0", "\0stages\0"
FINDINGS_OF_KIND = 8  # shown of what the doctor found
SECTIONS = (
    ("learning", translatable("Learning")),
    ("scratch", translatable("From scratch")),
    ("confusion", translatable("Confusion")),
    ("pairs", translatable("Confused pairs")),
    ("classes", translatable("Classes")),
    ("mistakes", translatable("Worst mistakes")),
    ("predictions", translatable("Predictions")),
    ("calibration", translatable("Calibration")),
    ("unknown", translatable("Unknown")),
    ("doctor", translatable("Doctor")),
    ("parity", translatable("Parity")),
    ("provenance", translatable("Provenance")),
)


@dataclass(frozen=True)
class Calibrated:
    """What temperature scaling did: the expected calibration errors of the test photos, and the picture.

    `before` is None where nothing was scaled; `by_chance` is the error that so few photos alone make.
    """

    temperature: float
    photos: int
    before: float | None
    after: float | None
    by_chance: float | None
    chart: Chart


@dataclass(frozen=True)
class Unknown:
    """How similar the test photos are to the classes: how many would be answered `unknown`, and the least similar.

    `chosen_on` is how many other photos chose the threshold; None where folds took turns, and the others chose it.
    """

    threshold: float
    chosen_on: int | None
    refused: int
    photos: int
    least: tuple[tuple[Prediction, float], ...]
    chart: Chart


def write_report(
    path: Path,
    run: Run,
    command: str = "",
    diagnosis: "Diagnosis | None" = None,
    top_k: int = TOP_K,
    began: float | None = None,
) -> dict[str, float]:
    """Write the page of a run; returns the seconds that it says the run took. Raises ExportError if it cannot.

    `command` repeats the run, `diagnosis` is what `retrain doctor` found in the same photos, `top_k` answers are shown
    of each photo. What is told about the run `began` at that time of `time.perf_counter`. A page that was there is
    replaced.
    """
    began = time.perf_counter() if began is None else began
    page = report_html(run, command, diagnosis, top_k)
    seconds = with_report(run.seconds, time.perf_counter() - began)  # when all is done that takes long
    write_page(path, _timed(page, seconds), "`report`")
    return seconds


def _timed(page: str, seconds: Mapping[str, float]) -> str:
    """The page with the times that are known when it is done."""
    return page.replace(TOTAL, f"{figure(seconds['total'], '.1f')} s").replace(STAGES, stages(seconds))


def report_html(run: Run, command: str = "", diagnosis: "Diagnosis | None" = None, top_k: int = TOP_K) -> str:
    """The page of a run as HTML, with `TOTAL` and `STAGES` where times belong."""
    evidence = Evidence(run, top_k)
    gone = {photo.path for photo in run.extraction.photos if photo.gone}
    pairs, mistakes, predictions = evidence.confused_pairs(), evidence.worst_mistakes(), evidence.predictions()
    classes = evidence.class_rows()
    unknown = _unknown(evidence, run.trained)
    wrong = evidence.mistaken
    index_of = index_by_label(run.labels)
    looked_at = [one for one in mistakes if one.prediction.path not in gone]
    heat = heat_uris(
        run.config.export.output_dir,
        run.backbone.preprocessing,
        [(one.prediction.path, index_of[one.prediction.answers[0].label]) for one in looked_at],
    )
    manifest = run.exported.manifest
    parity = [(TITLES.get(name, name), proof) for name, proof in manifest.get("parity", {}).items()]
    there = {
        "scratch": run.contenders, "pairs": pairs, "unknown": unknown, "doctor": diagnosis, "parity": parity,
        **dict.fromkeys(("confusion", "classes", "mistakes", "predictions", "calibration"), run.trained.test.n),
    }  # fmt: skip
    return render(
        "report.html",
        run=run,
        name=source_name(run.config.source.image_dir),
        test=run.trained.test,
        chance=_chance(run.trained.test),
        chance_entropy=math.log(len(run.labels)),
        folds=run.division.number_of_folds,
        sides={side: run.division.splits.count(side) for side in ("training", "validation", "testing")},
        learning=learning_charts(run.trained.fit, calibrated_losses(run.trained)),
        learning_words=(learning_words(run.trained), why_chosen(run.trained)),
        confusion=confusion_of(run.trained.test),
        classes=classes,
        pairs=pairs,
        mistakes=mistakes,
        wrong=wrong,
        predictions=predictions,
        calibrated=_calibrated(run),
        unknown=unknown,
        diagnosis=diagnosis,
        found=_found(diagnosis, run.config.source.places[0]),
        parity=parity,
        glance=_at_a_glance(run, classes, pairs, wrong, diagnosis),
        sections=[(anchor, translated(title)) for anchor, title in SECTIONS if there.get(anchor, True)],
        parity_on=manifest.get("parity_on"),
        provenance=manifest.get("provenance", {}),
        command=shown(command),
        gone=len(gone),
        thumbnails=square_uris(path for path in _photos_of(predictions, pairs, mistakes, unknown) if path not in gone),
        heat=heat,
        written=moment(datetime.now()),
        total=TOTAL,
        stages=STAGES,
    )


def _photos_of(
    predictions: Sequence[Prediction],
    pairs: Sequence[ConfusedPair],
    mistakes: Sequence[Mistake],
    unknown: Unknown | None,
) -> list[str]:
    """The photos that these sections show."""
    paths = [one.path for one in predictions]
    for pair in pairs:
        paths += [one.path for one in pair.mistaken] + [near.path for near in pair.lookalikes]
    for mistake in mistakes:
        paths += [mistake.prediction.path] + [near.path for near in mistake.neighbours]
    return paths + [one.path for one, _ in (unknown.least if unknown else ())]


def _found(diagnosis: "Diagnosis | None", image_dir: Path) -> "tuple[Section, ...]":
    """The doctor's findings, ready to be shown."""
    if diagnosis is None:
        return ()
    from retrain.insight.doctor.pages import make_sections

    return make_sections(diagnosis, image_dir, FINDINGS_OF_KIND)


def _chance(test: Metrics) -> float | None:
    """The accuracy of always answering the class with the most test photos."""
    return max(entry.support for entry in test.classes) / test.n if test.n else None


def _at_a_glance(
    run: Run,
    classes: Sequence[ClassRow],
    pairs: Sequence[ConfusedPair],
    wrong: int,
    diagnosis: "Diagnosis | None",
) -> list[tuple[str, str]]:
    """The sections that are most worth reading, with what they say."""
    glance = []
    weak = [brief(row.label) for row in classes if row.interval and row.f1 < 0.995][:3]
    if weak and len(run.labels) > 2:
        glance.append(("classes", translated("Weakest: {classes}", classes=", ".join(weak))))
    if pairs:
        first = pairs[0]
        confused = translated_count(
            "Most confused: one photo of {label} taken for {other}",
            "Most confused: {count} photos of {label} taken for {other}",
            first.photos,
            label=brief(first.true),
            other=brief(first.predicted),
        )
        glance.append(("pairs", confused))
    if run.trained.test.n:
        mistaken = translated("{wrong:,} of {photos:,} test photos mistaken", wrong=wrong, photos=run.trained.test.n)
        glance.append(("mistakes", mistaken))
    if diagnosis is not None:
        findings = [f"{heading.lower()}: {figure(number, ',')}" for _, heading, number in diagnosis.counts()][:2]
        found = "; ".join(findings) or translated("nothing found")
        glance.append(("doctor", translated("The doctor: {found}", found=found)))
    return glance


def _calibrated(run: Run) -> Calibrated | None:
    """The calibration on the test photos; None where there are none."""
    test, confidence = run.trained.test, run.trained.confidence
    if not test.n:
        return None
    if confidence is None or confidence.calibration.photos == 0:
        return Calibrated(1.0, 0, None, test.ece, test.ece_by_chance, reliability_chart((), test.reliability))
    calibration = confidence.calibration
    classes = class_indices((run.extraction.photos[row] for row in run.trained.test_rows), run.labels)
    before: tuple[Bin, ...] = ()
    if confidence.ece_before is not None:
        before = measure(before_calibration(run.trained), classes, run.labels).reliability
    return Calibrated(
        calibration.temperature,
        calibration.photos,
        confidence.ece_before,
        test.ece,
        test.ece_by_chance,
        reliability_chart(before, test.reliability),
    )


def _unknown(evidence: Evidence, trained: TrainedHead) -> Unknown | None:
    sample, confidence = evidence.test_bottlenecks(), trained.confidence
    # Where folds took turns for mini-batches, the means are those of the test photos themselves.
    if confidence is None or confidence.refused is None or not len(sample):
        return None
    familiar = confidence.familiar
    if trained.division.folds is not None:  # nothing is compared with itself
        similarities = familiar.left_out[trained.test_rows]
    else:
        similarities = np.concatenate([familiar.similarity(block) for _, block in sample.blocks()])
    order = np.argsort(similarities, kind="stable")[:LEAST_FAMILIAR].tolist()
    least = zip(evidence.photos_at(order), similarities[order].tolist(), strict=True)
    return Unknown(
        familiar.threshold,
        familiar.photos if trained.out_of_fold is None else None,
        confidence.refused,
        len(sample),
        tuple(least),
        similarity_chart(similarities, familiar.threshold),
    )
