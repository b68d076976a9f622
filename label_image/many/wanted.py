"""What was asked for, and the calls that make no sense."""

import glob
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from label_image.find_photos import each_file_once, find_photos
from label_image.folders import Found, PassedOver
from label_image.manifest import FORMAT, format_of
from label_image.not_paths import STANDARD_INPUT, is_no_path, is_web_address
from label_image.table_names import misnamed

ENDINGS = {"--csv": ".csv", "--parquet": ".parquet", "--jsonl": ".jsonl", "--embed": ".parquet"}  # of tables


class CallError(Exception):
    """A call that makes no sense; the message is a sentence that names the option."""


@dataclass(frozen=True)
class Wanted:
    """The arguments, by their options."""

    images: tuple[str, ...]
    csv: Path | None = None
    parquet: Path | None = None
    jsonl: Path | None = None
    embed: Path | None = None
    copy_to: Path | None = None
    move_to: Path | None = None
    watch: bool = False
    as_json: bool = False
    always_answer: bool = False
    top_k: int = 5
    executor: str = "local"
    ray_address: str | None = None

    @property
    def tables(self) -> dict[str, Path]:
        """The tables, by their options."""
        named = {"--csv": self.csv, "--parquet": self.parquet, "--jsonl": self.jsonl, "--embed": self.embed}
        return {option: path for option, path in named.items() if path is not None}

    @property
    def sorted_to(self) -> Path | None:
        """The folder of the folders of classes."""
        return self.move_to or self.copy_to

    @property
    def keeps(self) -> bool:
        """Whether anything is written."""
        return bool(self.tables) or self.sorted_to is not None

    @property
    def prints(self) -> bool:
        """Whether answers are printed: where something is written, a bar and a summary take their place."""
        return self.as_json or self.watch or not self.keeps

    @property
    def placed(self) -> str:
        """What a row calls the place where its photo was put; nothing where none is."""
        return "moved_to" if self.move_to else "copied_to" if self.copy_to else ""

    @property
    def sort_option(self) -> str:
        """The option that sorts."""
        return "--move_to" if self.move_to else "--copy_to"

    def photos(self) -> Iterator[Found]:
        """What the arguments name, but for what this program writes itself, and folders without photos."""
        outputs = {(os.path.realpath(path.parent), path.name) for path in self.tables.values()}
        outputs |= {os.path.split(os.path.realpath(path)) for path in self.tables.values()}  # where links lead
        real: dict[str, str] = {}
        sorted_before: dict[str, bool] = {}
        for found in self._found():
            if isinstance(found, PassedOver):
                if found.kind == "empty" and (self.keeps or self.watch):  # perhaps because all was moved
                    continue
            elif self.keeps and not is_no_path(found):
                folder, name = os.path.split(found)
                if folder not in real:
                    real[folder] = os.path.realpath(folder or os.curdir)
                    sorted_before[folder] = self._is_sorted(real[folder])
                if sorted_before[folder]:
                    continue
                if any(real[folder] == where and _is_of(name, own) for where, own in outputs):
                    continue
                if self.move_to and self._is_pattern(found):
                    yield PassedOver(found, "no match", "matches no photo")  # perhaps for the same reason
                    continue
            yield found

    def _found(self) -> Iterator[Found]:
        """All that the arguments name; what is moved once is not there under another path."""
        found = find_photos(self.images)
        is_one_folder = len(self.images) == 1 and os.path.isdir(self.images[0])  # in which each file is found once
        return each_file_once(found) if self.move_to and not is_one_folder else found

    def check(self) -> None:
        """Raise CallError for a call that makes no sense."""
        if self.copy_to and self.move_to:
            raise CallError("--copy_to and --move_to exclude one another: choose one.")
        outputs = {**self.tables, **({} if self.sorted_to is None else {self.sort_option: self.sorted_to})}
        named = [(option, os.path.realpath(path)) for option, path in outputs.items()]
        for number, (option, path) in enumerate(named):
            for other, same in named[:number]:
                if path == same:
                    raise CallError(f"{other} and {option} are the same path: choose two different names.")
            if holder := next((str(folder) for folder in Path(path).parents if format_of(folder) == FORMAT), None):
                raise CallError(f"{option} {outputs[option]} lies in the export {holder}: choose a path outside of it.")
        for option, table in self.tables.items():
            if wrong := misnamed(option, table, ENDINGS[option]):
                raise CallError(wrong)
        self._check_embed()
        self._check_executor()
        if self.images.count(STANDARD_INPUT) > 1:
            raise CallError("- is standard input, which can be read once: name it once.")
        for image in self.images:
            self._check_image(image)
        if self.sorted_to is not None and os.path.lexists(self.sorted_to) and not self.sorted_to.is_dir():
            raise CallError(f"{self.sort_option} {self.sorted_to} is not a folder: choose another name.")

    def _check_embed(self) -> None:
        if self.embed is None:
            return
        of_answers = {
            **{option: True for option in self.tables if option != "--embed"},
            **({} if self.sorted_to is None else {self.sort_option: True}),
            "--watch": self.watch, "--json": self.as_json, "--always_answer": self.always_answer,
            "--executor ray": self.executor == "ray",
        }  # fmt: skip
        if option := next((option for option, is_given in of_answers.items() if is_given), None):
            raise CallError(f"--embed writes what the network sees, here and once: leave it out, or {option}.")

    def _check_executor(self) -> None:
        if self.executor != "ray":
            if self.ray_address is not None:
                raise CallError("--ray_address is for --executor ray: add that, or leave it out.")
            return
        if self.watch:
            raise CallError("--watch is for this machine: leave it out, or --executor ray.")
        if STANDARD_INPUT in self.images:
            raise CallError("--executor ray is for files, folders and addresses, which - is not.")

    def _check_image(self, image: str) -> None:
        if is_web_address(image):
            check_web_address(image)
        if is_no_path(image):
            if self.sorted_to is not None or self.watch:
                option = "--watch" if self.watch else self.sort_option
                raise CallError(f"{option} is for files and folders, which {image} is not.")
        elif self.watch and not os.path.isdir(image):
            raise CallError(f"--watch is for folders, which {image} is not.")
        elif os.path.lexists(image) and self._is_sorted(image):
            raise CallError(
                f"{image} lies in {self.sort_option} {self.sorted_to}, whose photos are sorted: choose another folder."
            )

    def _is_sorted(self, path: str) -> bool:
        """Whether a path lies where photos are sorted to."""
        if self.sorted_to is None:
            return False
        from label_image.many.sorted_folders import lies_in

        return lies_in(path, self.sorted_to)

    def means(self, path: str) -> bool:
        """Whether a photo of an unfinished run may be one of these: it is named, or lies below what is, as spelled."""
        return path in self.named or any(Path(path).is_relative_to(start) for start in self._starts)

    @cached_property
    def named(self) -> frozenset[str]:
        """The arguments, which may be as many as photos."""
        return frozenset(self.images)

    @cached_property
    def standing(self) -> list[str]:
        """The arguments that mean the same photos in the next run, as full paths: a shell makes others of `*.jpg`."""
        return [image if is_no_path(image) else os.path.abspath(image) for image in self._standing]

    @cached_property
    def spelled(self) -> list[str]:
        """The same as they are named, and so the photos in the tables."""
        return [image if not os.path.isdir(image) else str(Path(image)) for image in self._standing]

    def _is_pattern(self, found: str) -> bool:
        """Whether what was found is a pattern itself, since it matches nothing."""
        return found in self.named and glob.has_magic(found) and not os.path.lexists(found)

    @cached_property
    def _standing(self) -> list[str]:
        return [
            image
            for image in self.images
            if is_no_path(image) or os.path.isdir(image) or (glob.has_magic(image) and not os.path.lexists(image))
        ]

    @cached_property
    def _starts(self) -> list[Path]:
        """The folders below which photos are looked for."""
        return [_before_magic(image) for image in self._standing if not is_no_path(image)]


def _before_magic(image: str) -> Path:
    """A folder itself; of a pattern the folder in which it begins."""
    while glob.has_magic(image) and not os.path.isdir(image):
        image = os.path.dirname(image)
    return Path(image)


def check_web_address(url: str) -> None:
    """Raise CallError unless an address may be asked."""
    from label_image.errors import DownloadError
    from label_image.web_address import check_address, with_checksum

    try:
        address, checksum = with_checksum(url)
        check_address(address, checksum is not None)
    except DownloadError as error:
        raise CallError(str(error)) from None


def _is_of(name: str, table: str) -> bool:
    """Whether a file is a table, its journal, or an earlier one that was kept."""
    return name == table or re.fullmatch(rf"{re.escape(table)}\.(partial|\d+)", name) is not None
