"""How Ray is joined: what is said where that cannot be, and that nothing is left behind."""

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from label_image import on_ray
from label_image.errors import ClusterError
from label_image.on_ray import RayConfig, connected


def test_without_ray_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ClusterError, match=r"not installed: .*(make cluster|ray)"), connected():
        pass


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("ray://10.0.0.1:10001", "is that of Ray's client"),
        ("somewhere", "is not an address: give HOST:PORT"),
        ("127.0.0.1:port", "is not an address: give HOST:PORT"),
        ("127.0.0.1:99999", "No Ray cluster answers at 127.0.0.1:99999"),
    ],
)
def test_an_address_that_cannot_be(address: str, sentence: str) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    before = dict(os.environ)
    with pytest.raises(ClusterError, match=sentence), connected(RayConfig(address)):
        pass
    assert {name for name in os.environ if name.startswith("RAY_")} == {n for n in before if n.startswith("RAY_")}


def test_an_address_that_nobody_answers_at(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    with socket.socket() as silent:  # bound, and listening to nobody
        silent.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", address)
        with (
            pytest.raises(ClusterError, match=f"No Ray cluster answers at {address}.*check `ray_address`"),
            connected(),
        ):
            pass


def test_ray_that_is_started_here_is_quiet_and_leaves_no_token(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    code = (
        "import os\n"
        "from label_image.on_ray import RayConfig, connected\n"
        "for again in range(2):\n"
        "    with connected(RayConfig(cores=1)) as ray:\n"
        "        assert ray.get(ray.remote(lambda: 7).remote()) == 7\n"
        "        with connected(RayConfig('10.0.0.1:1')) as same: assert same is ray\n"
        "        assert ray.is_initialized()\n"
        "    assert not ray.is_initialized()\n"
        "    assert not [name for name in os.environ if name.startswith('RAY_AUTH')]\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**environment, "HOME": str(tmp_path)}, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not list(tmp_path.rglob("auth_token"))


@pytest.mark.kills  # it starts a cluster
def test_another_token_is_refused_in_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    from ray_nodes import ray_nodes

    with ray_nodes(1) as nodes:
        code = (
            "from label_image.on_ray import connected\nfrom label_image.errors import ClusterError\n"
            "try:\n    with connected(): print('joined')\nexcept ClusterError as error: print(error)\n"
        )
        wrong = {**os.environ, **nodes.environment, "RAY_AUTH_TOKEN": "0" * 64}
        done = subprocess.run([sys.executable, "-c", code], env=wrong, capture_output=True, text=True, timeout=200)
        assert f"The Ray cluster at {nodes.address} refuses the token" in done.stdout, done.stderr


def test_a_program_that_is_terminated_ends_as_without_ray(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    code = (
        "import os, signal, sys\n"
        "from label_image.on_ray import RayConfig, connected\n"
        "from label_image.signals import guard\n"
        "with guard(), connected(RayConfig(cores=1)):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    signal.pause()\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (128 + 15, "", "Terminated.\n")


def test_a_head_that_is_gone_is_told_of(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Ray ends the process then, and says nothing."""
    told = threading.Event()
    monkeypatch.setattr(on_ray, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(on_ray, "complain", lambda text: (print(text), told.set()))
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = f"127.0.0.1:{head.getsockname()[1]}"
        with on_ray._watched(address, "auto"):
            head.accept()[0].close()
            assert not told.is_set()
            head.close()
            assert told.wait(60)
    assert capsys.readouterr().out.startswith("The head of the Ray cluster at auto answers no more")
