"""Names of the server, and origins of pages, as they are written on the command line: made what browsers send."""

import re

import click

HOST = r"\[[0-9a-f:.]+\]|[a-z0-9_.-]*[a-z0-9_-]"
NAME = re.compile(rf"(\*|{HOST})\.?(?::[0-9]+)?")
ORIGIN = re.compile(rf"\*|null|[a-z][a-z0-9+.-]*://(?:{HOST})(?::[0-9]+)?")  # null: of a page that is a file


def names(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> frozenset[str]:
    """What `--allow_host` names, without a port: a server answers to a name on each of its ports."""
    return frozenset(_name(value) for value in values)


def origins(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """What `--cors` names."""
    return tuple(_origin(value) for value in values)


def _name(value: str) -> str:
    found = NAME.fullmatch(value.lower())
    if found is None:
        raise click.BadParameter(
            f"{value!r} is not the name of a server: write it as in cats.example, without https:// and without a path."
        )
    return found[1]


def _origin(value: str) -> str:
    origin = value.rstrip("/").lower()
    if not ORIGIN.fullmatch(origin):
        raise click.BadParameter(
            f"{value!r} is no origin: write it as in https://mine.example or http://mine.example:8080, without a path."
        )
    return _without_default_port(origin)


def _without_default_port(origin: str) -> str:
    for scheme, port in (("http://", ":80"), ("https://", ":443")):
        if origin.startswith(scheme):
            return origin.removesuffix(port)
    return origin
