"""What `retrain extract` did, for a terminal."""

from pathlib import Path

from rich.console import Console

from retrain.insight.terminal_text import escape, with_options
from retrain.runs.extract import Extracted

EXAMPLES = 3


def show_extracted(extracted: Extracted, bottleneck_dir: Path | str, console: Console) -> None:
    """How many photos, what was skipped and why, and last where the bottlenecks are."""
    for item in extracted.examples[:EXAMPLES]:
        console.print(f"skipped: {escape(item.path)} {escape(with_options(item.reason))}", soft_wrap=True)
    skipped = sum(extracted.skipped.values())
    if skipped > EXAMPLES:
        reasons = ", ".join(f"{number:,} × {reason}" for reason, number in extracted.skipped.most_common())
        console.print(f"{skipped:,} files were skipped: {escape(with_options(reasons))}", soft_wrap=True)
    if extracted.set_aside:
        console.print(f"{extracted.set_aside} damaged files of the store were set aside.", soft_wrap=True)
    console.print(
        f"{extracted.photos:,} photos: {extracted.computed:,} bottlenecks computed, {extracted.hits:,} known, in "
        f"{escape(str(bottleneck_dir))} ({extracted.seconds:.1f} s)",
        soft_wrap=True,
    )
