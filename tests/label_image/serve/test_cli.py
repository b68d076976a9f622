"""The command line of `label_image serve`: wrong calls, and what it says."""

import subprocess
import sys
from pathlib import Path

import pytest
from calling import call
from serving import served

from label_image.serve import addresses
from label_image.serve.cli import main
from label_image.serve.settings import Settings


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--cert", "a.pem"], "--cert and --key belong together"),
        (["--key", "a.pem"], "--cert and --key belong together"),
        (["--port", "65536"], "--port"),
        (["--token", ""], "token"),
        (["--token", " "], "--token must"),
        (["--token", "chat "], "--token must"),
        (["--token", "gatão"], "--token must"),
        (["--name", "cats/all"], "--name must"),
        (["--cors", ""], "cors"),
        (["--cors", "mine.example"], "'mine.example' is no origin: write it as in https://mine.example"),
        (["--cors", "https://mine.example/path"], "is no origin"),
        (["--cors", "https://ana@mine.example"], "is no origin"),
        (["--cors", "localhost:3000"], "is no origin"),
        (
            ["--allow_host", "https://cats.example"],
            "'https://cats.example' is not the name of a server: write it as in",
        ),
        (["--allow_host", "cats.example/label"], "is not the name of a server"),
        (["--allow_host", "*.example"], "is not the name of a server"),
        (["--allow_host", "gató.example"], "is not the name of a server"),
        (["--allow_host", ""], "--allow_host"),
        (["--threads", "0"], "--threads"),
        (["--max_seconds", "nan"], "nan is not in the range 0.1<=x<=3600"),
        (["--max_seconds", "inf"], "inf is not in the range 0.1<=x<=3600"),
        (["a", "b"], "unexpected extra argument"),
        (["--photos", "a"], "No such option"),
    ],
)
def test_a_wrong_call_ends_with_2(arguments: list[str], part: str) -> None:
    code, _, err = call(main, *arguments)
    assert code == 2 and part in err


def told(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Settings:
    """What the server was told by a command line."""
    seen: list[Settings] = []
    monkeypatch.setattr("label_image.serve.starting.serve", lambda settings, say: seen.append(settings))
    assert call(main, *arguments).code == 0
    return seen[0]


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Cats.example", "cats.example"), ("cats.example.", "cats.example"), ("cats.example:8623", "cats.example"),
        ("cats.example.:8623", "cats.example"), ("my_box-1", "my_box-1"), ("[::1]:80", "[::1]"), ("*", "*"),
    ],
)  # fmt: skip
def test_a_name_of_the_server_may_have_its_port_and_its_dot(
    written: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told(monkeypatch, "--allow_host", written).hosts == {name}


@pytest.mark.parametrize(
    ("written", "origin"),
    [
        ("https://mine.example", None), ("https://Mine.example/", "https://mine.example"), ("http://a:8080", None),
        ("https://mine.example:443", "https://mine.example"), ("http://[::1]:80", "http://[::1]"), ("*", None),
        ("https://mine.example:80", None), ("null", None), ("capacitor://localhost", None),
    ],
)  # fmt: skip
def test_an_origin_is_what_browsers_send(written: str, origin: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(monkeypatch, "--cors", written).origins == (origin or written,)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["none"], "There is no model none: train one with `retrain`, or pass the path of another."),
        (["--host", "256.0.0.1"], "cannot be listened on"),
        (["--host", "192.0.2.77"], "cannot be listened on (Cannot assign requested address): pass another"),
        ([".", "--labels", "none"], ""),
    ],
)
def test_what_cannot_be_served_ends_with_1(
    arguments: list[str], part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = call(main, "--port", "0", *arguments)
    assert code == 1 and err.startswith("Error: ") and part in err


def test_a_certificate_that_is_not_there_or_is_none_is_said(colours: Path, tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_text("none")
    for name, part in (("none.pem", "There is no file"), ("a.pem", "cannot be used")):
        file = tmp_path / name
        code, _, err = call(main, colours, "--port", "0", "--cert", file, "--key", file)
        assert code == 1 and part in err


def test_it_says_where_it_is_and_who_may_ask(colours: Path) -> None:
    with served(colours, "--host", "0.0.0.0") as server:
        assert server.said.startswith(f"Serving {colours} (3 classes) as 'colours' on http://")
        code, said = server.end()
    assert code == 0 and "--token keeps others away" in said and "--https" in said
    assert "█" not in said  # no QR code where there is no terminal


def test_the_qr_code_holds_the_address_with_the_token_behind_a_hash() -> None:
    url = addresses.address("192.168.0.7", 8501, True, "a b&c")
    assert url == "https://192.168.0.7:8501/#token=a%20b%26c"
    drawn = addresses.qr_code(url)
    assert len(drawn.splitlines()) > 10
    assert addresses.address("::1", 1, False) == "http://[::1]:1/"


def test_the_first_word_decides(tmp_path: Path) -> None:
    """`serve` is the command; a photo of that name is ./serve."""
    for arguments, part in ((["serve", "--help"], "Serve a trained model"), (["./serve"], "There is no model")):
        done = subprocess.run(
            [sys.executable, "-m", "label_image", *arguments], cwd=tmp_path, capture_output=True, text=True
        )
        assert part in done.stdout + done.stderr
        assert ("Serve a trained model" in done.stdout) == (arguments[0] == "serve")


@pytest.mark.parametrize("module", ["starlette", "uvicorn", "httptools", "prometheus_client", "python_multipart"])
def test_a_missing_package_is_a_sentence(module: str, colours: Path) -> None:
    code = f"import sys; sys.modules[{module!r}] = None; from label_image.serve.cli import main; main(sys.argv[1:])"
    done = subprocess.run([sys.executable, "-c", code, str(colours)], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: Serving needs {module}, which is not installed: run `"), done.stderr


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from label_image.serve.cli import cli; heavy = {'numpy', 'PIL', 'starlette', 'uvicorn', 'anyio', "
        "'tensorflow', 'ai_edge_litert'}; print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_serving_imports_no_tensorflow(colours: Path) -> None:
    with served(colours) as server:
        maps = Path(f"/proc/{server.process.pid}/maps").read_text()
        assert "tensorflow" not in maps
