"""The type of every option and argument that takes a path."""

import os
import re
from pathlib import Path
from typing import Any

import click

from label_image.not_paths import is_object_address

MEANT_AS_ADDRESS = re.compile(r"(s3|gs|hdfs):/", re.IGNORECASE)
SCHEME = r"[A-Za-z][\w+.-]*://"
# One of the values in a variable: up to a colon, other than those of an address, its port, and a set of tfds, whose
# version and split may follow. What begins as a path or as an address does is no split.
VALUE = re.compile(
    rf"""(
        {SCHEME} [^:/]* (:\d+ (?=[:/]|$))?
      | tfds: [^:]* (:\d+\.(\d+|\*)\.(\d+|\*))? (: (?! tfds: | {SCHEME} | [/~.]) [^:\[]* (\[[^\]]*\] [^:\[]*)*)?
    )? [^:]*""",
    re.VERBOSE,
)


class UserPath(click.Path):
    """A path, a `Path` unless another type is asked for. A `~` at its beginning is the home folder.

    The shell does that only at the beginning of a word, so that `--output_dir=~/out` would make a folder called `~`.
    What is meant as an address of a storage is refused, for it would make one called `s3:`. In a variable of the
    environment several have colons between them.
    """

    def __init__(self, path_type: type = Path, is_local: bool = True, **rules: Any) -> None:
        super().__init__(path_type=path_type, **rules)
        self.is_local = is_local

    def split_envvar_value(self, rv: str) -> list[str]:
        """The values in a variable; Click's own way would cut addresses, too."""
        values, start = [], 0
        while start <= len(rv) and (found := VALUE.match(rv, start)):
            values.append(found[0])
            start = found.end() + 1
        return values

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        if self.is_local and isinstance(value, str) and (meant := MEANT_AS_ADDRESS.match(value)):
            if is_object_address(value):
                self.fail(f"{value} is an address; this has to be a path of this machine.", parameter, context)
            self.fail(f"{value} is not an address: write {meant[1]}://bucket/folder.", parameter, context)
        return super().convert(os.path.expanduser(value), parameter, context)


Folder = UserPath(file_okay=False)
File = UserPath(dir_okay=False)
AnyPath = UserPath()
LocalText = UserPath(path_type=str, readable=False)
Text = UserPath(path_type=str, is_local=False, readable=False)  # what may be no path, or is read later
