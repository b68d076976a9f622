"""The studio's server as its page sees it, with everything in memory: nothing is read, computed or written.

It speaks what `retrain studio` speaks. What a model would say is made up from the photos' names, always the same.
"""

import asyncio
import contextlib
import hashlib
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from studio_made_up import EXPORTS, QR, answer_of, examination_of, guess_of, picture, training_of

from label_image.web.site import PAGE as SHARED

PAGE = Path(__file__).resolve().parents[2] / "retrain" / "studio" / "page"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "media-src 'self' blob:; font-src 'none'; base-uri 'none'; form-action 'none'"
)
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@dataclass
class Photo:
    """A photo of the made-up folder."""

    name: str  # without its class
    label: str | None
    data: bytes
    mtime: int

    @property
    def path(self) -> str:
        return self.name if self.label is None else f"{self.label}/{self.name}"

    @property
    def id(self) -> str:
        return hashlib.sha256(self.path.encode()).hexdigest()[:16]


@dataclass
class Studio:
    """What the server knows; `asked` has each request that changes something, `words` replace files of the page."""

    photos: list[Photo] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    training: dict[str, Any] | None = None
    examined: bool = False
    exports: list[dict[str, Any]] = field(default_factory=lambda: [dict(each) for each in EXPORTS])
    work: dict[str, Any] | None = None
    past: list[tuple[dict[str, Any], list[Photo], list[str]]] = field(default_factory=list)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    token: str | None = None
    pace: float = 0.02  # seconds between the points of a curve
    refuses: dict[str, str] = field(default_factory=dict)  # names of files, and why each is refused
    phone: dict[str, Any] = field(default_factory=lambda: {"isReachable": False, "collect": None, "try": None})
    listeners: list["asyncio.Queue[tuple[str, Any]]"] = field(default_factory=list)
    folder: str = "/home/ana/cats"
    options: str = ""
    seeing: dict[str, Any] | None = None

    def add(self, label: str | None, name: str, data: bytes) -> Photo:
        photo = Photo(name, label, data, 1_700_000_000 + len(self.photos))
        self.photos.append(photo)
        if label is not None and label not in self.classes:
            self.classes = sorted([*self.classes, label])
        return photo

    @property
    def version(self) -> str:
        told = json.dumps([self.classes, sorted(photo.path for photo in self.photos)])
        return hashlib.sha256(told.encode()).hexdigest()[:12]

    def state(self) -> dict[str, Any]:
        count = len(self.photos)
        training = self.training and {
            **{key: value for key, value in self.training.items() if key != "version"},
            "isCurrent": self.training["version"] == self.version,
        }
        unlabelled = sum(photo.label is None for photo in self.photos)
        return {
            "folder": {"name": Path(self.folder).name, "path": self.folder},
            "options": self.options,
            "version": self.version,
            "classes": [
                {"name": name, "photos": sum(photo.label == name for photo in self.photos)} for name in self.classes
            ],
            "unlabelled": unlabelled,
            "seeing": self.seeing or {"done": count, "total": count, "skipped": []},
            "work": self.work,
            "training": training,
            "guesses": unlabelled if self.training else None,
            "doctor": {"isCurrent": True, "number": 3} if self.examined else None,
            "exports": self.exports if self.training else [],
            "phone": self.phone,
            "undo": self.past[-1][0] if self.past else None,
            "failure": None,
        }

    def tell(self, event: str = "state", data: Any = None) -> None:
        for listener in self.listeners:
            listener.put_nowait((event, self.state() if event == "state" else data))

    def change(self, action: str, count: int, label: str | None = None, to: str | None = None) -> dict[str, Any]:
        """Remember how it was before, for undo; call it before the change."""
        change = {"action": action, "count": count, "label": label, "to": to, "remark": ""}
        copies = [Photo(photo.name, photo.label, photo.data, photo.mtime) for photo in self.photos]
        self.past.append((change, copies, list(self.classes)))
        return change


def failed(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence}, status)


class Handlers:
    """What is answered, by the path that is asked for."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    async def enter(self, request: Request) -> Response:
        if self.studio.token and request.headers.get("authorization") != f"Bearer {self.studio.token}":
            return failed(401, "This address is not of this run.")
        response = JSONResponse({})
        response.set_cookie("studio", "in", httponly=True, samesite="strict")
        return response

    async def state(self, request: Request) -> Response:
        return JSONResponse(self.studio.state())

    async def classes(self, request: Request) -> Response:
        return JSONResponse({"classes": self.studio.classes})

    async def events(self, request: Request) -> Response:
        queue: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        self.studio.listeners.append(queue)

        async def lines() -> AsyncIterator[str]:
            yield f"event: state\ndata: {json.dumps(self.studio.state())}\n\n"
            try:
                while True:
                    event, data = await queue.get()
                    yield f"event: {event}\ndata: {json.dumps(data)}\n\n"
            finally:
                self.studio.listeners.remove(queue)

        return StreamingResponse(lines(), media_type="text/event-stream", headers={"cache-control": "no-store"})

    async def photos(self, request: Request) -> Response:
        studio = self.studio
        rows = [
            [photo.id, -1 if photo.label is None else studio.classes.index(photo.label), photo.path, photo.mtime]
            for photo in sorted(studio.photos, key=lambda each: each.path)
        ]
        return JSONResponse({"version": studio.version, "photos": rows, "classes": studio.classes})

    async def picture(self, request: Request) -> Response:
        found = [photo for photo in self.studio.photos if photo.id == request.path_params["id"]]
        if not found:
            return failed(404, "There is no such photo.")
        return Response(found[0].data, media_type="image/jpeg", headers={"cache-control": "max-age=3600"})

    async def similar(self, request: Request) -> Response:
        others = [photo for photo in self.studio.photos if photo.label and photo.id != request.path_params["id"]]
        return JSONResponse({"photos": [{"id": p.id, "label": p.label, "similarity": 0.9} for p in others[:5]]})

    async def add(self, request: Request) -> Response:
        name, label = request.query_params["name"], request.query_params.get("label")
        data = await request.body()
        self.studio.asked.append(("photos", [label, name, len(data)]))
        if reason := self.studio.refuses.get(name):
            return failed(415, reason)
        self.studio.change("add", 1, label)
        photo = self.studio.add(label, name, data)
        self.studio.tell()
        return JSONResponse({"id": photo.id, "name": photo.path, "isNew": True})

    async def archive(self, request: Request) -> Response:
        data = await request.body()
        self.studio.asked.append(("archives", [request.query_params.get("label"), len(data)]))
        refused = [{"name": "notes.txt", "reason": "This is no photo."}]
        return JSONResponse({"added": 3, "known": 1, "refused": refused})

    async def changed(self, request: Request) -> Response:
        """All that changes photos or classes by a few names."""
        studio, body = self.studio, await request.json()
        action = request.url.path.removeprefix("/api/")
        studio.asked.append((action, body))
        wanted = [photo for photo in studio.photos if photo.id in body.get("ids", ())]
        match action:
            case "classes":
                if "/" in body["name"]:
                    return failed(400, f"`{body['name']}` has a slash, which no class may have.")
                change = studio.change("make", 0, body["name"])
                studio.classes = sorted({*studio.classes, body["name"]})
            case "classes/rename":
                wanted = [photo for photo in studio.photos if photo.label == body["name"]]
                is_there = body["to"] in studio.classes
                change = studio.change("merge" if is_there else "rename", len(wanted), body["name"], body["to"])
                studio.classes = sorted({*studio.classes, body["to"]} - {body["name"]})
                self._put(wanted, body["to"])
            case "classes/remove":
                wanted = [photo for photo in studio.photos if photo.label == body["name"]]
                change = studio.change("remove_class", len(wanted), body["name"])
                studio.photos = [photo for photo in studio.photos if photo not in wanted]
                studio.classes.remove(body["name"])
            case "move":
                change = studio.change("move", len(wanted), None, body["label"])
                self._put(wanted, body["label"])
            case "remove":
                change = studio.change("remove", len(wanted))
                studio.photos = [photo for photo in studio.photos if photo not in wanted]
            case "decisions":
                verb, _, to = body["action"].partition(":")
                change = None if verb == "keep" else studio.change("move" if to else "remove", len(wanted), None, to)
                if to:
                    self._put(wanted, to)
                elif verb == "remove":
                    studio.photos = [photo for photo in studio.photos if photo not in wanted]
            case "guesses/accept":
                sure = [photo for photo in studio.photos if photo.label is None]
                sure = [photo for photo in sure if guess_of(photo.path, studio.classes)[1] >= body["above"]]
                change = studio.change("move", len(sure))
                for photo in sure:
                    self._put([photo], guess_of(photo.path, studio.classes)[0])
            case _:  # undo
                if not studio.past:
                    return JSONResponse({"change": None})
                change, studio.photos, studio.classes = studio.past.pop()
        studio.tell()
        return JSONResponse({"change": change})

    def _put(self, photos: Sequence[Photo], label: str | None) -> None:
        for photo in photos:
            photo.label = label

    async def guesses(self, request: Request) -> Response:
        studio = self.studio
        if studio.training is None:
            return failed(409, "Train first.")
        rows = [[photo.id, *guess_of(photo.path, studio.classes)] for photo in studio.photos if photo.label is None]
        rows.sort(key=lambda row: row[2])
        return JSONResponse({"version": studio.version, "guesses": rows})

    async def train(self, request: Request) -> Response:
        self.studio.asked.append(("train", None))
        self.training = asyncio.create_task(self._train())
        return JSONResponse({}, 202)

    async def _train(self) -> None:
        studio, steps = self.studio, 30
        for step in range(1, steps + 1):
            studio.work = {
                "kind": "train", "what": "head", "done": step, "total": steps, "sentence": "Training the model",
            }  # fmt: skip
            if step == 1:
                studio.tell()
            share = 1 - 0.5 * 0.85**step
            studio.tell("curve", {"step": step, "total": steps, "accuracy": share, "crossEntropy": 2 * (1 - share)})
            await asyncio.sleep(studio.pace)
        labelled = [(photo.id, photo.label) for photo in studio.photos if photo.label is not None]
        studio.training = {**training_of(labelled, studio.classes), "version": studio.version}
        studio.work = None
        studio.tell()

    async def examine(self, request: Request) -> Response:
        self.studio.asked.append(("examine", None))
        self.studio.examined = True
        self.studio.tell()
        return JSONResponse({}, 202)

    async def doctor(self, request: Request) -> Response:
        photos = [{"id": photo.id, "label": photo.label} for photo in self.studio.photos if photo.label]
        return JSONResponse({"version": self.studio.version, **examination_of(photos, self.studio.classes)})

    async def try_photo(self, request: Request) -> Response:
        data = await request.body()
        self.studio.asked.append(("try", len(data)))
        if self.studio.training is None:
            return failed(409, "There is no model yet: train first.")
        return JSONResponse(answer_of([(p.id, p.label) for p in self.studio.photos if p.label], self.studio.classes))

    async def export(self, request: Request) -> Response:
        name = (await request.json())["name"]
        self.studio.asked.append(("export", name))
        for each in self.studio.exports:
            if each["name"] == name:
                each |= {"written": True, "isCurrent": True, "bytes": 4_812_345, "proof": "answers as the model does"}
        self.studio.tell()
        return JSONResponse({}, 202)

    async def qr(self, request: Request) -> Response:
        return Response(QR, media_type="image/svg+xml")

    async def page(self, request: Request) -> Response:
        path = request.url.path.removeprefix("/")
        path += "index.html" if path == "" or path.endswith("/") else ""
        folder = SHARED if path.startswith("shared/") else PAGE
        file = folder / path.removeprefix("shared/")
        if not file.is_file():
            return failed(404, "There is no such page.")
        data = self.studio.files.get(path, file.read_bytes())
        return Response(data, media_type=TYPES[file.suffix], headers={"content-security-policy": POLICY})


def application(studio: Studio) -> Starlette:
    """The stand-in as an application; who has no cookie is refused where the studio has a token."""
    handlers = Handlers(studio)
    changes = ("classes", "classes/rename", "classes/remove", "move", "remove", "undo", "decisions", "guesses/accept")
    asked: Mapping[str, Any] = {
        "state": handlers.state, "events": handlers.events, "photos": handlers.photos, "qr": handlers.qr,
        "photos/{id}": handlers.picture, "thumbnails/{id}": handlers.picture, "guesses": handlers.guesses,
        "photos/{id}/similar": handlers.similar, "doctor": handlers.doctor, "classes": handlers.classes,
    }  # fmt: skip
    told: Mapping[str, Any] = {
        "enter": handlers.enter, "photos": handlers.add, "archives": handlers.archive, "train": handlers.train,
        "examine": handlers.examine, "try": handlers.try_photo, "export": handlers.export,
        **dict.fromkeys(changes, handlers.changed),
    }  # fmt: skip

    def guarded(answer: Any) -> Any:
        async def ask(request: Request) -> Response:
            if studio.token and "studio" not in request.cookies and request.url.path != "/api/enter":
                return failed(401, "Open the address that the terminal shows.")
            return await answer(request)

        return ask

    return Starlette(
        routes=[
            *(Route(f"/api/{path}", guarded(answer)) for path, answer in asked.items()),
            *(Route(f"/api/{path}", guarded(answer), methods=["POST"]) for path, answer in told.items()),
            Route("/{path:path}", handlers.page),
        ]
    )


class Served:
    """A running stand-in: `url` ends in a slash."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Start it, at the port that it had before if it had one."""
        listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            application(self.studio), log_level="critical", timeout_graceful_shutdown=0, lifespan="off"
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [listener]})
        self.thread.start()

    def stop(self) -> None:
        self.server.should_exit = self.server.force_exit = True
        self.thread.join()
        self.studio.listeners.clear()


@contextlib.contextmanager
def served(studio: Studio) -> Iterator[Served]:
    """Serve until the end of the block."""
    running = Served(studio)
    try:
        yield running
    finally:
        running.stop()


def filled(classes: Mapping[str, int], unlabelled: int = 0) -> Studio:
    """A studio with so many drawn photos of each class."""
    studio = Studio()
    for place, (label, count) in enumerate(classes.items()):
        for number in range(count):
            studio.add(label, f"{place}-{number}.jpg", picture(place, number))
        if label not in studio.classes:
            studio.classes = sorted([*studio.classes, label])
    for number in range(unlabelled):
        studio.add(None, f"new-{number}.jpg", picture(number % max(1, len(classes)), 1000 + number))
    return studio
