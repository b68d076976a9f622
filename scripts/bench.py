"""Measure the speed of everything, as ratios inside one run: one table, and JSON beside it. `make bench` runs it.

What a figure means and what bounds it is told in docs/speed.md; how it is measured, in bench_sections.py.
Nothing of the user's is changed: photos are named by manifests, everything else lies in a temporary folder.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from pathlib import Path
from typing import Any

import click
from bench_sections import SECTIONS, Bench, Row, spread
from commands import command, failure
from rich.console import Console
from rich.table import Table

from label_image.files import write_in_one_step
from retrain.backbones.engines.registry import ENGINES
from retrain.backbones.registry import architecture
from retrain.backbones.weights import weights_at_hand
from retrain.core.machine import PRECISIONS, choose_precision
from retrain.photos.opening import list_photos

DEMO = Path("tf_files/demo_cats")
MANY = click.IntRange(min=200)
BY_DEFAULT = tuple(name for name in SECTIONS if name != "scale")


def shown(number: float) -> str:
    """Three digits, or all of the whole ones."""
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def cells(row: Row) -> tuple[str, ...]:
    """A row as text, under HEADINGS."""
    ratio = "" if row.ratio is None else f"{row.ratio:.2f} x"
    return row.section, row.what, f"{shown(row.value)} {row.unit}", ratio, row.of


HEADINGS = ("section", "what", "value", "ratio", "of")


def as_markdown(rows: Sequence[Row]) -> str:
    """The table for a Markdown page."""
    lines = [HEADINGS, ("---", "---", "---:", "---:", "---"), *map(cells, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def as_table(rows: Sequence[Row]) -> Table:
    """The table for a terminal."""
    table = Table(title="Speed: every ratio is of two figures of this run")
    for heading in HEADINGS[1:]:
        table.add_column(heading, justify="right" if heading in ("value", "ratio") else "left", overflow="fold")
    for section, members in groupby(rows, key=lambda row: row.section):
        table.add_section()
        table.add_row(section, style="bold")
        for row in members:
            table.add_row(*cells(row)[1:])
    return table


def remarks(bench: Bench) -> list[str]:
    """What one has to know to read the table."""
    sentences = [
        f"{len(bench.photos.files)} photos, {os.cpu_count()} CPU cores, medians of {bench.repeat}; "
        f"--engine {bench.engine} --precision {bench.precision} ({choose_precision(bench.precision)})."
    ]
    sentences += [
        f"{name} ran with random weights, which are as fast as trained ones."
        for name, weights in bench.weights.items()
        if weights == "random"
    ]
    if max(bench.sizes) > len(bench.photos.files):
        sentences.append(f"There are no more than {len(bench.photos.files)} photos for the growth.")
    return sentences


def installed() -> dict[str, str]:
    """Versions of what the speed depends on."""
    versions = {"python": platform.python_version(), "machine": platform.machine()}
    for package in ("tensorflow", "openvino", "numpy", "scipy", "scikit-learn", "pillow"):
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions


# The command


def refuse(sentence: str) -> click.ClickException:
    """A wrong call: one sentence, exit code 2."""
    return failure(sentence, 2)


def numbers(text: str, option: str, count: int | None = None) -> tuple[int, ...]:
    """`50000,1280,100` as whole numbers above 0."""
    parts = text.split(",")
    if not all(part.strip().isascii() and part.strip().isdigit() and int(part) for part in parts) or (
        count is not None and len(parts) != count
    ):
        raise refuse(f"{option} {text}: give {count or 'some'} whole numbers above 0 with commas between them.")
    return tuple(map(int, parts))


def find_weights(names: Sequence[str], given: Sequence[str], model_dir: Path) -> dict[str, str | None]:
    """For each architecture its weights file, `random` where there is none, None where it brings its own."""
    files = dict(pair.partition("=")[::2] for pair in given)
    for name, file in files.items():
        if name not in names or not Path(file).is_file():
            raise refuse(f"--weights {name}={file}: give NAME=FILE with one of the architectures and its weights file.")
    weights: dict[str, str | None] = {}
    for name in names:
        at_hand = weights_at_hand(architecture(name), model_dir)
        own = None if name == "fake" else "random"
        weights[name] = files.get(name) or (str(at_hand) if at_hand else own)
    return weights


def demo_photos() -> Path:
    """The drawings that `make retrain` trains on."""
    if subprocess.run([sys.executable, "-m", "retrain", "demo", DEMO], stdout=sys.stderr).returncode:
        raise failure(f"{DEMO} cannot be used, see above: pass --image_dir.", 1)
    return DEMO


@command
@click.option("--image_dir", type=click.Path(path_type=Path), help="Photos, as for `retrain`; without, demo drawings.")
@click.option(
    "--architecture",
    "names",
    multiple=True,
    default=["mobilenet_1.0_224"],
    show_default=True,
    metavar="NAME",
    help="As for `retrain`; may be given several times.",
)
@click.option("--weights", multiple=True, metavar="NAME=FILE", help="The weights file of an architecture.")
@click.option(
    "--model_dir",
    "--weights_dir",
    "model_dir",
    type=click.Path(path_type=Path),
    default="tf_files/models",
    show_default=True,
    help="Where weights are looked for, as NAME.weights.h5; without them random ones are run.",
)
@click.option("--engine", type=click.Choice(ENGINES), default="auto", show_default=True, help="As for `retrain`.")
@click.option("--precision", type=click.Choice(PRECISIONS), default="auto", show_default=True, help="As for `retrain`.")
@click.option("--repeat", type=click.IntRange(min=1), default=3, show_default=True, help="Medians of so many rounds.")
@click.option("--photos", type=click.IntRange(min=2), help="Take only so many photos, evenly over all classes.")
@click.option("--only", multiple=True, type=click.Choice(list(SECTIONS)), help="Sections; without, all but scale.")
@click.option("--sizes", default="100,400,1600,2400", show_default=True, help="Numbers of photos for the growth.")
@click.option(
    "--head_size", default="50000,1280,100", show_default=True, help="Photos, features and classes (3 or more)."
)
@click.option("--scale_rows", type=MANY, default=10**6, show_default=True, help="Bottlenecks of the section scale.")
@click.option("--scale_files", type=MANY, default=10**6, show_default=True, help="Files of the section scale.")
@click.option("--markdown", is_flag=True, help="Print the table as Markdown.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default="tf_files/bench/bench.json",
    show_default=True,
    help="The same figures as JSON.",
)
def main(
    image_dir: Path | None,
    names: Sequence[str],
    weights: Sequence[str],
    model_dir: Path,
    photos: int | None,
    only: Sequence[str],
    sizes: str,
    head_size: str,
    markdown: bool,
    output: Path,
    **settings: Any,
) -> None:
    """Measure speed and memory, and print one table."""
    rows: list[Row] = []
    size = numbers(head_size, "--head_size", 3)
    growth_sizes = numbers(sizes, "--sizes")
    if size[2] < 3:
        raise refuse(f"--head_size {head_size}: with 2 classes scikit-learn minimises another loss; give 3 or more.")
    listing = list_photos(image_dir or demo_photos())
    listing = replace(listing, files=tuple(spread(listing.files, photos or len(listing.files))))
    found = find_weights(tuple(dict.fromkeys(names)), weights, model_dir)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".bench", dir=output.parent) as folder:
        bench = Bench(
            listing,
            found,
            sizes=growth_sizes,
            head_size=(size[0], size[1], size[2]),
            folder=Path(folder).resolve(),
            **settings,
        )
        told = remarks(bench)
        for name in only or BY_DEFAULT:
            click.echo(f"measuring {name} …", err=True)
            rows += SECTIONS[name](bench)
    document = {"rows": [asdict(row) for row in rows], "remarks": told, "versions": installed()}
    write_in_one_step(output, json.dumps(document, indent=1, ensure_ascii=False).encode())
    if markdown:
        click.echo(as_markdown(rows) + "\n")
    else:
        Console(width=None if sys.stdout.isatty() else 120).print(as_table(rows))
    for sentence in told:
        click.echo(sentence)
    click.echo(f"written: {output}")


if __name__ == "__main__":
    main()
