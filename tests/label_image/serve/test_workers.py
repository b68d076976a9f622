"""The threads, and who waits for them."""

import asyncio
import threading
import time

import pytest

from label_image.serve.refused import Refused
from label_image.serve.workers import Workers


def test_results_and_errors_come_to_who_asked() -> None:
    async def ask() -> list[object]:
        workers = Workers(3, 100)

        def work(number: int) -> int:
            if number % 7 == 0:
                raise ValueError(number)
            return number * number

        found = await asyncio.gather(
            *(workers.run(lambda number=number: work(number), 60) for number in range(50)),  # type: ignore[misc]
            return_exceptions=True,
        )
        assert workers.taken == 0
        workers.stop()
        return found

    found = asyncio.run(ask())
    for number, result in enumerate(found):
        assert repr(result) == (f"ValueError({number})" if number % 7 == 0 else str(number * number))


def test_no_more_wait_than_may_and_places_come_back() -> None:
    async def ask() -> None:
        workers, go = Workers(1, 2), threading.Event()
        waiting = [asyncio.ensure_future(workers.run(go.wait, 60)) for _ in range(3)]
        await asyncio.sleep(0)
        assert workers.taken == 3
        with pytest.raises(Refused, match="busy") as refused:
            await workers.run(go.wait, 60)
        assert refused.value.status == 503 and refused.value.headers == {"Retry-After": "1"}
        go.set()
        assert await asyncio.gather(*waiting) == [True] * 3
        assert await workers.run(lambda: 7, 60) == 7 and workers.taken == 0
        workers.stop()

    asyncio.run(ask())


def test_what_takes_too_long_is_refused_and_what_waits_then_is_not_begun() -> None:
    async def ask() -> None:
        workers, go, begun = Workers(1, 9), threading.Event(), []
        slow = asyncio.ensure_future(workers.run(go.wait, 0.05))
        late = asyncio.ensure_future(workers.run(lambda: begun.append(1), 0.05))
        for refused in (slow, late):
            with pytest.raises(Refused, match="too long"):
                await refused
        assert workers.taken == 2  # the thread is still at it
        go.set()
        deadline = time.monotonic() + 60
        while workers.taken and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        assert workers.taken == 0 and begun == []
        workers.stop()

    asyncio.run(ask())


def test_who_goes_away_takes_nobody_s_place() -> None:
    async def ask() -> None:
        workers, go = Workers(1, 9), threading.Event()
        first, second = (asyncio.ensure_future(workers.run(go.wait, 60)) for _ in range(2))
        await asyncio.sleep(0.05)
        first.cancel()
        second.cancel()
        go.set()
        assert await workers.run(lambda: 5, 60) == 5
        assert workers.taken == 0
        workers.stop()

    asyncio.run(ask())
