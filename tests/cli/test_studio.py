"""`retrain studio`: from its options to what is opened."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from in_studio import TOKEN, opened

from retrain.cli.main import main
from retrain.studio import serving
from retrain.studio.config import StudioConfig


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[StudioConfig]:
    """What would be opened."""
    found: list[StudioConfig] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(serving, "serve", lambda config, say, open_page: found.append(config))
    return found


def test_alone_it_is_for_this_machine(asked: list[StudioConfig], tmp_path: Path) -> None:
    main(["studio"])
    [config] = asked
    assert config.words == ()
    assert config.folder == tmp_path / "tf_files/studio" and config.output_dir == tmp_path / "tf_files/studio_model"
    assert (config.host, config.port, config.https, config.lang) == ("127.0.0.1", 8600, False, None)
    assert config.token == config.phone_token == ""  # those of the folder


def test_the_model_lies_beside_the_folder_that_is_meant(
    asked: list[StudioConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cats/Bengal").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "cats/Bengal")
    main(["studio", ".."])
    assert (asked[0].folder, asked[0].output_dir) == (tmp_path / "cats", tmp_path / "cats_model")


def test_what_is_said_is_passed_on(asked: list[StudioConfig], tmp_path: Path) -> None:
    main(
        [
            "studio",
            "my_cats",
            "--output_dir",
            "m",
            "--phone",
            "--port",
            "0",
            "--lang",
            "pt",
            "--token",
            "abc",
            "--architecture",
            "mobilenet_1.0_224",
        ]
    )
    [config] = asked
    assert (config.folder.name, config.output_dir) == ("my_cats", Path("m"))
    assert (config.host, config.port, config.https, config.lang) == ("0.0.0.0", 0, True, "pt")
    assert config.token == "abc"
    words = "--output_dir m --phone --port 0 --lang pt --architecture mobilenet_1.0_224"  # and not the token
    assert sorted(config.words) == sorted(words.split())


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--token", "a b"], "--token"),
        (["--token", "ação"], "--token"),
        (["--lang", "xx"], "--lang"),
        (["--port", "x"], "--port"),
    ],
)
def test_a_wrong_call_is_told(
    asked: list[StudioConfig], capsys: pytest.CaptureFixture[str], options: list[str], word: str
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["studio", "cats", *options])
    assert end.value.code == 2 and word in capsys.readouterr().err and asked == []


def test_it_says_its_address_and_ends_when_it_is_told_to(tmp_path: Path) -> None:
    with opened(tmp_path / "photos", "--lang", "pt") as studio:
        assert studio.address == f"http://127.0.0.1:{studio.port}/?lang=pt#token={TOKEN}"
        assert studio.process.stdout is not None
        assert studio.process.stdout.readline().startswith("Only this machine reaches it")
        code, said = studio.end()
    assert code == 0, said


def test_the_address_is_the_same_tomorrow(tmp_path: Path) -> None:
    addresses = []
    for _ in range(2):
        with opened(tmp_path / "photos", token=None) as studio:
            addresses.append(studio.address.partition("#")[2])
            studio.end()
    assert addresses[0] == addresses[1] and len(addresses[0]) > len("token=") + 15


@pytest.mark.parametrize("what", ["file", "port", "splits", "twice"])
def test_what_cannot_be_opened_is_a_sentence(tmp_path: Path, what: str) -> None:
    folder, port = tmp_path / "photos", "0"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        if what == "file":
            folder.write_bytes(b"")
        elif what == "port":
            port = str(taken.getsockname()[1])
        elif what == "splits":
            for name in ("train/a", "train/b", "val/a", "val/b"):
                (folder / name).mkdir(parents=True)
                (folder / name / "1.jpg").write_bytes(b"")
        command = [sys.executable, "-m", "retrain", "studio", str(folder), "--port", port, "--architecture", "fake"]
        if what == "twice":
            with opened(folder):
                done = subprocess.run(command, capture_output=True, text=True)
        else:
            done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == (2 if what == "file" else 1) and done.stdout == ""
    assert (
        "Error: " in done.stderr
        and "Traceback" not in done.stderr
        and str(folder if what != "port" else port) in done.stderr
    )
