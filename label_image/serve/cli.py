"""The command line of `label_image serve`."""

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from label_image.command_line import run_command
from label_image.errors import ModelError
from label_image.installing import what_is_missing
from label_image.number_range import NumberRange
from label_image.pool import MOST
from label_image.serve.limits import MEBIBYTE, Limits
from label_image.serve.names import names, origins
from label_image.serve.settings import Settings
from label_image.terminal import require_working_folder, shown
from label_image.user_path import Text

DEFAULTS = Limits()


def say(sentence: str) -> None:
    """On standard output. That nobody reads it any longer, or that a disk is full, does not end a server."""
    with suppress(SystemExit):  # from then on what is said goes nowhere
        print(sentence, flush=True)


@click.command(context_settings={"token_normalize_func": lambda name: name.replace("-", "_"), "max_content_width": 100})
@click.argument("model", type=Text, default="tf_files/model", metavar="[MODEL]")
@click.option("--name", type=Text, metavar="NAME", help="What clients call the model.  [default: its folder's name]")
@click.option(
    "--host",
    type=Text,
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Address to listen on; 0.0.0.0: all.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8501,
    show_default=True,
    help="Port to listen on; 0: any that is free.",
)
@click.option(
    "--token",
    type=Text,
    envvar="LABEL_IMAGE_TOKEN",
    metavar="TEXT",
    help="What clients have to send as Authorization: Bearer TEXT; better in the variable LABEL_IMAGE_TOKEN.",
)
@click.option(
    "--https",
    is_flag=True,
    help="Encrypt, with a certificate that is made once: phones give a page no camera without.",
)
@click.option("--cert", type=Text, metavar="PEM", help="Your own certificate, with its chain; needs --key.")
@click.option("--key", type=Text, metavar="PEM", help="The key of --cert.")
@click.option(
    "--cors", type=Text, multiple=True, callback=origins, metavar="ORIGIN",
    help="Let pages of this origin ask, as in https://mine.example; repeatable.",
)  # fmt: skip
@click.option(
    "--allow_host", type=Text, multiple=True, callback=names, metavar="NAME",
    help="A further name of this server, as in cats.example; repeatable.",
)  # fmt: skip
@click.option("--labels", type=Text, metavar="FILE", help="Other names for the classes, one per line.")
@click.option("--lang", type=click.Choice(("en", "pt")), help="Language of the page.  [default: that of its browser]")
@click.option("--trust_model", is_flag=True, help="Run a SavedModel or .pb that may do more than compute.")
@click.option(
    "--threads", type=click.IntRange(1, 1024), default=MOST, metavar="N",
    help="Photos that are labelled at once.  [default: the number of cores]",
)  # fmt: skip
@click.option(
    "--waiting", type=click.IntRange(min=0), default=DEFAULTS.waiting, show_default=True,
    help="Requests that may wait for a thread; others get status 503.",
)  # fmt: skip
@click.option(
    "--max_megabytes", type=click.IntRange(1, 1024), default=DEFAULTS.body // MEBIBYTE, show_default=True,
    help="Largest request, in MiB.",
)  # fmt: skip
@click.option(
    "--max_megapixels", type=click.IntRange(1, 250), default=DEFAULTS.pixels // 10**6, show_default=True,
    help="Largest photo, in megapixels.",
)  # fmt: skip
@click.option(
    "--max_seconds", type=NumberRange(0.1, 3600), default=DEFAULTS.seconds, show_default=True,
    help="Seconds that a request may take to arrive, and to be answered.",
)  # fmt: skip
@click.option(
    "--connections", type=click.IntRange(8, 65536), default=DEFAULTS.connections, show_default=True,
    help="Open at once; the one that is idle the longest makes room for a new one.",
)  # fmt: skip
def cli(**options: Any) -> None:
    """Serve a trained model over HTTP: a page for the camera, and answers for programs.

    Example: label_image serve tf_files/model

    POST a photo to /label; TensorFlow Serving's and Open Inference (v2) clients find the model under /v1 and /v2. A
    model that is trained anew into the same folder is taken up while the server runs. Ctrl-C answers what was asked,
    and ends it.
    """
    require_working_folder()
    for name, value in options.items():
        if value == "":
            raise click.UsageError(f"'{name}' has an empty value: give it one, or leave it out.")
    if options["token"] is not None and not re.fullmatch(r"[!-~]+", options["token"]):
        # Others do not come through a header of HTTP as they are, or not from a browser: nobody would be let in.
        raise click.UsageError("--token must be letters without accents, digits and signs, without spaces.")
    if options["name"] is not None and "/" in options["name"]:
        raise click.UsageError("--name must have no slash: it is one part of an address.")
    if (options["cert"] is None) != (options["key"] is None):
        raise click.UsageError("--cert and --key belong together: pass both, or --https alone.")
    settings = Settings(
        model=Path(options["model"]),
        name=options["name"],
        host=options["host"],
        port=options["port"],
        token=options["token"],
        https=options["https"],
        certificate=None if options["cert"] is None else (Path(options["cert"]), Path(options["key"])),
        origins=options["cors"],
        hosts=options["allow_host"],
        labels=options["labels"],
        lang=options["lang"],
        trust=options["trust_model"],
        threads=options["threads"],
        limits=Limits(
            body=options["max_megabytes"] * MEBIBYTE,
            bodies=max(DEFAULTS.bodies, 2 * options["max_megabytes"] * MEBIBYTE),
            pixels=options["max_megapixels"] * 10**6,
            seconds=options["max_seconds"],
            waiting=options["waiting"],
            connections=options["connections"],
        ),
    )
    try:
        from label_image.serve.starting import serve
    except ModuleNotFoundError as error:
        sentence = what_is_missing(error)
        if sentence is None:
            raise
        raise click.ClickException(sentence) from None
    try:
        serve(settings, say)
    except ModelError as error:
        raise click.ClickException(shown(str(error))) from None


def main(arguments: list[str]) -> None:
    """Run the command line: exit code 0 once it was told to end, 1 if it cannot serve, 2 for a wrong call."""
    run_command(cli, "label_image serve", arguments)
