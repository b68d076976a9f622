"""The other Pythons of this machine that the package is for, and environments of them with packages from the index."""

import os
import re
import subprocess
import sys
from pathlib import Path

from environments import Environment, pip_install

ROOT = Path(__file__).resolve().parents[2]


def supported() -> list[str]:
    """The versions that the package says it is for, such as 3.12."""
    return re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def other_pythons() -> dict[str, Path]:
    """A program for each of those versions but the running one: found by its name, or where pyenv puts it."""
    running = f"3.{sys.version_info.minor}"
    return {version: program for version in supported() if version != running for program in _programs(version)[:1]}


def _programs(version: str) -> list[Path]:
    places = [Path(place) / f"python{version}" for place in os.environ.get("PATH", "").split(os.pathsep) if place]
    places += Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob(
        f"versions/{version}.*/bin/python{version}"
    )
    return [place for place in places if os.access(place, os.X_OK) and _makes_environments(place)]


def _makes_environments(program: Path) -> bool:
    """Whether it runs: pyenv's own `python3.12` may be of a version that is not chosen."""
    try:
        done = subprocess.run([program, "-c", "import venv"], capture_output=True)
    except OSError:
        return False
    return done.returncode == 0


def locked() -> list[str]:
    """What is tested together, as pip takes it: names with versions, each for the Pythons that it is for."""
    return re.findall(r"^\S+==[^\\\n]+", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.M)


def reaches_an_index(folder: Path) -> bool:
    """Whether a small package can be had; an empty folder is for it."""
    small = next(pin for pin in locked() if pin.startswith("mdurl=="))
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), small]
    return subprocess.run(pip, capture_output=True).returncode == 0


class OtherEnvironment(Environment):
    """An environment of another Python, empty at first."""

    def __init__(self, folder: Path, program: Path) -> None:
        subprocess.run([program, "-m", "venv", "--without-pip", folder], check=True)
        self.bin = folder / "bin"
        (self.packages,) = folder.glob("lib/python*/site-packages")
        self.constraints = folder / "constraints.txt"
        self.constraints.write_text("\n".join(locked()), encoding="utf-8")

    def install(self, what: str) -> None:
        """Install from the index, with the versions of the lock."""
        pip_install(self.bin / "python", "--constraint", self.constraints, what)
