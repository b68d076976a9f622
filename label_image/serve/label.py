"""`POST /label`: a photo in, what `label_image --json` prints out. `GET /label?camera=door`: for its newest photo."""

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from label_image.answers import verdict_object
from label_image.json_outputs import versioned
from label_image.serve.answers import Task
from label_image.serve.multipart import only_file
from label_image.serve.refused import Refused
from label_image.serve.service import Service

CAMERA = re.compile(r"[A-Za-z0-9_-]{1,64}")
CAMERAS = 100
TOP_K, MOST_ANSWERS = 5, 999_999


@dataclass(frozen=True)
class Asked:
    """What stands in the address beside the route. Raises Refused."""

    top_k: int
    always_answer: bool
    camera: str | None

    @classmethod
    def of(cls, request: Request) -> "Asked":
        query = request.query_params
        wrong = sorted(set(query) - {"top_k", "always_answer", "camera"})
        if wrong:
            raise Refused(400, f"There is no parameter {wrong[0]!r}: top_k, always_answer and camera are known.")
        top_k, always, camera = query.get("top_k", str(TOP_K)), query.get("always_answer", "false"), query.get("camera")
        if not re.fullmatch(r"[0-9]{1,6}", top_k) or not 1 <= int(top_k) <= MOST_ANSWERS:
            raise Refused(400, f"top_k must be a number from 1 to {MOST_ANSWERS}, not {top_k!r}.")
        if always not in ("true", "false"):
            raise Refused(400, f"always_answer must be true or false, not {always!r}.")
        if camera is not None and not CAMERA.fullmatch(camera):
            raise Refused(400, "camera must be a name of at most 64 letters, digits, _ and -.")
        return cls(int(top_k), always == "true", camera)


@dataclass(frozen=True)
class Arrival:
    """When a request came, by the monotonic clock, and as which: a small photo may be answered before an older one."""

    number: int
    when: float


class LastAnswers:
    """The answer to the newest photo of each camera that was named; no photo is kept.

    Any number of threads may keep one.
    """

    def __init__(self) -> None:
        self._keeping = threading.Lock()
        self._numbers = count()
        self._answers: OrderedDict[str, tuple[Arrival, Mapping[str, Any]]] = OrderedDict()

    def arrival(self) -> Arrival:
        """Of a request that comes now."""
        return Arrival(next(self._numbers), time.monotonic())

    def keep(self, camera: str, arrival: Arrival, answer: Mapping[str, Any]) -> None:
        """Keep an answer, unless one to a newer photo is there."""
        with self._keeping:
            before = self._answers.get(camera)
            if before is not None and before[0].number > arrival.number:
                return
            self._answers[camera] = (arrival, answer)
            self._answers.move_to_end(camera)
            while len(self._answers) > CAMERAS:
                self._answers.popitem(last=False)

    def of(self, camera: str) -> Mapping[str, Any]:
        """Raises Refused."""
        found = self._answers.get(camera)
        if found is None:
            raise Refused(404, f"No photo was sent for the camera {camera!r} yet: POST one to /label?camera={camera}.")
        arrival, answer = found
        return {**answer, "seconds_ago": round(time.monotonic() - arrival.when, 1)}


def label_routes(service: Service) -> list[Route]:
    last = LastAnswers()

    async def label(request: Request) -> Response:
        arrival, asked = last.arrival(), Asked.of(request)
        content_type = request.headers.get("content-type", "")

        def work(task: Task, body: bytes) -> Response:
            image, photo = only_file(content_type, body)
            if not photo:
                raise Refused(400, "There is no photo in the request: send its bytes, or a form with one file.")
            verdict = task.loaded.model.verdict(task.of_photo(photo), asked.top_k)
            verdict = replace(verdict, unknown=verdict.unknown and not asked.always_answer)
            answer = versioned({"image": image, **verdict_object(verdict)})
            if asked.camera is not None:
                last.keep(asked.camera, arrival, answer)
            service.metrics.photos(1)
            return json_response(answer)

        return await service.answer(request, service.models.current, work)

    async def last_label(request: Request) -> Response:
        asked = Asked.of(request)
        if asked.camera is None:
            raise Refused(400, "Name the camera, as in /label?camera=door, or POST a photo.")
        return json_response(last.of(asked.camera))

    async def either(request: Request) -> Response:
        return await (label(request) if request.method == "POST" else last_label(request))

    return [Route("/label", either, methods=["GET", "POST"], name="label")]


def json_response(value: object) -> Response:
    """As JSON in UTF-8."""
    return Response(msgspec.json.encode(value), media_type="application/json", headers={"Cache-Control": "no-store"})
