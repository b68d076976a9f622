"""Public data sets on the screen: those that can be fetched, and one that is there."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from retrain.insight.dataset_table import SIDES
from retrain.insight.terminal_text import escape
from retrain.photos.dataset import Dataset
from retrain.photos.layouts.reading import some
from retrain.photos.public.catalogue import PublicSet


def show_ready(dataset: Dataset, image_dir: Path, console: Console) -> None:
    """A data set in two lines: how it is read, and how many photos of how many classes it has, by sides."""
    for sentence in dataset.told():
        console.print(escape(sentence), soft_wrap=True)
    sides = Counter(file.split for file in dataset.files if file.split)
    by_side = "".join(f", {sides[side]:,} for {side}" for side in SIDES if sides[side])
    counts = f"{len(dataset.files):,} files of {len(dataset.labels):,} classes{by_side}"
    console.print(escape(f"{image_dir}: {counts}. Classes: {some(dataset.labels)}."), soft_wrap=True)


def show_public_sets(sets: Sequence[PublicSet], console: Console) -> None:
    """The data sets that can be fetched by name."""
    table = Table()
    table.add_column("name", no_wrap=True)
    table.add_column("what")
    for column in ("classes", "photos", "MB"):
        table.add_column(column, justify="right")
    for one in sets:
        counts = (f"{one.classes:,}", f"{one.photos:,}", f"{one.size / 1e6:,.0f}")
        table.add_row(one.name, escape(one.title), *counts)
    console.print(table)
    console.print("Fetch one with: retrain fetch NAME")
