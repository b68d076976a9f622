"""What pages send: JSON of a known form, or the bytes of a photo."""

from typing import Annotated, TypeVar

import msgspec
from starlette.requests import Request

from label_image.serve.bodies import Bodies
from label_image.serve.refused import Refused

Asked = TypeVar("Asked", bound=msgspec.Struct)


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """No more than that something is asked for."""


class ClassName(msgspec.Struct, forbid_unknown_fields=True):
    """A class."""

    name: str


class Renaming(msgspec.Struct, forbid_unknown_fields=True):
    """A class, and what it is to be called."""

    name: str
    to: str


class Photos(msgspec.Struct, forbid_unknown_fields=True):
    """Photos."""

    ids: list[str]


class Moving(msgspec.Struct, forbid_unknown_fields=True):
    """Photos, and the class they go to; null: none."""

    ids: list[str]
    label: str | None


class Above(msgspec.Struct, forbid_unknown_fields=True):
    """From which probability on a guess is taken."""

    above: Annotated[float, msgspec.Meta(ge=0, le=1)]


class Decision(msgspec.Struct, forbid_unknown_fields=True):
    """What is done about findings of the doctor: keep, remove or relabel:CLASS."""

    ids: list[str]
    kind: str
    action: str


class Format(msgspec.Struct, forbid_unknown_fields=True):
    """A format of an export."""

    name: str


async def asked(request: Request, bodies: Bodies, kind: type[Asked]) -> Asked:
    """The body of a request as a value of that kind. Raises Refused."""
    async with bodies.read(request) as body:
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:  # one of the wrong form is one of these, too
            raise Refused(400, f"The request is not what it should be: {error}.") from None
