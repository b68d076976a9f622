"""Which L2 strength to keep: the one whose head is best on the validation photos, or is so once it is calibrated?

Question: cross-entropy prefers a weak penalty, since a strong one makes a head too modest; but the temperature mends
that anyhow. Is a head better that is chosen by what is left of the loss at the best temperature, and how freely may
the temperature be chosen (its prior's standard deviation, SPREAD, of ln T)? Heads are refitted to training and
validation photos at the chosen strength; the temperature is the one of before.
Result, 10 splits of 80, 10 and 10 %, test accuracy without a temperature in the choice, then with SPREAD 0.1, 0.3, 2:
cats efficientnet_lite0 0.8855, +0.0013 +- 0.0032, +0.0050 +- 0.0051, +0.0050 +- 0.0051; efficientnet_lite2 0.9075,
+0.0039 +- 0.0035, +0.0065 +- 0.0053, +0.0039 +- 0.0060; mobilenet_1.0_224 0.8833, +0.0046 +- 0.0026, +0.0083 +-
0.0030, +0.0092 +- 0.0042: proven for the last network alone. Flowers: no change at 0.1 and 0.3, at 2 -0.0036, -0.0071
and -0.0067: 35 validation photos are few for it. Cross-entropies at 0.3 were 3 to 6 % lower on the cats, within 2 % on
the flowers.

    python -m research.choose_strength --image_dir cats --image_dir flowers
"""

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from research.comparing import change, comparison_options
from retrain import Backbone, Bottlenecks, Dataset, ExtractionConfig, SplitConfig, TerminalScreen, extract
from retrain.training.calibration import calibrate, calibrated_loss
from retrain.training.fitting.convergence import L2_PATH, fit_to_convergence
from retrain.training.fitting.sample import Sample
from retrain.training.head import predict
from retrain.training.metrics import Classes, Probabilities
from scripts.commands import command

SPREADS = (0.001, 0.1, 0.3, 0.5, 2.0)  # the first: hardly any temperature
# For each spread: the accuracy on the test photos, and the cross-entropy there after calibration.
Figures = list[tuple[float, float]]


def one_split(bottlenecks: Bottlenecks, seed: int) -> Figures:
    """What each spread comes to on one split."""
    splits = np.array(bottlenecks.split(SplitConfig(seed=seed, folds=0)).splits)
    everything = Sample(bottlenecks.matrix, bottlenecks.classes)
    sides = {side: everything.take(splits == side) for side in ("training", "validation", "testing")}
    both = everything.take(splits != "testing")
    said = []
    for l2 in L2_PATH:
        fit = fit_to_convergence(
            sides["training"], sides["validation"], len(bottlenecks.labels), (l2,), everything=both
        )
        assert fit.before_refit is not None
        said.append((predict(fit.before_refit, sides["validation"]), predict(fit.head, sides["testing"])))
    found = []
    chosen_by, truth = sides["validation"].classes, sides["testing"].classes
    for spread in SPREADS:
        losses = [calibrated_loss(validation, chosen_by, None, spread) for validation, _ in said]
        validation, test = said[int(np.argmin(losses))]
        calibrated = calibrate(validation, chosen_by, spread).of_probabilities(test)
        found.append((float((test.argmax(axis=1) == truth).mean()), loss(calibrated, truth)))
    return found


def loss(probabilities: Probabilities, classes: Classes) -> float:
    """Mean cross-entropy in nats."""
    return float(-np.log(np.maximum(probabilities[np.arange(len(classes)), classes], 1e-30)).mean())


@command
@click.option("--image_dir", multiple=True, required=True, help="May be given twice.")
@click.option("--architecture", default="efficientnet_lite0", show_default=True)
@click.option("--weights", metavar="FILE", help="Instead of the published ones.")
@comparison_options
def main(
    image_dir: Sequence[str],
    architecture: str,
    weights: str | None,
    splits: int,
    model_dir: Path,
    bottleneck_dir: Path,
) -> None:
    """Print test accuracies and cross-entropies by the spread of the temperature that the choice allows."""
    table = Table(title=f"{architecture}, {splits} splits")
    for heading in ("photos", "spread", "accuracy", "difference", "cross-entropy"):
        table.add_column(heading)
    backbone = Backbone.find(architecture, weights=weights, model_dir=model_dir)
    for folder in image_dir:
        config = ExtractionConfig(bottleneck_dir=bottleneck_dir)
        bottlenecks = extract(Dataset.open(folder), backbone, config, progress=TerminalScreen())
        figures = np.array([one_split(bottlenecks, seed) for seed in range(splits)])
        for column, spread in enumerate(SPREADS):
            accuracy, losses = figures[:, column].T
            gain = change(accuracy - figures[:, 0, 0])
            table.add_row(Path(folder).name, f"{spread}", f"{accuracy.mean():.4f}", gain, f"{losses.mean():.4f}")
    Console().print(table)


if __name__ == "__main__":
    main()
