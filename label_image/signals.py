"""Ctrl-C, `docker stop` and a closed terminal: the run cleans up and ends, with exit code 128 + the signal's number.

The first signal raises `Stopped`, a KeyboardInterrupt, wherever the main thread is, so that whatever cleans up after
Ctrl-C does so for the others. The second one ends the process at once: it leaves no more behind than a kill does,
which the next run deals with. Neither shows a traceback, not even while Python or TensorFlow starts or ends.
"""

import atexit
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from label_image.quiet import end_silence

WORDS = {
    "SIGINT": "Interrupted.",
    "SIGTERM": "Terminated.",
    "SIGHUP": "Terminated, as the terminal was closed.",
}
STOPPING = {getattr(signal, name): word for name, word in WORDS.items() if hasattr(signal, name)}
AGAIN_SECONDS = 0.05
# Until Python 3.13 they take a lock and only then begin the block that gives it back. A `Stopped` in between leaves it
# locked, and every thread that imports, or logs as Pillow does for each chunk of a PNG, waits for ever.
TAKING_LOCKS = {"importlib._bootstrap", "importlib._bootstrap_external", "logging"}
SHOW_CURSOR = b"\x1b[?25h"  # a progress bar hides it


class Stopped(KeyboardInterrupt):
    """A signal has asked the process to end."""


@dataclass
class _State:
    guarding: bool = False  # the handlers are ours
    received: int | None = None  # the signal that stopped the run
    said: bool = False
    leaving: bool = False  # nothing is left to clean up
    deferring: int = 0
    waiting: list[int] = field(default_factory=list)


_state = _State()


@contextmanager
def guard() -> Iterator[None]:
    """Around all that a command line does, its imports too; the process ends after it."""
    _state.guarding = True
    for number in STOPPING:
        if signal.getsignal(number) != signal.SIG_IGN:  # what nohup and a shell's background jobs ignore, we do
            signal.signal(number, _handle)
    sys.unraisablehook = _quiet_hook(sys.unraisablehook)
    threading.excepthook = _quiet_hook(threading.excepthook)
    try:
        with stops_come_first():
            yield
        _state.leaving = True
    except KeyboardInterrupt:
        say_stopped()
        sys.exit(exit_code())
    finally:
        _state.leaving = True
        if _state.received is not None:
            # At once: what is cleaned up is so by now, and Python's own end would wait for threads of libraries.
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError, ValueError):
                    stream.flush()
            os._exit(exit_code())


def leave() -> None:
    """End the process with exit code 0, and at once: Python's own end frees what TensorFlow holds, for 0.7 s.

    It returns where not all that was printed can be written: Python's own end says so.
    """
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except (OSError, ValueError):
        return
    atexit._run_exitfuncs()
    os._exit(0)


@contextmanager
def stops_come_first() -> Iterator[None]:
    """After a signal any error is `Stopped`: libraries turn a KeyboardInterrupt into errors of theirs."""
    try:
        yield
    except SystemExit:
        raise
    except BaseException:
        if _state.received is None:
            raise
        raise Stopped from None


@contextmanager
def deferred() -> Iterator[None]:
    """A signal that comes in this block stops the run at its end: for a few renames that belong together."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is interrupted
    elif _state.guarding:
        _state.deferring += 1
        try:
            yield
        finally:
            _state.deferring -= 1
            if _state.waiting and not _state.deferring:
                _handle(_state.waiting.pop(), None)
    else:
        with _interrupts_deferred():
            yield


def exit_code() -> int:
    """128 + the number of the signal that stopped the run; of a KeyboardInterrupt without one, that of Ctrl-C."""
    return 128 + (_state.received or signal.SIGINT)


def say_stopped(advice: str = "") -> None:
    """Say on standard error what stopped the run, once; whoever hung up hears nothing."""
    if _state.said:
        return
    with contextlib.suppress(OSError, ValueError):
        end_silence()
        print(f"{STOPPING[_state.received or signal.SIGINT]} {advice}".strip(), file=sys.stderr, flush=True)
    _state.said = _state.guarding  # not before: a second signal meanwhile ends a process that has said nothing


@contextmanager
def _interrupts_deferred() -> Iterator[None]:
    """For a program that uses the Python API, whose handlers are its own."""
    waiting: list[int] = []
    earlier = signal.getsignal(signal.SIGINT)
    if not callable(earlier):
        yield
        return
    signal.signal(signal.SIGINT, lambda number, frame: waiting.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, earlier)
        if waiting:
            signal.raise_signal(signal.SIGINT)


def _handle(number: int, frame: FrameType | None) -> None:
    if _state.deferring:
        _state.waiting.append(number)
        return
    if _state.received is not None or _state.leaving:
        _end(_state.received or number)
    if frame is not None and frame.f_globals.get("__name__") in TAKING_LOCKS:
        _send_again(number)
        return
    _state.received = number
    raise Stopped


def _send_again(number: int) -> None:
    """The same signal, a little later."""
    again = threading.Timer(AGAIN_SECONDS, _send_to_main_thread, (number,))
    again.daemon = True
    with contextlib.suppress(RuntimeError):
        again.start()


def _send_to_main_thread(number: int) -> None:
    """Sent to it, a signal also wakes it up."""
    identifier = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and identifier is not None:
        signal.pthread_kill(identifier, number)
    else:
        signal.raise_signal(number)


def _end(number: int) -> None:
    """End the process now."""
    with contextlib.suppress(OSError):
        end_silence()  # TensorFlow may be being loaded
        word = b"" if _state.said or _state.leaving else STOPPING[number].encode() + b"\n"
        os.write(2, (SHOW_CURSOR if os.isatty(2) else b"") + word)
    os._exit(128 + number)


def _quiet_hook(shown: Any) -> Any:
    """A hook for exceptions that Python prints and forgets, which shows none of those that a signal has caused."""

    def hook(unraisable: Any) -> None:
        if _state.received is None:
            shown(unraisable)
        elif issubclass(unraisable.exc_type, Stopped):
            # It was raised where Python goes on regardless, such as in a callback: once more, a little later.
            number, _state.received = _state.received, None
            _send_again(number)

    return hook
