"""The type of every option and argument that takes a path."""

import os
import re
from pathlib import Path
from typing import Any

import click

from label_image.not_paths import is_object_address

MEANT_AS_ADDRESS = re.compile(r"(s3|gs|hdfs):/", re.IGNORECASE)


class UserPath(click.Path):
    """A path, a `Path` unless another type is asked for. A `~` at its beginning is the home folder.

    The shell does that only at the beginning of a word, so that `--output_dir=~/out` would make a folder called `~`.
    What is meant as an address of a storage is refused, for it would make one called `s3:`.
    """

    def __init__(self, path_type: type = Path, is_local: bool = True, **rules: Any) -> None:
        super().__init__(path_type=path_type, **rules)
        self.is_local = is_local

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        if self.is_local and isinstance(value, str) and (meant := MEANT_AS_ADDRESS.match(value)):
            if is_object_address(value):
                self.fail(f"{value} is an address; this has to be a path of this machine.", parameter, context)
            self.fail(f"{value} is no address: write {meant[1]}://bucket/folder.", parameter, context)
        return super().convert(os.path.expanduser(value), parameter, context)


Folder = UserPath(file_okay=False)
File = UserPath(dir_okay=False)
AnyPath = UserPath()
LocalText = UserPath(path_type=str, readable=False)
Text = UserPath(path_type=str, is_local=False, readable=False)  # what may be no path, or is read later
