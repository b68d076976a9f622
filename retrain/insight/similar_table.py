"""The photos that are most like one, for a terminal."""

from rich.console import Console
from rich.table import Table

from retrain.insight.terminal_text import escape
from retrain.runs.similar import Similar


def show_similar(similar: Similar, console: Console) -> None:
    """A line for each photo, the most similar first."""
    table = Table(box=None, pad_edge=False)
    table.add_column("cosine", justify="right")
    table.add_column("class")
    table.add_column("photo", overflow="fold")
    for one in similar.photos:
        same = " (the same content)" if one.same_content else ""
        table.add_row(f"{one.cosine:.3f}", escape(one.label), f"{escape(one.path)}{same}")
    console.print(table)
    console.print(f"Compared with {similar.compared:,} photos.")
