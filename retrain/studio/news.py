"""Tells pages that something is new, as server-sent events: each page that is open is a listener.

Threads tell it, the loop of the server sends it. A page is sent the whole state, at most five times in a second: one
that comes later, or was away, knows as much as the others.
"""

import asyncio
import threading
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import anyio.to_thread
import msgspec

from retrain.core.language import language_now

PAUSE = 0.2  # seconds between two states
ALIVE = 15.0  # seconds after which something is sent, so that a page that is gone is noticed
MOST_POINTS = 1000  # that wait for a page: one that is asleep does not fill the memory


@dataclass(eq=False)
class Listener:
    """A page that is open, in the loop of the server."""

    loop: asyncio.AbstractEventLoop
    is_new: asyncio.Event = field(default_factory=asyncio.Event)
    points: deque[Any] = field(default_factory=lambda: deque(maxlen=MOST_POINTS))

    def hear(self, point: object = None) -> None:
        """In the thread of the loop."""
        if point is not None:
            self.points.append(point)
        self.is_new.set()


@dataclass(frozen=True)
class Made:
    """A state as JSON, `at` a moment, when so many times something new had been `told`."""

    told: int
    at: float
    data: bytes


class News:
    """What is told to all pages. `tell` and `point` may be called by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: set[Listener] = set()
        self._has_ended = False
        self._told = 0  # times
        self._made: dict[str, Made] = {}  # by language
        self._making: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def tell(self, point: object = None) -> None:
        """The state has changed; `point` is one of the curve of a training."""
        with self._lock:
            self._told += point is None
            listeners = tuple(self._listeners)
        for listener in listeners:
            try:
                listener.loop.call_soon_threadsafe(listener.hear, point)
            except RuntimeError:  # its loop has ended
                self._forget(listener)

    def end(self) -> None:
        """No page is told any more: the server ends."""
        self._has_ended = True
        self.tell()

    async def events(self, state: Callable[[], Any]) -> AsyncIterator[bytes]:
        """What one page is sent."""
        listener = Listener(asyncio.get_running_loop())
        with self._lock:
            self._listeners.add(listener)
        sent = b""
        try:
            while not self._has_ended:
                listener.is_new.clear()
                for _ in range(len(listener.points)):
                    yield event("curve", msgspec.json.encode(listener.points.popleft()))
                now = await self._state(state)
                if now != sent:
                    yield event("state", now)
                    sent = now
                try:
                    await asyncio.wait_for(listener.is_new.wait(), ALIVE)
                except (TimeoutError, asyncio.TimeoutError):  # which are two in Python 3.10
                    yield b": still here\n\n"
                await asyncio.sleep(PAUSE)
        finally:
            self._forget(listener)

    async def _state(self, state: Callable[[], Any]) -> bytes:
        """It as JSON: worked out once for all pages that ask at the same moment, and not in the loop."""
        language = language_now()
        async with self._making[language]:
            made, now = self._made.get(language), time.monotonic()
            if made is None or made.told != self._told or now - made.at > PAUSE:
                told = self._told
                made = Made(told, now, await anyio.to_thread.run_sync(lambda: msgspec.json.encode(state())))
                self._made[language] = made
            return made.data

    def _forget(self, listener: Listener) -> None:
        with self._lock:
            self._listeners.discard(listener)


def event(kind: str, data: bytes) -> bytes:
    """One event; JSON has no line breaks."""
    return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"
