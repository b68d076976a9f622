"""Who may ask the studio, and for what."""

import pytest
from starlette.datastructures import Headers

from label_image.serve.refused import Refused
from retrain.studio.gate import Gate

HOST = "127.0.0.1:8600"
GATE = Gate("secret", "phones", 8600)


def refused(method: str, path: str, **headers: str) -> int | None:
    """The status with which it is refused; None where it may be asked."""
    given = Headers({"host": HOST, **{name.replace("_", "-"): value for name, value in headers.items()}})
    try:
        GATE.check(method, path, given)
    except Refused as refusal:
        return refusal.status
    return None


@pytest.mark.parametrize("path", ["/", "/app.js", "/collect/", "/try/", "/ca.crt"])
def test_files_of_the_pages_are_for_all(path: str) -> None:
    assert refused("GET", path) is None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": "Basic secret"},
        {"authorization": "Bearer secre"},
        {"cookie": "retrain_studio_8600=wrong"},
        {"cookie": "retrain_studio_8601=secret"},
        {"cookie": ";;==\x01"},
        {"authorization": "Bearer \xe9"},
    ],
)
def test_what_has_no_token_is_refused(headers: dict[str, str]) -> None:
    for method, path in (("GET", "/api/state"), ("POST", "/api/enter"), ("POST", "/api/train")):
        assert refused(method, path, **headers) == 401


def test_the_token_opens_all_by_header_or_cookie() -> None:
    for method, path in (("GET", "/api/state"), ("POST", "/api/remove"), ("GET", "/api/events")):
        assert refused(method, path, authorization="Bearer secret") is None
        assert refused(method, path, cookie="other=1; retrain_studio_8600=secret") is None


def test_a_phone_may_add_photos_alone() -> None:
    for method, path in (("GET", "/api/classes"), ("POST", "/api/photos"), ("POST", "/api/enter")):
        assert refused(method, path, authorization="Bearer phones") is None
    for method, path in (
        ("GET", "/api/photos"),
        ("POST", "/api/classes"),
        ("GET", "/api/state"),
        ("POST", "/api/undo"),
    ):
        assert refused(method, path, authorization="Bearer phones") == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://example.com"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8601"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
def test_pages_of_others_get_nothing_whatever_they_bring(headers: dict[str, str]) -> None:
    for method in ("GET", "POST"):
        assert refused(method, "/api/state", authorization="Bearer secret", **headers) == 403


def test_a_browser_may_be_the_page_and_a_phone() -> None:
    phone = GATE.cookie(False, Headers({"authorization": "Bearer phones"})).partition(";")[0]
    page = GATE.cookie(False, Headers({"authorization": "Bearer secret"})).partition(";")[0]
    assert refused("GET", "/api/state", cookie=phone) == 403
    assert refused("GET", "/api/state", cookie=f"{phone}; {page}") is None


def test_its_own_pages_may_ask() -> None:
    for origin in (f"http://{HOST}", f"https://{HOST}"):
        assert refused("POST", "/api/undo", authorization="Bearer secret", origin=origin) is None
    assert refused("GET", "/api/state", authorization="Bearer secret", sec_fetch_site="same-origin") is None


@pytest.mark.parametrize("host", ["evil.example.com", "127.0.0.1.nip.io", "a b"])
def test_a_name_that_a_stranger_may_own_is_not_answered(host: str) -> None:
    assert refused("GET", "/", host=host) == 421
    assert refused("GET", "/api/state", host=host, authorization="Bearer secret") == 421


def test_the_cookie_is_for_this_studio_alone() -> None:
    headers = Headers({"authorization": "Bearer secret"})
    cookie = GATE.cookie(False, headers)
    assert cookie.startswith("retrain_studio_8600=secret; ")
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Secure" not in cookie
    assert GATE.cookie(True, headers).endswith("; Secure")
    assert refused("GET", "/api/state", cookie=cookie.partition(";")[0]) is None
