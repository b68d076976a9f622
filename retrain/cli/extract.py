"""`retrain extract`: bottlenecks alone, for jobs on very many photos."""

from pathlib import Path
from typing import Any

import click

from label_image.json_outputs import output_line
from retrain.cli.arguments import CheckedCommand
from retrain.cli.configs import backbone_config, extraction_config, made
from retrain.cli.dashes import as_options
from retrain.cli.options import (
    Photos,
    backbone_options,
    distortion_options,
    executor_options,
    group,
    json_option,
    paranoid_option,
    seed_option,
    source_dir_option,
    truncated_option,
    views_option,
)

extract_options = group(
    click.argument("data", type=Photos, nargs=-1, required=True, metavar="DATA…"),
    source_dir_option,
    seed_option,
    truncated_option,
    paranoid_option,
)


@click.command(cls=CheckedCommand)
@extract_options
@backbone_options
@executor_options
@distortion_options
@views_option
@json_option
def extract(data: tuple[Path | str, ...], as_json: bool, **options: Any) -> None:
    """Compute bottlenecks alone, of any number of photos.

    DATA is whatever --image_dir takes; of a folder or an address all photos below it, whatever their classes. A later
    `retrain` with the same network and store computes none of them again.

    Example: retrain extract s3://bucket/photos --executor ray
    """
    backbone = backbone_config(options)
    from rich.console import Console

    from retrain.insight.extracted import show_extracted
    from retrain.insight.terminal import TerminalScreen
    from retrain.photos.augmentation import Augmentation
    from retrain.photos.views import ViewsConfig
    from retrain.runs.extract import ExtractConfig, run_extraction

    views = ViewsConfig(made(Augmentation, options), options["views"])
    config = ExtractConfig(data, backbone, extraction_config(options), views, options["source_dir"])
    screen = TerminalScreen(as_options)
    try:
        extracted = run_extraction(config, screen)
    finally:
        screen.finish()
    show_extracted(extracted, config.extraction.bottleneck_dir, Console(stderr=as_json, highlight=False))
    if as_json:
        print(output_line(extracted.summary()))
