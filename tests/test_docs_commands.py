"""The commands of all pages are commands: their options, values and targets exist. Here they are read, and not run.

Those of the tutorials, of the start pages and of a few others also run: `test_docs_tutorials.py` and its neighbours.
"""

import re
import shlex
from pathlib import Path

import click
import pytest

import label_image.cli
import label_image.serve.cli
from retrain.cli.main import cli, train_is_the_default

ROOT = Path(__file__).resolve().parents[1]
LINE = re.compile(r"^(?:\$ |    (?:\$ )?)(?:\S*/bin/)?((?:retrain|label_image|make) \S.*)$", re.M)
MAKE = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "Makefile", ROOT / "docker/docker.mk"))


def lines_of(page: Path) -> list[str]:
    """What a page tells its readers to type, each once."""
    text = re.sub(r"\s*\\\n\s*", " ", page.read_text(encoding="utf-8"))  # a command that goes on in the next line
    return list(dict.fromkeys(LINE.findall(text)))


def read(words: list[str]) -> None:
    """Read a command as its program does. Raises click.UsageError."""
    if words[:2] == ["label_image", "serve"]:
        label_image.serve.cli.cli.make_context("serve", words[2:])
    elif words[0] == "label_image":
        label_image.cli.cli.make_context("label_image", words[1:])
    else:
        name, *arguments = train_is_the_default(words[1:])
        with click.Context(cli, info_name="retrain", **cli.context_settings) as context:
            command = cli.commands[name]
            inner = command.make_context(name, arguments, parent=context)
            if isinstance(command, click.Group):
                _, below, rest = command.resolve_command(inner, [*inner._protected_args, *inner.args])
                assert below is not None
                below.make_context(below.name, rest, parent=inner)


def check_make(words: list[str]) -> None:
    for word in words[1:]:
        name, given, _ = word.partition("=")
        known = rf"\b{name}\b" if given else rf"^{name}:.*##"
        assert re.search(known, MAKE, re.M), f"make knows no {name}"


PAGES = [
    page for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "tf_files/README.md") if lines_of(page)
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_of_a_page_exist(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for line in lines_of(page):
        words = shlex.split(line, comments=True)
        try:
            check_make(words) if words[0] == "make" else read(words)
        except click.UsageError as error:
            raise AssertionError(f"{line}: {error.format_message()}") from None


@pytest.mark.parametrize(
    "line",
    ["retrain --image_dri cats", "retrain stor info", "label_image serve m --prot 1", "retrain export m --too onnx"],
)
def test_a_command_that_is_none_is_noticed(line: str) -> None:
    with pytest.raises(click.UsageError):
        read(shlex.split(line))


def test_a_target_that_is_none_is_noticed() -> None:
    with pytest.raises(AssertionError, match="make knows no retrian"):
        check_make(["make", "retrian"])
