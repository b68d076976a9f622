"""What every command needs from its terminal and machine: standard streams, a working folder, memory.

A command runs inside of `run`. Then text that the terminal's encoding lacks is spelled out, output that cannot be
written ends the command with a sentence, and so does what no module foresaw: a full disk, too little memory.
"""

import codecs
import errno
import io
import json
import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn, TextIO

from label_image.errors import first_line

BROKEN_PIPE = 141  # as a shell counts a program that SIGPIPE ended
ERRORS = "spelled_out"
JOINERS = "\u200c\u200d"  # invisible, and part of emoji and of many scripts
SPELLED = str.maketrans(
    {"…": "...", "–": "-", "—": "-", "→": "->", "×": "x", "±": "+-", "‘": "'", "’": "'", "“": '"', "”": '"'}
    | dict.fromkeys("━╸╺─", "-")
    | dict.fromkeys("│┃", "|")
)
NO_MEMORY = (
    "There is not enough memory: close other programs, allow this one more (ulimit -v, or the container's limit), "
    "or use a smaller --image_size."
)
NOT_LOADED = ("failed to map segment", "cannot allocate memory")  # glibc's words
NO_THREAD = "No further thread can be started: allow more memory (ulimit -v) or more processes (ulimit -u)."
NO_FOLDER = "The folder that this command runs in is gone: cd to one that exists, and run it again."


def run(command: Callable[[], None]) -> None:
    """Run a command. Ends the process with an exit code other than 0 where the command does, or cannot go on."""
    open_standard_files()
    sys.stdout = _wrapped(sys.stdout, _Results)
    sys.stderr = _wrapped(sys.stderr, _Remarks)
    try:
        command()
    except Exception as error:
        sentence = explained(error)
        if sentence is None:
            raise
        complain(f"Error: {sentence}")
        sys.exit(1)
    finally:
        sys.stdout.flush()


def require_working_folder() -> None:
    """Raise FileNotFoundError, which `run` explains, if the working folder was deleted."""
    try:
        os.getcwd()
    except OSError as error:
        raise FileNotFoundError(errno.ENOENT, NO_FOLDER) from error


def complain(text: str) -> None:
    """Print a sentence, or several lines, on standard error; a terminal gets it in rows that end between words."""
    for line in text.splitlines():
        starts = [0, *(row_starts(line, shutil.get_terminal_size().columns) if sys.stderr.isatty() else [])]
        for start, end in zip(starts, [*starts[1:], len(line)], strict=True):
            print(line[start:end].rstrip(), file=sys.stderr)


def row_starts(words: str, width: int) -> list[int]:
    """Where the second and all further rows of a line begin, in a terminal of `width` columns.

    Rows end between words. A longer word, such as a path, has a row to itself and stays whole: it can be copied.
    """
    starts, row, end = [], 0, 0
    for word in re.finditer(r"\S+", words):
        if columns(words[row : word.end()]) > width and end > row:
            row = word.start()
            starts.append(row)
        end = word.end()
    return starts


def columns(text: str) -> int:
    """How wide a text is on a terminal."""
    if text.isascii():
        return len(text)
    # Mn, Me: accents. Cf: joiners.
    seen = [character for character in text if unicodedata.category(character) not in ("Mn", "Me", "Cf")]
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in seen)


def json_line(value: object) -> str:
    """One line of JSON for standard output; in ASCII, which means the same, where it could not be shown harmlessly."""
    line = json.dumps(value, ensure_ascii=False)
    try:
        line.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(value)
    return line if shown(line) == line else json.dumps(value)


def explained(error: BaseException) -> str | None:
    """A sentence for what the machine refused; None for anything else, which is a mistake of ours."""
    if isinstance(error, MemoryError) or lacks_memory(error) or type(error).__name__ == "ResourceExhaustedError":
        return str(error) if str(error).startswith("ulimit") else NO_MEMORY
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return NO_THREAD
    if any(kind.__name__ == "OpError" for kind in type(error).__mro__):  # TensorFlow's, which is not imported for this
        return f"TensorFlow could not go on: {first_line(error)}."
    if isinstance(error, OSError) and error.strerror:
        if error.strerror == NO_FOLDER:
            return NO_FOLDER
        return f"{shown(error.filename)}: {error.strerror}." if error.filename else f"{error.strerror}."
    return None


def lacks_memory(error: BaseException) -> bool:
    """Whether a library could not be loaded because too little memory is allowed (ulimit -v)."""
    return isinstance(error, ImportError) and any(reason in str(error).lower() for reason in NOT_LOADED)


def require_address_space(needed: int) -> None:
    """Raise MemoryError if ulimit -v allows fewer bytes: libraries in C++ abort at such a limit, or wait for ever."""
    if sys.platform == "win32":
        return
    import resource

    allowed, _ = resource.getrlimit(resource.RLIMIT_AS)
    if allowed != resource.RLIM_INFINITY and allowed < needed:
        raise MemoryError(f"ulimit -v allows {allowed / 1e9:.1f} GB: raise it to at least {needed / 1e9:.0f} GB.")


def shown(text: object) -> str:
    """A text or path without anything that steers a terminal: such characters as their numbers, `\\x1b` or `\\u202e`.

    An escape sequence in a label would move the cursor or set the window's title, and one with a bidirectional override
    would read as another label. Of a path, bytes that are not UTF-8 are written as `\\xff`.
    """
    text = str(text)
    return text if text.isascii() and text.isprintable() else "".join(map(_harmless, text))


def _harmless(character: str) -> str:
    # Cc: controls. Cf: bidirectional marks, tags. Cs: lone surrogates, which no terminal takes. Zl, Zp: line ends.
    if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp") or character in JOINERS:
        return character
    if "\udc80" <= character <= "\udcff":  # how Python keeps a byte of a name that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape", "surrogatepass").decode()


def open_standard_files() -> None:
    """Give a closed input, output or error a place.

    Otherwise the next file that is opened takes its number, and what others print goes into that file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


class _Results(io.TextIOWrapper):
    """Standard output. Where it cannot be written, the command ends: quietly if nobody reads it any longer."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self._end(error)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._end(error)

    def _end(self, error: OSError) -> NoReturn:
        # What is left in the buffer goes nowhere, or Python would try again at its end, and complain.
        _lead_nowhere(self)
        if isinstance(error, BrokenPipeError):
            sys.exit(BROKEN_PIPE)
        print(f"Error: standard output cannot be written: {error.strerror}.", file=sys.stderr)
        sys.exit(1)


class _Remarks(io.TextIOWrapper):
    """Standard error. That its progress cannot be written is no reason to end hours of work."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError:
            _lead_nowhere(self)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            _lead_nowhere(self)


def _lead_nowhere(stream: io.TextIOWrapper) -> None:
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _wrapped(stream: TextIO | None, kind: type[io.TextIOWrapper]) -> TextIO:
    """A standard stream as `kind`; one that another program put in its place (a test, a notebook) learns to spell."""
    if stream is None:  # it was closed when the process began
        return kind(open(os.devnull, "wb"), encoding="utf-8")
    if type(stream) is not io.TextIOWrapper or stream not in (sys.__stdout__, sys.__stderr__):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ERRORS)
        return stream
    return kind(
        stream.buffer, encoding=stream.encoding, errors=ERRORS,
        line_buffering=stream.line_buffering, write_through=stream.write_through,
    )  # fmt: skip


def _spell_out(error: UnicodeError) -> tuple[str, int]:
    """A codec's error handler: `...` for an ellipsis, `\\xff` for a byte of a name that is not UTF-8."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(SPELLED)
    return "".join(map(_escaped, text)), error.end


def _escaped(character: str) -> str:
    character = _harmless(character)
    return character.encode("ascii", "backslashreplace").decode()


codecs.register_error(ERRORS, _spell_out)
