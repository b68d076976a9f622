"""`retrain doctor`: what is wrong with the photos."""

from pathlib import Path
from typing import Any

import click

from label_image.json_outputs import output_line
from label_image.user_path import Folder
from retrain.cli.arguments import CheckedCommand
from retrain.cli.command_line import command_of
from retrain.cli.config_file import config_option
from retrain.cli.configs import backbone_config, extraction_config, source_config, split_config
from retrain.cli.dashes import as_options
from retrain.cli.options import (
    Photos,
    backbone_options,
    choice_options,
    executor_options,
    group,
    json_option,
    lang_option,
)
from retrain.cli.train import train
from retrain.core.language import language_of_user

# What the doctor looks at, and where it writes.
doctor_options = group(
    click.argument("image_dir", type=Photos, metavar="DATA"),
    click.option(
        "--output_dir",
        type=Folder,
        default="tf_files/doctor",
        show_default=True,
        help="Folder for doctor.html, findings.csv and fixes.csv; an existing fixes.csv is never changed.",
    ),
    lang_option,
    json_option,
    choice_options,
)


@click.command(cls=CheckedCommand)
@config_option()
@doctor_options
@backbone_options
@executor_options
def doctor(output_dir: Path, lang: str | None, as_json: bool, **options: Any) -> None:
    """Find copies, wrong labels, outliers and bad photos.

    DATA is photos in class folders, or anything else that --image_dir takes. No photo is changed.

    Example: retrain doctor cats
    """
    split, backbone = split_config(options), backbone_config(options)
    from rich.console import Console

    from retrain.insight.doctor.examination import DoctorConfig, examine
    from retrain.insight.doctor.summary import diagnosis_summary, show_diagnosis
    from retrain.insight.doctor.written import check_output_dir, write_diagnosis
    from retrain.insight.terminal import TerminalScreen

    config = DoctorConfig(source_config(options), split, backbone, extraction_config(options))
    for photos in config.source.places:
        check_output_dir(output_dir, photos)
    screen = TerminalScreen(as_options)
    try:
        diagnosis = examine(config, screen)
    finally:
        screen.finish()
    source, language = config.source, lang or language_of_user()
    # The fixes are those that the page writes, instead of any that were given.
    command = command_of(train, {"image_dir": options["image_dir"], **options, "fixes": None})
    written = write_diagnosis(diagnosis, source.places[0], output_dir, language, command, source.fixes)
    show_diagnosis(diagnosis, written, Console(stderr=as_json, highlight=False))
    if as_json:
        print(output_line(diagnosis_summary(diagnosis, written)))
