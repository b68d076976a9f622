"""A stand-in for Hugging Face's Hub: what huggingface_hub asks to look at a repository, make one and commit to it.

Its answers are those of the Hub's HTTP interface, with large files by git-LFS; it does not have the newer storage, Xet.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

import yaml

TOKEN = "hf_test"
LARGE = (".tflite", ".pb", ".bin", "data-00000-of-00001")  # the endings that this Hub keeps beside its repositories


class Hub:
    """A running server. `repositories` maps a name to its files; `commits` are those that came."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.private: dict[str, bool] = {}
        self.commits: list[dict[str, Any]] = []
        self.kept: dict[str, bytes] = {}  # large files, by their SHA-256
        self.moves = False  # whether somebody else commits just before every commit

    def head(self, name: str) -> str:
        return hashlib.sha1(repr((name, len(self.commits), self.repositories[name])).encode()).hexdigest()

    def commit(self, name: str, lines: list[dict[str, Any]]) -> int:
        """Take a commit; returns the status of the answer."""
        head = lines[0]["value"]
        if self.moves or head.get("parentCommit", self.head(name)) != self.head(name):
            return 412
        for line in lines[1:]:
            value = line["value"]
            large = line["key"] == "lfsFile"
            content = self.kept[value["oid"]] if large else base64.b64decode(value["content"])
            self.repositories[name][value["path"]] = content
        self.commits.append(head)
        return 200

    def info(self, path: str, content: bytes) -> dict[str, Any]:
        """What it says of a file."""
        git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        large = {"lfs": {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 1}}
        return {
            "type": "file",
            "path": path,
            "size": len(content),
            "oid": git,
            **(large if path.endswith(LARGE) else {}),
        }


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_GET(self) -> None:
        name = self.path.removeprefix("/api/models/").partition("?")[0]
        if not self.is_known():
            return
        if name not in self.hub.repositories:
            return self.answer(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
        self.answer(200, {"id": name, "private": self.hub.private[name], "sha": self.hub.head(name), "tags": []})

    def do_PUT(self) -> None:
        self.hub.kept[self.path.rpartition("/")[2]] = self.body()
        self.answer(200, {})

    def do_POST(self) -> None:
        body = self.body()
        if not self.is_known():
            return
        if self.path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            self.hub.repositories[name] = {".gitattributes": b""}
            self.hub.private[name] = asked["visibility"] == "private"
            return self.answer(200, {"url": f"{self.hub.url}/{name}", "id": name})
        if found := re.fullmatch(r"/(.+)\.git/info/lfs/objects/batch", self.path):
            objects = [
                {**each, "actions": {"upload": {"href": f"{self.hub.url}/large/{each['oid']}"}}}
                for each in json.loads(body)["objects"]
            ]
            return self.answer(200, {"transfer": "basic", "objects": objects})
        if self.path == "/api/validate-yaml":
            return self.validate(json.loads(body)["content"])
        found = re.fullmatch(r"/api/models/(.+?/.+?)/(paths-info|preupload|commit)/\w+(?:\?.*)?", self.path)
        assert found is not None, self.path
        getattr(self, found[2].replace("-", "_"))(found[1], body)

    def validate(self, card: str) -> None:
        """Its own rules are stricter; that YAML can be read is the least."""
        try:
            head = yaml.safe_load(card.split("---\n")[1]) if card.startswith("---\n") else {}
            is_valid = isinstance(head, dict)
        except yaml.YAMLError:
            is_valid = False
        errors = [] if is_valid else [{"message": "cannot be read"}]
        self.answer(200 if is_valid else 400, {"errors": errors, "warnings": []})

    def paths_info(self, name: str, body: bytes) -> None:
        there = self.hub.repositories[name]
        asked = parse_qs(body.decode())["paths"]
        self.answer(200, [self.hub.info(path, there[path]) for path in asked if path in there])

    def preupload(self, name: str, body: bytes) -> None:
        files = [
            {"path": each["path"], "shouldIgnore": False,
             "uploadMode": "lfs" if each["path"].endswith(LARGE) else "regular"}
            for each in json.loads(body)["files"]
        ]  # fmt: skip
        self.answer(200, {"files": files})

    def commit(self, name: str, body: bytes) -> None:
        status = self.hub.commit(name, [json.loads(line) for line in body.splitlines()])
        said = {"commitUrl": f"{self.hub.url}/{name}/commit/{'a' * 40}", "commitOid": "a" * 40}
        self.answer(status, said if status == 200 else {"error": "The repository has changed"})

    def is_known(self) -> bool:
        if self.headers["Authorization"] == f"Bearer {TOKEN}":
            return True
        self.answer(401, {"error": "Invalid username or password."})
        return False

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status: int, value: object, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        for key, text in {
            "Content-Type": "application/json",
            "Content-Length": str(len(data)),
            **(headers or {}),
        }.items():
            self.send_header(key, text)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def hub_server() -> Iterator[Hub]:
    """A Hub on loopback, with no repository yet."""
    handler = type("Handler", (_Handler,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        hub = handler.hub = Hub(f"http://127.0.0.1:{http.server_port}")  # type: ignore[attr-defined]
        thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield hub
        http.shutdown()
        thread.join()
