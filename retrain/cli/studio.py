"""`retrain studio`: the page on which photos are collected, labelled, trained on and tried."""

import os
import re
import sys
import webbrowser
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

import click

from label_image.user_path import Folder, Text
from retrain.cli.arguments import CheckedCommand
from retrain.cli.command_line import words_of
from retrain.cli.configs import backbone_config, extraction_config
from retrain.cli.options import backbone_options, group
from retrain.core.language import LANGUAGES

STUDIO_PORT = 8600
EVERY_ADDRESS = "0.0.0.0"

studio_options = group(
    click.argument("folder", type=Folder, default="tf_files/studio", metavar="[FOLDER]"),
    click.option("--output_dir", type=Folder, help="Folder of the trained model.  [default: FOLDER_model, beside it]"),
    click.option("--phone", is_flag=True, help="Let phones of this network in: --host 0.0.0.0 --https."),
    click.option(
        "--host", type=Text, default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Address to listen on."
    ),
    click.option(
        "--port",
        type=click.IntRange(0, 65535),
        default=STUDIO_PORT,
        show_default=True,
        help="Port to listen on; 0: any that is free.",
    ),
    click.option(
        "--https", is_flag=True, help="Encrypt, with a certificate that is made once: phones give no camera without."
    ),
    click.option(
        "--token",
        type=Text,
        envvar="RETRAIN_STUDIO_TOKEN",
        metavar="TEXT",
        help="What the page's address ends in, better in the variable RETRAIN_STUDIO_TOKEN.  [default: kept in FOLDER]",
    ),
    click.option("--lang", type=click.Choice(LANGUAGES), help="Language of the page.  [default: that of its browser]"),
    click.option("--open/--no_open", "opens", default=True, help="Open the page in a browser, where there is one."),
)


@click.command(cls=CheckedCommand)
@studio_options
@backbone_options
def studio(folder: Path, phone: bool, opens: bool, **options: Any) -> None:
    """Collect, label, train and try in a browser.

    FOLDER is photos in class folders, or empty. Whatever the page does is done there, as files; no photo leaves this
    machine. Photos beside the class folders have no label yet; what is removed goes to FOLDER/.trash.

    Example: retrain studio cats
    """
    if options["token"] is not None and not re.fullmatch(r"[A-Za-z0-9._~-]+", options["token"]):
        # Others do not come through an address and a cookie as they are.
        raise click.UsageError("--token must be letters without accents, digits and the signs . _ ~ - alone.")
    backbone, extraction = backbone_config(options), extraction_config(options)
    from retrain.studio.config import StudioConfig, model_beside
    from retrain.studio.serving import serve

    config = StudioConfig(
        folder=Path(os.path.abspath(folder)),
        output_dir=options["output_dir"] or model_beside(folder),
        backbone=backbone,
        extraction=extraction,
        host=EVERY_ADDRESS if phone else options["host"],
        port=options["port"],
        https=phone or options["https"],
        token=options["token"] or "",
        lang=options["lang"],
        # The token is a secret, and pages have it.
        words=tuple(chain(*words_of(studio, {"phone": phone, **options, "token": None}))),
    )
    serve(config, say, _open_page if opens and sys.stdout.isatty() else None)


def say(sentence: str) -> None:
    """On standard output. That nobody reads it any longer does not end a server."""
    with suppress(SystemExit):
        print(sentence, flush=True)


def _open_page(address: str) -> None:
    with suppress(webbrowser.Error):
        webbrowser.open(address)
