"""Photos: which there are, as pictures, and new ones."""

import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from label_image.errors import PhotoError
from label_image.files import reason_of
from label_image.serve.bodies import Bodies
from label_image.serve.label import json_response
from label_image.serve.refused import Refused
from retrain.insight.html.rendering import shown
from retrain.studio.changes import Added
from retrain.studio.incoming import Incoming, add_archive
from retrain.studio.listing import Listing, StudioPhoto
from retrain.studio.sentences import told
from retrain.studio.similar import similar_to
from retrain.studio.studio import Studio
from retrain.studio.thumbnails import viewable

LARGEST_ARCHIVE = 64 * 2**30  # bytes
PICTURES = 3  # that are made at the same time: a photo of 100 megapixels takes 450 MB
Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]
GONE = "This photo is not there any more."
KEPT = "private, max-age=31536000, immutable"  # a thumbnail's address has the date of its photo


def photo_routes(studio: Studio, bodies: Bodies) -> list[Route]:
    """Each does what its address says."""

    at_a_time = anyio.CapacityLimiter(PICTURES)

    async def photos(request: Request) -> Response:
        return json_response(await anyio.to_thread.run_sync(_all_photos, studio.known.listing))

    async def thumbnail(request: Request) -> Response:
        photo = photo_of(studio.known.listing, request.path_params["id"])
        return _picture(await _read(photo, studio.thumbnails.thumbnail, at_a_time), KEPT)

    async def picture(request: Request) -> Response:
        photo = photo_of(studio.known.listing, request.path_params["id"])
        found = await _read(photo, lambda photo: viewable(Path(photo.file.path)), at_a_time)
        return _picture(found, "no-cache")

    async def similar(request: Request) -> Response:
        photo, seen = photo_of(studio.known.listing, request.path_params["id"]), studio.known.seen
        found = () if seen is None else await anyio.to_thread.run_sync(similar_to, photo, seen, limiter=at_a_time)
        return json_response({"photos": [one.plain() for one in found]})

    async def add(request: Request) -> Response:
        label, name = request.query_params.get("label"), request.query_params.get("name", "photo")
        async with bodies.read(request) as body:
            try:
                added = await anyio.to_thread.run_sync(studio.changes.add, label, name, body)
            except PhotoError as error:
                raise Refused(415, f"{shown(name)} {told(str(error))}.") from None
        await anyio.to_thread.run_sync(studio.look)
        return json_response(_added(added))

    async def unpack(request: Request) -> Response:
        label = request.query_params.get("label")
        async with _kept_body(request, studio) as archive:
            found = await anyio.to_thread.run_sync(add_archive, studio.changes, archive, label)
        await anyio.to_thread.run_sync(studio.look)
        return json_response(_incoming(found))

    return [
        Route("/photos", either(photos, add), methods=["GET", "POST"]),
        Route("/photos/{id}", picture, methods=["GET"]),
        Route("/photos/{id}/similar", similar, methods=["GET"]),
        Route("/thumbnails/{id}", thumbnail, methods=["GET"]),
        Route("/archives", unpack, methods=["POST"]),
    ]


def either(got: Endpoint, posted: Endpoint) -> Endpoint:
    """What answers at an address where something is got and posted."""

    async def answer(request: Request) -> Response:
        return await (posted(request) if request.method == "POST" else got(request))

    return answer


def photo_of(listing: Listing, name: str) -> StudioPhoto:
    """The photo that pages call so. Raises Refused."""
    photo = listing.by_id.get(name)
    if photo is None:
        raise Refused(404, GONE)
    return photo


def _all_photos(listing: Listing) -> dict[str, Any]:
    numbers = {name: number for number, name in enumerate(listing.classes)}
    rows = [
        [
            photo.id,
            -1 if photo.label is None else numbers[photo.label],
            shown(photo.name),
            photo.file.mtime_ns // 1_000_000,
        ]
        for photo in listing.photos
    ]
    return {"version": listing.version, "classes": [shown(name) for name in listing.classes], "photos": rows}


async def _read(photo: StudioPhoto, read: Callable[[StudioPhoto], bytes], at_a_time: anyio.CapacityLimiter) -> bytes:
    try:
        return await anyio.to_thread.run_sync(read, photo, limiter=at_a_time)
    except PhotoError as error:
        if not os.path.lexists(photo.file.path):  # moved or removed a moment ago, and not listed again yet
            raise Refused(404, GONE) from None
        raise Refused(415, f"The photo {error}.") from None


def _picture(jpeg: bytes, caching: str) -> Response:
    return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": caching})


def _added(added: Added) -> dict[str, Any]:
    return {"id": added.id, "name": shown(added.name), "isNew": added.is_new}


def _incoming(found: Incoming) -> dict[str, Any]:
    refused = [{"name": shown(item.path), "reason": told(item.reason)} for item in found.refused]
    return {"added": len(found.added), "known": found.known, "refused": refused}


@asynccontextmanager
async def _kept_body(request: Request, studio: Studio) -> AsyncIterator[Path]:
    """The body of a request as a file, for as long as the block runs: an archive may be larger than the memory."""
    with studio.changes.arriving() as folder:
        archive = folder / "archive"
        try:
            size = 0
            async with await anyio.open_file(archive, "wb") as file:
                async for part in request.stream():
                    size += len(part)
                    if size > LARGEST_ARCHIVE:
                        raise Refused(413, "An archive may have 64 GiB: unpack it into the folder yourself.")
                    await file.write(part)
        except ClientDisconnect:
            raise Refused(400, "The archive ended early.") from None
        except OSError as error:
            raise Refused(507, f"The archive cannot be kept: {reason_of(error)}.") from None
        yield archive
