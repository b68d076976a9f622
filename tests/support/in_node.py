"""Modules of JavaScript, called from tests: one Node that answers line by line."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

# `call(arguments)` is the body of the test's; bytes travel in base 64.
PROGRAM = """
import {{ createInterface }} from "node:readline";
const bytes = (text) => new Uint8ClampedArray(Buffer.from(text, "base64"));
const text = (data) => Buffer.from(data).toString("base64");
const call = await (async () => {{ {body} }})();
const lines = createInterface({{ input: process.stdin }});
for await (const line of lines) console.log(JSON.stringify(call(JSON.parse(line))));
"""


class Node:
    """A running Node."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def __call__(self, **arguments: Any) -> Any:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(arguments) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "node has ended"
        return json.loads(line)


@contextmanager
def node(body: str) -> Iterator[Node]:
    """Node with a function, which `body` returns; skips, saying so, where there is no Node."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("no node: apt-get install nodejs")
    command = [program, "--input-type=module", "--eval", PROGRAM.format(body=body)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Node(process)
        finally:
            process.kill()


def module(path: Path) -> str:
    """The address of a module for `import`."""
    return json.dumps(path.as_uri())
