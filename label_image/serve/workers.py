"""The threads that run the model, one for each interpreter, and the requests that wait for one of them."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from label_image.serve.refused import Refused, busy

Result = TypeVar("Result")


class Workers:
    """Runs work in threads. No more than `waiting` pieces of it wait for one: who comes then is sent away at once."""

    def __init__(self, threads: int, waiting: int) -> None:
        self.threads = threads
        self._most = threads + waiting
        self._taken = 0
        self._counting = threading.Lock()
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="label")

    @property
    def taken(self) -> int:
        """How many pieces of work run or wait."""
        return self._taken

    def require_room(self) -> None:
        """Raises Refused where the next piece of work would be."""
        if self._taken >= self._most:
            raise busy(f"{self._most} requests are being answered or wait")

    async def run(self, work: Callable[[], Result], seconds: float) -> Result:
        """What `work` returns. Raises Refused if that takes longer, waiting included, and whatever `work` raises."""
        with self._counting:
            self.require_room()
            self._taken += 1
        future = self._executor.submit(work)
        future.add_done_callback(self._done)  # also where it was cancelled before it began
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), max(seconds, 0.001))
        except (TimeoutError, asyncio.TimeoutError):  # two types until Python 3.11
            raise Refused(503, "It took too long to answer: the server is busy, or the photos are large.") from None

    def _done(self, _: "Future[Any]") -> None:
        with self._counting:
            self._taken -= 1

    def stop(self) -> None:
        """Nothing new is begun."""
        self._executor.shutdown(wait=False, cancel_futures=True)
