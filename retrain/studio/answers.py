"""What all answers have: headers, a language, and that there is one, whatever happens."""

import asyncio
import logging

from starlette.datastructures import Headers, QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from label_image.serve.app import HEADERS
from label_image.serve.refused import Refused
from retrain.core.language import in_language
from retrain.studio.languages import first_known
from retrain.studio.sentences import told_refusal
from retrain.studio.studio import ENDS, MISTAKE

# What is no page may load nothing and be in no page, whatever a browser takes it for.
NO_PAGE = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
log = logging.getLogger(__name__)


class Always:
    """Gives each answer the headers that all have."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(part: Message) -> None:
            if part["type"] == "http.response.start":
                has_policy = any(name.lower() == NO_PAGE[0] for name, _ in part["headers"])
                part["headers"] = [*part["headers"], *HEADERS, *(() if has_policy else (NO_PAGE,))]
            await send(part)

        await self._app(scope, receive, sending)


class Spoken:
    """Answers in the language of `lang` in the address, where a page has chosen one, else in its browser's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = QueryParams(scope["query_string"]).get("lang", "")
        with in_language(first_known(f"{asked},{Headers(scope=scope).get('accept-language', '')}")):
            await self._app(scope, receive, send)


class Answered:
    """Says so where something went wrong, and to those that are cut off when the studio ends."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def sending(part: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(part)

        try:
            await self._app(scope, receive, sending)
            return
        except asyncio.CancelledError:  # the server waited for it long enough
            refusal = Refused(503, ENDS)
        except Exception:
            log.exception("The studio made a mistake: %s %s.", scope["method"], scope["path"])
            refusal = Refused(500, MISTAKE)
        if not has_begun:
            await told_refusal(refusal)(scope, receive, send)
