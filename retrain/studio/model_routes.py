"""The model: trained, asked about a photo, examined with, and taken away."""

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from label_image.errors import PhotoError
from label_image.serve.bodies import Bodies
from label_image.serve.label import json_response
from label_image.serve.refused import Refused, busy
from retrain.studio.change_routes import UNTAUGHT
from retrain.studio.requests import Nothing, asked
from retrain.studio.studio import Studio
from retrain.studio.tasks import ask_examination, ask_training
from retrain.studio.trying import try_photo


def model_routes(studio: Studio, bodies: Bodies) -> list[Route]:
    """Each does what its address says; what takes a while is only begun."""
    one_at_a_time = anyio.CapacityLimiter(1)

    async def guesses(request: Request) -> Response:
        known = studio.known
        if known.guesses is None:
            raise Refused(409, UNTAUGHT)
        rows = [[guess.id, guess.label, guess.probability, guess.unknown] for guess in known.guesses]
        return json_response({"version": known.listing.version, "guesses": rows})

    async def train(request: Request) -> Response:
        await asked(request, bodies, Nothing)
        ask_training(studio)
        return Response(status_code=202)

    async def examine(request: Request) -> Response:
        await asked(request, bodies, Nothing)
        ask_examination(studio)
        return Response(status_code=202)

    async def doctor(request: Request) -> Response:
        known = studio.known
        if known.examination is None:
            raise Refused(409, "The photos were not examined yet.")
        found = await anyio.to_thread.run_sync(known.examination.plain, known.listing, studio.kept)
        return json_response({"version": known.listing.version, **found})

    async def attempt(request: Request) -> Response:
        known = studio.known
        training, seen = known.training, known.seen
        if training is None or seen is None:
            raise Refused(409, "There is no model yet: train first.")
        if one_at_a_time.statistics().tasks_waiting > 1:
            raise busy("photos wait to be looked at")
        heat = request.query_params.get("heat", "true")
        if heat not in ("true", "false"):
            raise Refused(400, f"heat must be true or false, not {heat!r}.")
        async with bodies.read(request) as body:
            try:
                found = await anyio.to_thread.run_sync(
                    lambda: try_photo(body, training.trained, seen, heat == "true"),
                    limiter=one_at_a_time,
                )
            except PhotoError as error:
                raise Refused(415, f"The photo {error}.") from None
        return json_response(found)

    return [
        Route("/guesses", guesses, methods=["GET"]),
        Route("/train", train, methods=["POST"]),
        Route("/examine", examine, methods=["POST"]),
        Route("/doctor", doctor, methods=["GET"]),
        Route("/try", attempt, methods=["POST"]),
    ]
