"""The photos that are most like one, for a terminal."""

from rich.cells import cell_len
from rich.console import Console

from retrain.insight.terminal_text import escape
from retrain.runs.similar import Similar

LABELS = "class"


def show_similar(similar: Similar, console: Console) -> None:
    """A line for each photo, the most similar first; paths stay whole, to be copied."""
    width = max(cell_len(label) for label in (LABELS, *(one.label for one in similar.photos)))
    console.print(f"cosine  {LABELS:{width}}  photo", soft_wrap=True)
    for one in similar.photos:
        same = " (the same content)" if one.same_content else ""
        label = escape(one.label) + " " * (width - cell_len(one.label))
        console.print(f"{one.cosine:6.3f}  {label}  {escape(one.path)}{same}", soft_wrap=True)
    console.print(f"Compared with {similar.compared:,} photos.")
