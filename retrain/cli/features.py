"""`retrain features`: the bottlenecks of a data set as a table for other programs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from label_image.json_outputs import output_line
from label_image.user_path import File
from retrain.cli.arguments import CheckedCommand
from retrain.cli.configs import embedding_config
from retrain.cli.dashes import as_options
from retrain.cli.extract import extract_options
from retrain.cli.options import (
    backbone_options,
    distortion_options,
    executor_options,
    json_option,
    layout_option,
    views_option,
)

if TYPE_CHECKING:
    from retrain.photos.layouts.reading import Layout


@click.command(cls=CheckedCommand, short_help="Write bottlenecks as a table, with paths and classes.")
@extract_options
@click.option("--output", type=File, required=True, metavar="FILE", help="The Parquet file to write.")
@layout_option
@backbone_options
@executor_options
@distortion_options
@views_option
@json_option
def features(data: tuple[Path | str, ...], output: Path, layout: "Layout", as_json: bool, **options: Any) -> None:
    """Write the bottlenecks of photos as a table: path, sha256, label, split, view, bottleneck.

    DATA is whatever --image_dir takes, or a folder of photos without classes. What is missing is computed first. A file
    that is there already is moved aside.

    Example: retrain features cats --output cats.parquet
    """
    config = embedding_config(data, layout, options)
    from rich.console import Console

    from retrain.insight.extracted import show_features
    from retrain.insight.terminal import TerminalScreen
    from retrain.runs.features import FeaturesConfig, run_features

    written = run_features(FeaturesConfig(config, output), TerminalScreen(as_options))
    show_features(written, Console(stderr=as_json, highlight=False))
    if as_json:
        print(output_line(written.summary()))
