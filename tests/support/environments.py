"""Environments that hold a wheel, what it asks for with some extras, and nothing else: links to what is installed."""

import json
import os
import re
import subprocess
import sys
import venv
from collections.abc import Iterable, Iterator
from email.parser import Parser
from importlib.metadata import distribution
from pathlib import Path
from zipfile import ZipFile

from packaging.requirements import Requirement


def metadata_of(wheel: Path) -> dict[str, list[str]]:
    """What a wheel says of itself: each field with all its values, and the text under `text`."""
    with ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        message = Parser().parsestr(archive.read(name).decode("utf-8"))
    return {"text": [message.get_payload()], **{key: message.get_all(key) for key in message}}


def needed(requirements: Iterable[str], extras: frozenset[str]) -> set[str]:
    """The names of the distributions that are asked for, and of those that they ask for."""
    found: dict[str, frozenset[str]] = {}
    waiting = [(Requirement(text), extras) for text in requirements]
    while waiting:
        requirement, asked = waiting.pop()
        if requirement.marker and not any(requirement.marker.evaluate({"extra": extra}) for extra in ("", *asked)):
            continue
        name, wanted = re.sub(r"[-_.]+", "-", requirement.name).lower(), frozenset(requirement.extras)
        if name not in found or not wanted <= found[name]:
            found[name] = wanted | found.get(name, frozenset())
            waiting += [(Requirement(text), found[name]) for text in distribution(name).requires or ()]
    return set(found)


def files_of(name: str) -> Iterator[tuple[Path, Path]]:
    """The files of a distribution, each by its place among the packages and where it is; no bytecode, no commands."""
    for file in distribution(name).files or ():
        if ".." not in file.parts and file.suffix != ".pyc":
            yield Path(file), Path(str(file.locate()))


def pip_install(python: Path, *arguments: object) -> None:
    """Install into an environment without pip: the running one does it."""
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-compile"]
    subprocess.run([*pip, *map(str, arguments)], check=True)


class Environment:
    """An environment with a wheel; `extras` are those whose packages are there, too."""

    def __init__(self, folder: Path, wheel: Path, extras: frozenset[str] = frozenset()) -> None:
        self.bin = folder / "bin"
        venv.create(folder, with_pip=False, symlinks=True)
        (self.packages,) = folder.glob("lib/python*/site-packages")
        self.distributions = needed(metadata_of(wheel)["Requires-Dist"], extras)
        for name in self.distributions:
            for place, file in files_of(name):
                (self.packages / place).parent.mkdir(parents=True, exist_ok=True)
                if not (self.packages / place).exists():  # a package may be of two distributions
                    os.symlink(file, self.packages / place)
        pip_install(self.bin / "python", "--no-deps", "--no-index", wheel)

    def run(self, *command: object, folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run one of its commands there, with nothing of this environment."""
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COVERAGE", "RETRAIN_"))
        }
        program, *words = map(str, command)
        return subprocess.run(
            [str(self.bin / program), *words], cwd=folder, env={**kept, **variables}, capture_output=True, text=True
        )

    @property
    def bytes(self) -> int:
        """What lies among its packages, as it was installed: without bytecode, which Python makes."""
        files = (path for path in self.packages.rglob("*") if path.is_file() and path.suffix != ".pyc")
        return sum(path.stat().st_size for path in files)

    def answers(self, *command: object, folder: Path) -> dict[str, object]:
        """What a command says as one JSON object."""
        done = self.run(*command, folder=folder)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))
