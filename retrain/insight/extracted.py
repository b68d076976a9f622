"""What `retrain extract` and `retrain features` did, for a terminal."""

from pathlib import Path

from rich.console import Console

from retrain.insight.terminal_text import escape, with_options
from retrain.photos.left_out import with_count
from retrain.runs.extract import Extracted
from retrain.runs.features import Features

EXAMPLES = 3


def show_extracted(extracted: Extracted, bottleneck_dir: Path | str, console: Console) -> None:
    """How many photos, what was skipped and why, and last where the bottlenecks are."""
    for item in extracted.examples[:EXAMPLES]:
        console.print(f"skipped: {escape(item.path)} {escape(with_options(item.reason))}", soft_wrap=True)
    skipped = sum(extracted.skipped.values())
    if skipped > EXAMPLES:
        reasons = ", ".join(with_count(reason, number) for reason, number in extracted.skipped.most_common())
        console.print(f"{skipped:,} files were skipped: {escape(with_options(reasons))}", soft_wrap=True)
    if extracted.set_aside:
        were = "was" if extracted.set_aside == 1 else "were"
        console.print(f"Of the store {_number(extracted.set_aside, 'damaged file')} {were} set aside.", soft_wrap=True)
    console.print(
        f"{_number(extracted.photos, 'photo')}: {_number(extracted.computed, 'bottleneck')} computed, "
        f"{extracted.hits:,} known, in "
        f"{escape(str(bottleneck_dir))} ({extracted.seconds:.1f} s)",
        soft_wrap=True,
    )


def _number(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def show_features(features: Features, console: Console) -> None:
    """What was skipped and why, and last what is in the file."""
    for item in features.extraction.skipped[:EXAMPLES]:
        console.print(f"skipped: {escape(item.path)} {escape(with_options(item.reason))}", soft_wrap=True)
    if (skipped := len(features.extraction.skipped)) > EXAMPLES:
        console.print(f"{skipped:,} files were skipped.", soft_wrap=True)
    if features.kept is not None:
        console.print(f"What was in {escape(str(features.output))} before is now {escape(str(features.kept))}.")
    dim = features.extraction.matrix.shape[1]
    console.print(
        f"{features.rows:,} rows of {dim:,} numbers, classes: {len(features.labels):,}, in "
        f"{escape(str(features.output))} "
        f"({features.seconds:.1f} s)",
        soft_wrap=True,
    )
