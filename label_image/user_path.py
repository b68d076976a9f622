"""The type of every option and argument that takes a path."""

import os
from pathlib import Path
from typing import Any

import click


class UserPath(click.Path):
    """A path, a `Path` unless another type is asked for. A `~` at its beginning is the home folder.

    The shell does that only at the beginning of a word, so that `--output_dir=~/out` would make a folder called `~`.
    """

    def __init__(self, path_type: type = Path, **rules: Any) -> None:
        super().__init__(path_type=path_type, **rules)

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        return super().convert(os.path.expanduser(value), parameter, context)


Folder = UserPath(file_okay=False)
File = UserPath(dir_okay=False)
AnyPath = UserPath()
Text = UserPath(path_type=str, readable=False)  # what may be something else than a path, or is read later
