"""What fine-tuning gains over the head alone, and what it costs, over several splits of the same photos.

Question: is a fine-tuned backbone worth its time? Each split is a run of `retrain --fine_tune_layers N --seed S`
without its export: the seed moves photos between the sides. Both models of a run learn from the same photos and are
asked about the same ones, so they are compared split by split. "kept" is the one of the two that the run would
export; the test photos have no part in that choice.
Result (docs/fine_tuning.md), the last 20 layers of mobilenet_v2_1.0_224, 10 splits: +0.0262 +- 0.0073 of accuracy on
the cats (0.8862 to 0.9124) for 424 seconds of processor time, +0.0262 +- 0.0126 on the flowers (unproven) for 74
seconds. So it is an option, and the better model on the validation photos is kept.

    python -m research.compare_fine_tuning --image_dir cats --image_dir flowers
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from research.comparing import change, comparison_options
from retrain.backbones.backbone_config import BackboneConfig
from retrain.bottlenecks.bottlenecks import extract_with_fallback
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.cli.options import weights_by_name
from retrain.core.progress import Progress
from retrain.insight.terminal import TerminalScreen
from retrain.photos.source import SourceConfig
from retrain.photos.split import SplitConfig
from retrain.runs.fine_tune import FineTuning, fine_tune_and_choose
from retrain.runs.steps import choose_backbone
from retrain.training.recipe import HeadConfig
from retrain.training.train_head import train_head, training_origin
from scripts.commands import command

MODELS = ("before", "tuned", "kept")
# On the test photos: accuracy in 0..1 and cross-entropy in nats, by model; and the processor seconds it took.
Outcome = tuple[dict[str, tuple[float, float]], float]


def fine_tune_splits(
    source: SourceConfig, asked: BackboneConfig, kept: ExtractionConfig, layers: int, splits: int, progress: Progress
) -> Iterator[Outcome]:
    """Fine-tune and measure on one split after the other."""
    dataset, _ = source.open_named(kept.bottleneck_dir, progress)
    embed = partial(extract_with_fallback, dataset, config=kept, progress=progress)
    for seed in range(splits):
        bottlenecks = embed(choose_backbone(replace(asked, seed=seed), kept, progress))
        division = bottlenecks.split(SplitConfig(seed=seed, folds=0))
        trained = train_head(bottlenecks, division, observe=progress.training)
        origin = training_origin(bottlenecks, division, HeadConfig())
        begin = time.process_time()
        _, notes = fine_tune_and_choose(trained, FineTuning(layers, asked.model_dir), origin, embed, progress)
        yield figures(notes["fine_tuning"]), time.process_time() - begin


def figures(description: object) -> dict[str, tuple[float, float]]:
    """Accuracy and cross-entropy by model, from what the manifest says of a fine-tuning that did not diverge."""
    assert isinstance(description, dict)
    before, tuned = (
        (float(candidate["test"]["accuracy"]), float(candidate["test"]["cross_entropy"]))
        for candidate in description["candidates"]
    )
    kept = before if description["kept"] == description["candidates"][0]["name"] else tuned
    return {"before": before, "tuned": tuned, "kept": kept}


def add_rows(table: Table, photos: str, outcomes: Sequence[Outcome]) -> None:
    """A row for each model: means over the splits, and differences to `before` +- their standard errors."""
    values = {model: np.array([found[model] for found, _ in outcomes]) for model in MODELS}
    seconds = np.mean([spent for _, spent in outcomes])
    for model, measured in values.items():
        accuracy, loss = measured.mean(axis=0)
        gain, lower = (measured - values["before"]).T
        table.add_row(
            photos,
            model,
            f"{accuracy:.4f}",
            change(gain),
            f"{loss:.3f}",
            change(lower, 3),
            f"{seconds:.0f}" if model == "tuned" else "",
        )


@command
@click.option("--image_dir", multiple=True, required=True, type=click.Path(path_type=Path), help="May be given twice.")
@click.option("--architecture", default="mobilenet_v2_1.0_224", show_default=True)
@click.option(
    "--weights", multiple=True, callback=weights_by_name, metavar="NAME=FILE", help="Instead of the published ones."
)
@click.option("--fine_tune_layers", type=click.IntRange(min=1), default=20, show_default=True)
@comparison_options
def main(
    image_dir: Sequence[Path],
    architecture: str,
    weights: dict[str, str],
    fine_tune_layers: int,
    splits: int,
    model_dir: Path,
    bottleneck_dir: Path,
) -> None:
    """Print test accuracies and cross-entropies before and after fine-tuning, and the paired differences."""
    table = Table(title=f"{architecture}, the last {fine_tune_layers} layers, {splits} splits")
    headings = ("photos", "model", "accuracy", "difference", "cross-entropy", "difference", "processor seconds")
    for heading in headings:
        table.add_column(heading)
    screen = TerminalScreen()
    try:
        for folder in image_dir:
            asked = BackboneConfig(architecture, weights.get(architecture), model_dir=model_dir)
            kept = ExtractionConfig(bottleneck_dir)
            source, outcomes = SourceConfig(folder), []
            measured = fine_tune_splits(source, asked, kept, fine_tune_layers, splits, screen)
            for seed, (found, seconds) in enumerate(measured):
                said = ", ".join(f"{name} {accuracy:.4f} ({loss:.3f})" for name, (accuracy, loss) in found.items())
                screen.say(f"{folder.name}, split {seed}: {said}; {seconds:.0f} processor seconds.")
                outcomes.append((found, seconds))
            add_rows(table, folder.name, outcomes)
    finally:
        screen.finish()
    Console().print(table)


if __name__ == "__main__":
    main()
