"""The threads that run the model, one for each interpreter, and the requests that wait for one of them.

A pool of `concurrent.futures` and asyncio's bridge to it would do the same for five times the processor time: 0.15 ms
of each request, which is a twentieth of what a small network takes for a photo.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from label_image.serve.refused import Refused, busy

Result = TypeVar("Result")
TOO_LONG = "It took too long to answer: the server is busy, or the photos are large."


@dataclass(frozen=True)
class Piece:
    """Work, and where in which loop its result is awaited."""

    work: Callable[[], Any]
    loop: asyncio.AbstractEventLoop
    result: "asyncio.Future[Any]"


class Workers:
    """Runs work in threads. No more than `waiting` pieces of it wait for one: who comes then is sent away at once."""

    def __init__(self, threads: int, waiting: int) -> None:
        self._most = threads + waiting
        self._taken = 0
        self._pieces: queue.SimpleQueue[Piece | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"label-{number}", daemon=True) for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def taken(self) -> int:
        """How many pieces of work run or wait."""
        return self._taken

    def require_room(self) -> None:
        """Raises Refused where the next piece of work would be."""
        if self._taken >= self._most:
            raise busy(f"{self._most} requests are being answered or wait")

    async def run(self, work: Callable[[], Result], seconds: float) -> Result:
        """What `work` returns. Raises Refused if that takes longer, waiting included, and whatever `work` raises.

        Work that nobody waits for any more is not begun; what was begun keeps its thread, and its place, until it ends.
        """
        self.require_room()
        self._taken += 1
        loop = asyncio.get_running_loop()
        piece = Piece(work, loop, loop.create_future())
        expiry = loop.call_later(max(seconds, 0), _expire, piece.result)
        self._pieces.put(piece)
        try:
            found: Result = await piece.result
            return found
        finally:
            expiry.cancel()

    def stop(self) -> None:
        """The threads end when all that was asked is done."""
        for _ in self._threads:
            self._pieces.put(None)

    def _work(self) -> None:
        while (piece := self._pieces.get()) is not None:
            found, error = None, None
            if not piece.result.done():
                try:
                    found = piece.work()
                except BaseException as raised:  # whoever waits for the result gets it
                    error = raised
            try:
                piece.loop.call_soon_threadsafe(self._hand_over, piece.result, found, error)
            except RuntimeError:  # the loop has ended, and nobody waits
                return
            del piece, found, error  # a photo is not kept until the next one comes

    def _hand_over(self, result: "asyncio.Future[Any]", found: Any, error: BaseException | None) -> None:
        """In the thread of the loop."""
        self._taken -= 1
        if result.done():
            return
        if error is None:
            result.set_result(found)
        else:
            result.set_exception(error)


def _expire(result: "asyncio.Future[Any]") -> None:
    if not result.done():
        result.set_exception(Refused(503, TOO_LONG))
