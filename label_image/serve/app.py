"""The application: all routes, what comes before them, and how an error is said."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from label_image.serve.guard import Access, Guard
from label_image.serve.label import json_response, label_routes
from label_image.serve.open_inference import HEADER_LENGTH, open_inference_routes
from label_image.serve.openapi import document
from label_image.serve.page import find
from label_image.serve.refused import Refused, not_routed
from label_image.serve.service import Service
from label_image.serve.tf_serving import tf_serving_routes

MISTAKE = "Something went wrong in the server; its log says what."
HEADERS = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))


def application(service: Service, access: Access, authority: bytes | None = None) -> Starlette:
    """Everything that is served. `authority` is the certificate that a phone has to trust, if the server made one."""

    async def metrics(request: Request) -> Response:
        return Response(service.metrics.text(), headers={"Content-Type": service.metrics.content_type})

    async def openapi(request: Request) -> Response:
        return json_response(document(service.models.current, needs_token=access.token is not None))

    async def certificate(request: Request) -> Response:
        if authority is None:
            raise Refused(404, "This server made no certificate: that is done with --https.")
        return Response(authority, media_type="application/x-x509-ca-cert")

    async def page(request: Request) -> Response:
        file = find(service.models.current.page, request.scope["path"])
        if file is None and request.scope["path"] == "/":
            raise Refused(404, "This model has no page, which needs its .tflite: POST photos to /label.")
        if file is None:
            raise Refused(404, f"There is nothing at {request.scope['path']!r}.")
        return file.response(request)

    app = Starlette(
        routes=[
            *label_routes(service),
            *tf_serving_routes(service),
            *open_inference_routes(service),
            Route("/metrics", metrics, methods=["GET"]),
            Route("/openapi.json", openapi, methods=["GET"]),
            Route("/ca.crt", certificate, methods=["GET"]),
            Route("/{path:path}", page, methods=["GET"]),
        ],
        middleware=[
            Middleware(Counted, service),
            *_cors(access),
            Middleware(Guard, access, lambda: service.models.current.page.keys(), response_of),
        ],
        exception_handlers={Refused: _refused, HTTPException: _not_routed, Exception: _mistake},
        lifespan=_watching(service),
    )
    app.router.redirect_slashes = False
    return app


def response_of(refused: Refused) -> Response:
    """The three protocols have the same error."""
    response = json_response({"error": refused.sentence})
    response.status_code = refused.status
    response.headers.update(refused.headers)
    return response


class Counted:
    """Counts and times what is answered, and gives each answer the headers that all have."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._metrics = app, service.metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()

        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                endpoint = getattr(scope.get("endpoint"), "__name__", "none")
                self._metrics.answered(endpoint, message["status"], time.monotonic() - began)
                message["headers"] = [*message["headers"], *HEADERS]
            await send(message)

        await self._app(scope, receive, counting)


def _cors(access: Access) -> list[Middleware]:
    if not access.origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=list(access.origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", HEADER_LENGTH],
            expose_headers=[HEADER_LENGTH, "Retry-After"],
        )
    ]


def _watching(service: Service) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(service.models.watch)
            yield
            tasks.cancel_scope.cancel()
        service.workers.stop()

    return lifespan


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return response_of(error)


def _not_routed(request: Request, error: Exception) -> Response:
    return response_of(not_routed(request, error))


def _mistake(request: Request, error: Exception) -> Response:
    return response_of(Refused(500, MISTAKE))
