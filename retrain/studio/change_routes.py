"""Changes of the folder: classes, and which photos belong to them."""

from collections.abc import Callable

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from label_image.serve.bodies import Bodies
from label_image.serve.label import json_response
from label_image.serve.refused import Refused
from retrain.insight.html.rendering import shown
from retrain.studio.changes import Change
from retrain.studio.examining import apply_decision
from retrain.studio.photo_routes import either, photo_of
from retrain.studio.requests import Above, ClassName, Decision, Moving, Nothing, Photos, Renaming, asked
from retrain.studio.state import change_object
from retrain.studio.studio import Studio

UNTAUGHT = "There are no guesses before a training: train first."


def change_routes(studio: Studio, bodies: Bodies) -> list[Route]:
    """Each changes files, and says what it did."""

    async def made(change: Callable[[], Change | None]) -> Response:
        done = await anyio.to_thread.run_sync(change)
        await anyio.to_thread.run_sync(studio.look)
        return json_response({"change": None if done is None else change_object(done)})

    def names(ids: list[str]) -> list[str]:
        by_id = studio.known.listing.by_id
        found = [by_id[one].name for one in ids if one in by_id]  # another page may have moved some
        return found or [photo_of(studio.known.listing, one).name for one in ids]

    async def classes(request: Request) -> Response:
        return json_response({"classes": [shown(name) for name in studio.known.listing.classes]})

    async def make_class(request: Request) -> Response:
        wanted = await asked(request, bodies, ClassName)
        return await made(lambda: studio.changes.make_class(wanted.name))

    async def rename_class(request: Request) -> Response:
        wanted = await asked(request, bodies, Renaming)
        return await made(lambda: studio.changes.rename_class(wanted.name, wanted.to))

    async def remove_class(request: Request) -> Response:
        wanted = await asked(request, bodies, ClassName)
        return await made(lambda: studio.changes.remove_class(wanted.name))

    async def move(request: Request) -> Response:
        wanted = await asked(request, bodies, Moving)
        return await made(lambda: studio.changes.move(names(wanted.ids), wanted.label))

    async def remove(request: Request) -> Response:
        wanted = await asked(request, bodies, Photos)
        return await made(lambda: studio.changes.remove(names(wanted.ids)))

    async def undo(request: Request) -> Response:
        await asked(request, bodies, Nothing)
        return await made(studio.changes.undo)

    async def accept(request: Request) -> Response:
        wanted = await asked(request, bodies, Above)
        if studio.known.guesses is None:
            raise Refused(409, UNTAUGHT)
        return await made(lambda: _accept(studio, wanted.above))

    async def decide(request: Request) -> Response:
        wanted = await asked(request, bodies, Decision)
        return await made(lambda: _decide(studio, wanted))

    return [
        Route("/classes", either(classes, make_class), methods=["GET", "POST"]),
        Route("/classes/rename", rename_class, methods=["POST"]),
        Route("/classes/remove", remove_class, methods=["POST"]),
        Route("/move", move, methods=["POST"]),
        Route("/remove", remove, methods=["POST"]),
        Route("/undo", undo, methods=["POST"]),
        Route("/guesses/accept", accept, methods=["POST"]),
        Route("/decisions", decide, methods=["POST"]),
    ]


def _accept(studio: Studio, above: float) -> Change | None:
    """Move the photos without a label whose guess is that probable; what is unknown stays."""
    known = studio.known
    moves = [
        (known.listing.by_id[guess.id].name, guess.label)
        for guess in known.guesses or ()
        if guess.probability >= above and not guess.unknown and guess.id in known.listing.by_id
    ]
    return studio.changes.accept(moves) if moves else None


def _decide(studio: Studio, wanted: Decision) -> Change | None:
    known = studio.known
    return apply_decision(studio.changes, studio.kept, known.listing, wanted.ids, wanted.kind, wanted.action)
