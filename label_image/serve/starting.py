"""From what was told to a server that runs."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from label_image.errors import ModelError
from label_image.serve.addresses import address, is_every, is_loopback, lan_address, qr_code
from label_image.serve.app import application
from label_image.serve.bodies import Bodies
from label_image.serve.guard import Access
from label_image.serve.metrics import Metrics
from label_image.serve.model_in_use import ModelInUse, Origin, Say
from label_image.serve.server import Certificate, open_socket, run
from label_image.serve.service import Service
from label_image.serve.settings import Settings
from label_image.serve.workers import Workers
from label_image.terminal import shown
from label_image.web import page_files


def serve(settings: Settings, say: Say) -> None:
    """Serve until a signal ends it. Raises ModelError if that cannot be begun."""
    with open_socket(settings.host, settings.port) as listening:
        port = listening.getsockname()[1]
        service = service_of(settings, lambda sentence: say(shown(sentence)))
        authority, certificate = _certificate(settings)
        access = Access(settings.token, settings.hosts, settings.origins)
        app = application(service, access, authority)
        run(app, listening, settings.limits, certificate, lambda: _say_ready(settings, service, port, say))


def service_of(settings: Settings, say: Say) -> Service:
    """The parts of a server. Raises ModelError."""
    metrics = Metrics()
    origin = Origin(settings.model, settings.called, settings.labels, settings.trust)
    workers = Workers(settings.threads, settings.limits.waiting)
    bodies = Bodies(settings.limits)
    metrics.show("requests_in_work", "Requests that run or wait.", lambda: workers.taken)
    metrics.show("bytes_in_work", "Bytes of requests in memory.", lambda: bodies.held)
    return Service(ModelInUse(origin, _page_files, say, metrics), workers, bodies, settings.limits, metrics)


def _page_files(model: Path, labels: Sequence[str]) -> Mapping[str, bytes]:
    return page_files(model, labels=labels)


def _certificate(settings: Settings) -> tuple[bytes | None, Certificate | None]:
    """The certificate that a phone has to trust, if one was made here, and what the server shows."""
    if settings.certificate is not None:
        for file in settings.certificate:
            if not file.is_file():
                raise ModelError(f"There is no file {file}: --cert and --key name files in PEM.")
        return None, Certificate(*settings.certificate)
    if not settings.https:
        return None, None
    from label_image.serve.certificates import own_certificate

    return own_certificate(settings.host, lan_address())


def _say_ready(settings: Settings, service: Service, port: int, say: Say) -> None:
    is_encrypted = settings.https or settings.certificate is not None
    loaded = service.models.current
    classes = len(loaded.model.labels)
    everywhere = is_every(settings.host)
    host = (lan_address() or "127.0.0.1") if everywhere else settings.host
    language = "" if settings.lang is None else f"?lang={settings.lang}"
    url = address(host, port, is_encrypted, path=language)
    say(shown(f"Serving {settings.model} ({classes} classes) as {loaded.name!r} on {url}"))
    if not loaded.page:
        say("There is no page for this model: programs are answered.")
    if is_loopback(settings.host):
        say("Only this machine reaches it; for a phone: --host 0.0.0.0 --https.")
        return
    if settings.token is None:
        say("Whoever reaches this address may ask: --token keeps others away.")
    if not is_encrypted:
        say("Without --https a phone gives the page no camera; photos can be chosen.")
    elif settings.certificate is None:
        authority = address(host, port, is_encrypted, path="ca.crt")
        say(f"A phone warns of the certificate until it trusts {authority} (docs/serve.md).")
    if sys.stdout.isatty():
        say(qr_code(address(host, port, is_encrypted, settings.token, language)))
