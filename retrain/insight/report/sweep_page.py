"""The table of a sweep as one HTML page that needs nothing beside it: what was tried, what was chosen, how clearly."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from retrain.core.html_files import write_page
from retrain.core.language import figure, moment, translated
from retrain.insight.html.rendering import render, shown, source_name
from retrain.insight.report.charts import Chart, Measured, Quantity, penalty_chart
from retrain.runs.sweep import Result, Sweep, SweepConfig

AT_ONCE = 40  # lines of the table, and names of classes; more lines are below a heading that opens


@dataclass(frozen=True)
class Strengths:
    """How the linear heads on so many views of each photo depend on the penalty: cross-entropy and accuracy."""

    architecture: str
    views: int
    charts: tuple[Chart, Chart]


def write_sweep_page(path: Path, sweep: Sweep, config: SweepConfig, command: str, table: Path) -> Path:
    """Write the page of a sweep; returns its path. Raises ExportError if it cannot be written.

    `command` trains and exports what was chosen, `table` is where the table was written. A page that was there is
    replaced.
    """
    return write_page(path, sweep_html(sweep, config, command, table), "`report`")


def sweep_html(sweep: Sweep, config: SweepConfig, command: str, table: Path) -> str:
    """The page of a sweep as HTML."""
    results = sweep.results
    return render(
        "sweep.html",
        name=source_name(config.source.image_dir),
        source=shown(config.source.image_dir),
        config=config,
        sweep=sweep,
        best=results[0],
        why_chosen=why_chosen(results),
        alike=sum(result.hardly_different for result in results[1:]),
        at_once=AT_ONCE,
        balanced=any(result.configuration.recipe.class_weight for result in results),
        several_views=len({result.configuration.views for result in results}) > 1,
        strengths=strengths_charts(results),
        tried=tried(results),
        command=shown(command),
        table_path=table,
        written=moment(datetime.now()),
    )


def why_chosen(results: Sequence[Result]) -> str:
    """Why the first line is not the most accurate one; nothing where it is."""
    trained = [(result.accuracy, -place) for place, result in enumerate(results, 1) if not result.diverged]
    accuracy, place = max(trained)
    if accuracy <= results[0].accuracy:
        return ""
    return translated(
        "Accuracy alone would choose line {line}: {highest:.2%} instead of {accuracy:.2%}. Cross-entropy decides "
        "because it also counts how sure each answer is, so that chance moves it less.",
        line=-place,
        highest=accuracy,
        accuracy=results[0].accuracy,
    )


def tried(results: Sequence[Result]) -> list[tuple[str, str]]:
    """What the heads differ in or have in common, each with its values."""
    configurations = [result.configuration for result in results]
    recipes = [configuration.recipe for configuration in configurations]
    units = sorted(recipe.hidden_units for recipe in recipes)
    values = {
        translated("heads"): [
            translated("hidden {layers}", layers="-".join(map(str, layers))) if layers else translated("linear")
            for layers in units
        ],
        translated("optimizers"): sorted(recipe.optimizer for recipe in recipes),
        translated("L2 penalties"): [
            figure(l2, "g") for l2 in sorted((recipe.l2 for recipe in recipes if recipe.l2), reverse=True)
        ],
        translated("learning rates"): [
            figure(rate, "g") for rate in sorted(r.learning_rate for r in recipes if r.learning_rate)
        ],
        translated("class weights"): sorted(
            translated("balanced") if recipe.class_weight else translated("none") for recipe in recipes
        ),
        translated("views"): [str(views) for views in sorted(configuration.views for configuration in configurations)],
    }
    return [(what, ", ".join(dict.fromkeys(found))) for what, found in values.items() if found]


def strengths_charts(results: Sequence[Result]) -> tuple[Strengths, ...]:
    """A chart of cross-entropy and one of accuracy for each backbone, the best first, and number of views.

    They show the linear heads that are fitted to convergence, all on the same axes; none where fewer than two
    penalties were tried.
    """
    linear = [result for result in results if result.configuration.recipe.optimizer == "lbfgs" and not result.diverged]
    if len({_strength(result) for result in linear}) < 2:
        return ()

    def measured(quantity: Quantity, of: Sequence[Result]) -> list[Measured]:
        error = {"cross_entropy": "difference_error", "accuracy": "accuracy_difference_error"}[quantity]
        return [
            Measured(_strength(result), getattr(result, quantity), getattr(result, error), chosen=result is results[0])
            for result in sorted(of, key=_strength, reverse=True)
        ]

    def chart(quantity: Quantity, of: Sequence[Result], most: float) -> Chart:
        lines = {
            name: measured(quantity, [result for result in of if result.configuration.recipe.class_weight == weight])
            for name, weight in (("linear", None), ("balanced", "balanced"))
        }
        there = {name: points for name, points in lines.items() if points}
        return penalty_chart(quantity, there, measured(quantity, linear), most)

    found: dict[str, dict[int, list[Result]]] = {}
    for result in linear:
        of_views = found.setdefault(result.configuration.architecture, {})
        of_views.setdefault(result.configuration.views, []).append(result)
    return tuple(
        Strengths(architecture, views, (chart("cross_entropy", of, math.inf), chart("accuracy", of, 1.0)))
        for architecture, of_views in found.items()
        for views, of in sorted(of_views.items())
    )


def _strength(result: Result) -> float:
    """The penalty of a head that was fitted to convergence, which in a sweep is always given."""
    l2 = result.configuration.recipe.l2
    assert l2 is not None
    return l2
