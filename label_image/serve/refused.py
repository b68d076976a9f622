"""Why a request is not answered: a status of HTTP and a sentence."""

from collections.abc import Mapping
from types import MappingProxyType

from starlette.exceptions import HTTPException
from starlette.requests import Request

RETRY = MappingProxyType({"Retry-After": "1"})


class Refused(Exception):
    """The three protocols that are spoken here say it alike: `{"error": sentence}`."""

    def __init__(self, status: int, sentence: str, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.headers = headers


def not_routed(request: Request, error: Exception) -> Refused:
    """What Starlette says of a path or a method that nothing answers."""
    assert isinstance(error, HTTPException)
    return Refused(error.status_code, f"{request.method} {request.scope['path']}: {error.detail}.", error.headers or {})


def busy(what: str) -> Refused:
    """For who may ask again in a moment."""
    return Refused(503, f"The server is busy: {what}. Ask again in a second.", RETRY)
