"""The application: pages, what they ask for, what comes before it, and how an error is said."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route

from label_image.errors import RetrainError
from label_image.serve.bodies import Bodies
from label_image.serve.label import json_response
from label_image.serve.limits import MEBIBYTE, Limits
from label_image.serve.page import CSP, PageFile, find
from label_image.serve.refused import Refused, not_routed
from retrain.core.errors import StudioError
from retrain.studio.answers import Always, Answered, Spoken
from retrain.studio.change_routes import change_routes
from retrain.studio.gate import Gate, Gated
from retrain.studio.model_routes import model_routes
from retrain.studio.openapi import document
from retrain.studio.pages import studio_pages
from retrain.studio.phone import phone_page
from retrain.studio.photo_routes import photo_routes
from retrain.studio.sentences import told_refusal
from retrain.studio.state_routes import state_routes
from retrain.studio.studio import Studio
from retrain.studio.taking_routes import taking_routes

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "media-src 'self' blob:; font-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# A page listens for as long as it is open, and an archive takes its time to arrive.
LIMITS = Limits(body=64 * MEBIBYTE, bodies=512 * MEBIBYTE, seconds=24 * 3600)


def application(studio: Studio, gate: Gate, authority: bytes | None = None) -> Starlette:
    """Everything that is served. `authority` is the certificate that a phone has to trust, where it is encrypted."""
    bodies = Bodies(LIMITS)
    pages = studio_pages()

    async def enter(request: Request) -> Response:
        return Response(status_code=204, headers={"Set-Cookie": gate.cookie(authority is not None, request.headers)})

    async def page(request: Request) -> Response:
        return _file(pages, request.scope["path"], request, POLICY)

    async def camera_page(request: Request) -> Response:
        path = request.scope["path"].removeprefix("/try")
        if not path:
            return RedirectResponse("/try/")
        return _file(phone_page(studio.config.output_dir), path, request, CSP)

    async def openapi(request: Request) -> Response:
        return json_response(document())

    async def certificate(request: Request) -> Response:
        if authority is None:
            raise Refused(404, "The studio made no certificate: that is done with --https.")
        return Response(authority, media_type="application/x-x509-ca-cert")

    app = Starlette(
        routes=[
            Route("/ca.crt", certificate, methods=["GET"]),
            Mount(
                "/api",
                routes=[
                    Route("/enter", enter, methods=["POST"]),
                    Route("/openapi.json", openapi, methods=["GET"]),
                    *photo_routes(studio, bodies),
                    *change_routes(studio, bodies),
                    *model_routes(studio, bodies),
                    *state_routes(studio),
                    *taking_routes(studio, bodies),
                ],
            ),
            Route("/try", camera_page, methods=["GET"]),
            Route("/try/{path:path}", camera_page, methods=["GET"]),
            Route("/{path:path}", page, methods=["GET"]),
        ],
        middleware=[
            Middleware(Always),
            Middleware(Spoken),
            Middleware(Answered),
            Middleware(Gated, gate, told_refusal),
        ],
        exception_handlers={Refused: _refused, RetrainError: _failed, HTTPException: _not_routed},
        lifespan=_living(studio),
    )
    app.router.redirect_slashes = False
    return app


def _file(pages: Mapping[str, PageFile], path: str, request: Request, policy: str) -> Response:
    file = find(pages, path)
    if file is None:
        raise Refused(404, f"There is nothing at {request.scope['path']!r}.")
    return file.response(request, policy)


def _living(studio: Studio) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        studio.begin()
        yield
        studio.end()

    return lifespan


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return told_refusal(error)


def _failed(request: Request, error: Exception) -> Response:
    """What a page cannot ask for is a conflict with the folder as it is; what else fails, fails here."""
    return told_refusal(Refused(409 if isinstance(error, StudioError) else 500, str(error)))


def _not_routed(request: Request, error: Exception) -> Response:
    return told_refusal(not_routed(request, error))
