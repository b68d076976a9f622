"""The options of `retrain doctor`, beside those that it shares with `retrain` (`retrain.cli.options`)."""

import click

from label_image.user_path import AnyPath, Folder
from retrain.cli.options import choice_options, group

# What the doctor looks at, and where it writes.
doctor_options = group(
    click.argument("image_dir", type=AnyPath, metavar="DATA"),
    click.option(
        "--output_dir",
        type=Folder,
        default="tf_files/doctor",
        show_default=True,
        help="Folder for doctor.html, findings.csv and fixes.csv; an existing fixes.csv is never changed.",
    ),
    choice_options,
)
