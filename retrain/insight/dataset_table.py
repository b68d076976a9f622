"""A data set on the screen before anything is done with it: how it is read, its classes, what is passed over."""

import os
from collections import Counter
from collections.abc import Mapping
from typing import get_args

from rich.console import Console
from rich.table import Table

from retrain.insight.terminal_text import escape
from retrain.photos.dataset import Dataset, Split
from retrain.photos.layouts.words import kind_of
from retrain.photos.left_out import counted, with_count

SIDES: tuple[Split, ...] = get_args(Split)
REST = "to be split"  # photos for which the source gives no side


def show_dataset(dataset: Dataset, console: Console) -> None:
    """The reading, a table of classes and sides, and the counts of what is left out."""
    for sentence in dataset.told():
        console.print(escape(sentence), soft_wrap=True)
    counts = classes_by_side(dataset)
    sides = [side for side in (*SIDES, REST) if any(side in row for row in counts.values())]
    table = Table("class")
    for side in sides if sides != [REST] else ["photos"]:
        table.add_column(side, justify="right")
    for label, row in counts.items():
        table.add_row(escape(label), *(f"{row.get(side, 0):,}" for side in sides))
    if len(counts) > 1:
        total = [sum(row.get(side, 0) for row in counts.values()) for side in sides]
        table.add_section()
        table.add_row(f"{len(counts):,} classes", *(f"{number:,}" for number in total))
    console.print(table)
    for reason, number in skipped_by_reason(dataset).items():
        console.print(f"Left out: {escape(with_count(reason, number))}.", soft_wrap=True)
    unlikely = unlikely_photos(dataset)
    if unlikely:
        kinds = ", ".join(f"{number:,} {escape(kind)}" for kind, number in unlikely.items())
        console.print(f"In class folders, and no photos by their names: {kinds}.", soft_wrap=True)


def dataset_summary(dataset: Dataset) -> dict[str, object]:
    """The same as plain JSON."""
    return {
        "read_as": dataset.reading,
        "remarks": list(dataset.remarks),
        "photos": len(dataset.files),
        "classes": classes_by_side(dataset),
        "left_out": skipped_by_reason(dataset),
        "unlikely": unlikely_photos(dataset),
    }


def classes_by_side(dataset: Dataset) -> dict[str, Mapping[str, int]]:
    """For each class its numbers of photos on the given sides."""
    counts: dict[str, Counter[str]] = {label: Counter() for label in dataset.labels}
    for file in dataset.files:
        counts[file.label][file.split or REST] += 1
    return dict(counts)


def skipped_by_reason(dataset: Dataset) -> dict[str, int]:
    """How many entries are left out for each reason; what a reason says of one entry alone does not count."""
    return counted(item.reason for item in dataset.skipped)


def unlikely_photos(dataset: Dataset) -> dict[str, int]:
    """The files that are tried although their names are none of a photo, by extension."""
    found: Counter[str] = Counter()
    for file in dataset.files:
        name = os.path.basename(file.path)
        if kind_of(name) != "photo":
            found[os.path.splitext(name)[1].lower() or "without extension"] += 1
    return dict(found.most_common())
