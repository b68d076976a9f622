"""The model that answers, and the one that takes its place when the export is written anew.

A request keeps the model that it began with, so no answer is half of one and half of the next. A new export that cannot
be loaded changes nothing but what is said.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from label_image.errors import ModelError
from label_image.from_file import Stamps, stamps
from label_image.model import Model, load_model
from label_image.serve.page import PageFile, PageFiles, page_of
from label_image.serve.refused import Refused

EVERY_SECONDS = 1.0  # the files are looked at
AGAIN_SECONDS = 30.0  # until the same files, which could not be loaded, are tried once more
ATTEMPTS = 3

Say = Callable[[str], None]


class Listener(Protocol):
    """Who counts what becomes of the model."""

    def loaded(self, version: int) -> None: ...
    def failed(self) -> None: ...


@dataclass(frozen=True)
class Loaded:
    """A model with the page that belongs to it. `version` counts those of this server, from 1."""

    name: str
    version: int
    model: Model
    page: Mapping[str, PageFile]
    tells_similarity: bool
    stamps: Stamps

    @property
    def size(self) -> int:
        """Side of the square that the model sees, in pixels."""
        return self.model.preprocessing.size


@dataclass(frozen=True)
class Origin:
    """Where a model comes from: the path of an export, and how it is to be read."""

    path: Path
    name: str
    labels: str | None = None
    trust: bool = False

    def load(self, version: int, page_files: PageFiles, before: "Loaded | None" = None) -> Loaded:
        """The model as it lies there now, with a page of the same files. Raises ModelError."""
        for _ in range(ATTEMPTS):
            found = stamps(self.path.absolute())
            model = load_model(self.path, self.labels, self.trust)
            page = page_of(page_files, self.path, model.labels, before.page if before else {})
            if stamps(self.path.absolute()) == found:
                black = np.zeros((1, model.preprocessing.size, model.preprocessing.size, 3), np.uint8)
                tells = model.run(black).similarity is not None
                return Loaded(self.name, version, model, page, tells, found)
        raise ModelError(f"{self.path} is being replaced again and again.")


class ModelInUse:
    """The model of now: `current`. Raises ModelError if there is none to begin with."""

    def __init__(self, origin: Origin, page_files: PageFiles, say: Say, listener: Listener) -> None:
        self._origin, self._page_files, self._say, self._listener = origin, page_files, say, listener
        self._failed: tuple[Stamps, float] | None = None
        self.current = origin.load(1, page_files)
        listener.loaded(1)

    def of(self, name: str, version: str | None = None) -> Loaded:
        """The model of now, if that is the one which is asked for. Raises Refused."""
        current = self.current
        if name != current.name:
            raise Refused(404, f"There is no model {name!r} here: the one that is served is {current.name!r}.")
        if version is not None and version != str(current.version):
            raise Refused(404, f"Version {version!r} of {name!r} is not served: that is {current.version}.")
        return current

    async def watch(self) -> None:
        """Take up what is written to the place of the model, for ever."""
        said = ""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await asyncio.to_thread(self.look)
                said = ""
            except Exception as error:  # whatever it is, what runs goes on
                why = f"The model's files could not be checked: {type(error).__name__}: {error}"
                if why != said:
                    self._say(why)
                said = why

    def look(self) -> None:
        """Take up the model that lies there, if it is another one."""
        found = stamps(self._origin.path.absolute())
        if found == self.current.stamps or not self._may_try(found):
            return
        try:
            self.current = self._origin.load(self.current.version + 1, self._page_files, self.current)
        except (ModelError, OSError, MemoryError) as error:
            first = self._failed is None or self._failed[0] != found
            self._failed = (found, time.monotonic())
            self._listener.failed()
            if first:
                self._say(f"{str(error).rstrip('.')}. The model from before stays in use.")
            return
        self._failed = None
        self._listener.loaded(self.current.version)
        self._say(f"{self._origin.path} was replaced: it is in use, as version {self.current.version}.")

    def _may_try(self, found: Stamps) -> bool:
        return self._failed is None or self._failed[0] != found or time.monotonic() > self._failed[1] + AGAIN_SECONDS
