"""What a page tells its readers to type, and running it in this process."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from calling import call

import label_image.cli
import retrain.cli.main

BLOCK = re.compile(r"(?:<!-- (?P<remark>.*?) -->\n)?```console\n(?P<code>.*?)^```", re.M | re.S)
NOT_RUN = "not run: "  # how a remark above a block begins, with the reason behind it
PROGRAMS = {"retrain": retrain.cli.main.main, "label_image": label_image.cli.main}


class Typed(NamedTuple):
    """A command of a page; `why_not` says why tests do not run it."""

    command: str
    why_not: str = ""


def typed(page: Path) -> Iterator[Typed]:
    """The commands at the prompts of a page."""
    for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
        remark = block["remark"] or ""
        assert not remark or remark.startswith(NOT_RUN), remark
        for line in block["code"].splitlines():
            if line.startswith("$ "):
                yield Typed(line[2:].partition("  #")[0].strip(), remark.removeprefix(NOT_RUN))


def run(command: str) -> str:
    """Run a command with the average-colour network, where it takes one and names none; returns what it said."""
    program, *arguments = shlex.split(command)
    name = arguments[0] if arguments and arguments[0] in retrain.cli.main.cli.commands else "train"
    takes = {option for each in retrain.cli.main.cli.commands[name].params for option in each.opts}
    small = ["--architecture", "fake"] if program == "retrain" and "--architecture" in takes - {*arguments} else []
    done = call(PROGRAMS[program], *arguments, *small)
    assert done.code == 0, (command, done.out, done.err)
    return done.out + done.err
