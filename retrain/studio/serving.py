"""From what was told to a studio that runs."""

import os
import sys
from collections.abc import Callable
from dataclasses import replace

from label_image.installing import IMAGE
from label_image.serve.addresses import address, is_every, is_loopback, lan_address, qr_code
from label_image.serve.guard import Access
from label_image.serve.model_in_use import Say
from label_image.serve.server import open_socket, run
from label_image.terminal import shown
from retrain.studio.app import LIMITS, application
from retrain.studio.config import StudioConfig
from retrain.studio.gate import Gate
from retrain.studio.opening import open_folder
from retrain.studio.phone import phone_addresses
from retrain.studio.studio import Studio
from retrain.studio.tokens import tokens_of

GRACE_SECONDS = 5  # for a photo that is arriving when the studio ends


def serve(config: StudioConfig, say: Say, open_page: Callable[[str], object] | None = None) -> None:
    """Serve until a signal ends it. `open_page` is given the page's address once it can be opened.

    Tokens that are not given are those of the folder. Raises StudioError for a folder that is none of class folders,
    ModelError for a port that cannot be had.
    """
    open_folder(config.folder)
    kept = tokens_of(config.folder)
    config = replace(config, token=config.token or kept.page, phone_token=config.phone_token or kept.phones)
    with open_socket(config.host, config.port) as listening:
        config = replace(config, port=listening.getsockname()[1])
        authority, certificate = None, None
        if config.https:
            from label_image.serve.certificates import own_certificate

            authority, certificate = own_certificate(config.host, lan_address())
        studio = Studio(config)
        gate = Gate(config.token, config.phone_token, config.port, Access())
        app = application(studio, gate, authority)

        def ready() -> None:
            here = page_address(config)
            _say_ready(config, here, say)
            if open_page is not None:
                open_page(here)

        run(app, listening, LIMITS, certificate, ready, studio.news.end, GRACE_SECONDS)


def page_address(config: StudioConfig) -> str:
    """Where this machine's browser finds the page."""
    host = "127.0.0.1" if is_every(config.host) else config.host
    language = "" if config.lang is None else f"?lang={config.lang}"
    return address(host, config.port, config.https, config.token, language)


def _say_ready(config: StudioConfig, here: str, say: Say) -> None:
    say(shown(f"The studio of {config.folder} is open: {here}"))
    if is_loopback(config.host):
        say("Only this machine reaches it; for a phone's camera: --phone. Ctrl-C ends it.")
        return
    if IMAGE in os.environ:  # the container's own address leads nowhere
        say("Ctrl-C ends the studio.")
        return
    host = (lan_address() or "127.0.0.1") if is_every(config.host) else config.host
    collect = phone_addresses(config).collect
    say(f"Phones in this network add photos at {collect}")
    if config.https:
        authority = f"{address(host, config.port, config.https)}ca.crt"
        say(f"A phone warns of the certificate until it trusts {authority} (docs/serve.md).")
    else:
        say("Without --https a phone gives the page no live camera; photos can be taken and chosen.")
    say("Ctrl-C ends the studio.")
    if sys.stdout.isatty():
        say(qr_code(collect))
