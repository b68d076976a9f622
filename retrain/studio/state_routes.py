"""What the studio knows: asked for once, or told as it changes."""

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from label_image.serve.label import json_response
from retrain.studio.state import state_of
from retrain.studio.studio import Studio


def state_routes(studio: Studio) -> list[Route]:
    """The same for all pages."""

    async def state(request: Request) -> Response:
        return json_response(await anyio.to_thread.run_sync(state_of, studio))

    async def events(request: Request) -> Response:
        return StreamingResponse(
            studio.news.events(lambda: state_of(studio)),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store"},
        )

    return [Route("/state", state, methods=["GET"]), Route("/events", events, methods=["GET"])]
