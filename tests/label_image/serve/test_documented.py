"""What docs/serve.md shows is run against a server, as far as this machine has the programs."""

import os
import re
import shlex
import shutil
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Served, served

from label_image.serve.certificates import own_certificate
from label_image.serve.cli import cli

PAGE = (Path(__file__).resolve().parents[3] / "docs/serve.md").read_text(encoding="utf-8")
ADDRESS = "127.0.0.1:8501"


@pytest.fixture(scope="module")
def server(colours: Path) -> Iterator[Served]:
    with served(colours, "--name", "cats") as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path, red: bytes) -> Path:
    (tmp_path / "gato.jpg").write_bytes(red)
    return tmp_path


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)


def shell_lines() -> list[str]:
    lines = [line.removeprefix("$ ") for block in blocks("console") for line in block.splitlines()]
    return [line for line in lines if line.startswith(("curl ", "printf "))]


def test_every_command_for_curl_runs(server: Served, folder: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl: apt-get install curl")
    commands = shell_lines()
    assert len(commands) >= 7
    text = "\n".join(re.sub(r"^curl ", "curl -sS --fail-with-body --noproxy '*' ", line) for line in commands)
    text = text.replace(ADDRESS, f"127.0.0.1:{server.port}")
    done = subprocess.run(["bash", "-euc", text], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count('"label":"red"') >= 2 and '"predictions"' in done.stdout and '"outputs"' in done.stdout


def test_the_program_with_tritonclient_runs(server: Served, folder: Path) -> None:
    (code,) = blocks("py")
    code = code.replace(ADDRESS, f"127.0.0.1:{server.port}")
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "[b'red']\n"), done.stderr


def test_every_option_is_explained_and_the_commands_take_what_is_shown() -> None:
    options = {option for parameter in cli.params for option in parameter.opts if option.startswith("--")}
    assert {option for option in options if option not in PAGE} == {"--labels", "--trust_model"}
    calls = re.findall(r"label_image serve ([^\n`'\"]*)", PAGE)
    assert len(calls) >= 4
    for call in calls:
        with cli.make_context("serve", shlex.split(call.replace("<", "")), resilient_parsing=False):
            pass


def test_the_settings_for_systemd_are_known(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze: apt-get install systemd")
    (unit,) = [block for block in blocks("ini") if "[Service]" in block]
    program = shutil.which("true")
    file = tmp_path / "label_image.service"
    file.write_text(re.sub(r"ExecStart=\S+", f"ExecStart={program}", unit))
    done = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True)
    assert "label_image.service" not in done.stderr, done.stderr


def test_nginx_passes_photos_with_tls(server: Served, red: bytes, tmp_path: Path) -> None:
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        pytest.skip("no nginx: apt-get install nginx-light")
    _, certificate = own_certificate("127.0.0.1", None, tmp_path / "https")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (shown,) = blocks("nginx")
    shown = shown.replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
    shown = re.sub(r"ssl_certificate /\S+;", f"ssl_certificate {certificate.chain};", shown)
    shown = re.sub(r"ssl_certificate_key /\S+;", f"ssl_certificate_key {certificate.key};", shown)
    shown = shown.replace(ADDRESS, f"127.0.0.1:{server.port}")
    paths = "\n".join(
        f"{name}_temp_path {tmp_path / name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = tmp_path / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    file.write_text(
        f"{user} daemon off; pid {tmp_path / 'pid'}; error_log {tmp_path / 'log'}; events {{}} "
        f"http {{ access_log off; {paths}\n{shown} }}"
    )
    process = subprocess.Popen([nginx, "-p", tmp_path, "-c", file], stderr=subprocess.PIPE, text=True)
    try:
        trusting = ssl.create_default_context(cadata=(tmp_path / "https/ca.crt").read_text())
        url = f"https://127.0.0.1:{port}/"
        for _ in range(100):
            try:
                urllib.request.urlopen(url, timeout=60, context=trusting).close()
                break
            except OSError:
                assert process.poll() is None, process.communicate()[1]
                time.sleep(0.1)
        with urllib.request.urlopen(f"{url}label", red, timeout=60, context=trusting) as answer:
            assert b'"label":"red"' in answer.read()
    finally:
        process.terminate()
        process.communicate(timeout=60)
