"""Who may ask."""

from pathlib import Path

import pytest
from serving import client_of

from label_image.serve.guard import Access

TOKEN = "s3cret ü"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:8501", "localhost", "localhost:1", "[::1]:8501", "192.168.1.7:80", "raspberrypi",
     "raspberrypi.local", "RaspberryPi.LOCAL.", "a.localhost", "serve:8501", "mine.example", "box", ""],
)  # fmt: skip
def test_names_that_no_stranger_can_own_are_answered(host: str) -> None:
    assert Access(hosts=frozenset({"mine.example"}), own_name="box").answers_to(host)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8501", "127.0.0.1.evil.example", "localhost.evil.example", "mine.example.evil.org",
     "user@127.0.0.1", "127.0.0.1:8501:x", "[::1", "a/b", "1.2.3", "256.1.1.1", "[not.an.address]", "evil.local.org"],
)  # fmt: skip
def test_other_names_are_not(host: str) -> None:
    assert not Access(hosts=frozenset({"mine.example"}), own_name="box").answers_to(host)
    assert Access(hosts=frozenset({"*"})).answers_to("evil.example")


def test_another_name_is_refused_everywhere(colours: Path, red: bytes) -> None:
    with client_of(colours) as client:
        for path in ("/", "/label", "/v2/health/live", "/openapi.json", "/nothing"):
            answer = client.get(path, headers={"Host": "evil.example"})
            assert answer.status_code == 421 and "--allow_host" in answer.json()["error"]
        assert client.post("/label", content=red, headers={"Host": "evil.example"}).status_code == 421
        error = client.get("/label", headers={"Host": "evil.example:8623"}).json()["error"]
        assert "the name 'evil.example': start it" in error


def test_without_the_token_only_the_page_and_the_health_are_answered(colours: Path, red: bytes) -> None:
    with client_of(colours, Access(token=TOKEN)) as client:
        for path in ("/v2/health/live", "/v2/health/ready", "/openapi.json", "/", "/index.html"):
            assert client.get(path).status_code == 200, path
        for path in ("/metrics", "/v1/models/colours", "/v2", "/v2/models/colours", "/label?camera=x", "/nothing"):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        for path in ("/label", "/", "/index.html", "/v1/models/colours:predict", "/v2/models/colours/infer"):
            assert client.post(path, content=red).status_code == 401


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (f"Bearer {TOKEN}", 200), (f"bearer  {TOKEN} ", 200),
        ("", 401), ("Bearer", 401), ("Bearer ", 401), (TOKEN, 401), (f"Basic {TOKEN}", 401),
        (f"Bearer {TOKEN[:-1]}", 401), (f"Bearer {TOKEN}x", 401), ("Bearer \xff", 401),
    ],
)  # fmt: skip
def test_the_token(colours: Path, red: bytes, header: str, status: int) -> None:
    with client_of(colours, Access(token=TOKEN)) as client:
        answer = client.post("/label", content=red, headers=[(b"Authorization", header.encode())])
        assert answer.status_code == status, answer.text


def test_pages_of_others_cannot_make_a_browser_ask(colours: Path, red: bytes) -> None:
    strange = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    with client_of(colours) as client:
        assert client.post("/label", content=red, headers=strange).status_code == 403
        assert client.get("/", headers=strange).status_code == 200  # a link
        assert client.post("/label", content=red, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200


def test_no_cors_unless_asked(colours: Path, red: bytes) -> None:
    origin = {"Origin": "https://mine.example"}
    preflight = {**origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    with client_of(colours) as client:
        assert client.options("/label", headers=preflight).status_code == 405
        assert "access-control-allow-origin" not in client.post("/label", content=red, headers=origin).headers
    with client_of(colours, Access(origins=("https://mine.example",))) as client:
        assert client.options("/label", headers=preflight).headers["access-control-allow-origin"] == origin["Origin"]
        asked = {**origin, "Sec-Fetch-Site": "cross-site"}
        answer = client.post("/label", content=red, headers=asked)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, origin["Origin"])
        other = {"Origin": "https://evil.example"}
        assert "access-control-allow-origin" not in client.post("/label", content=red, headers=other).headers


def test_answers_are_not_kept_and_not_guessed_at(colours: Path, red: bytes) -> None:
    with client_of(colours) as client:
        headers = client.post("/label", content=red).headers
    assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")
