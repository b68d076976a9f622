"""What pages are told, as server-sent events."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from retrain.studio import news as module
from retrain.studio.news import News


def parsed(event: bytes) -> tuple[str, Any]:
    kind, data = event.decode().removesuffix("\n\n").split("\n")
    return kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def in_loop(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(asyncio.wait_for(work(), 30))


async def following(events: AsyncIterator[bytes]) -> tuple[str, Any]:
    return parsed(await anext(events))


def test_a_page_is_told_the_state_at_once_and_when_it_is_another_one() -> None:
    async def work() -> None:
        news, state = News(), {"photos": 1}
        events = news.events(lambda: dict(state))
        assert await following(events) == ("state", {"photos": 1})
        state["photos"] = 2
        threading.Thread(target=news.tell).start()
        assert await following(events) == ("state", {"photos": 2})
        news.end()

    in_loop(work)


def test_a_state_that_is_the_same_is_not_sent_again() -> None:
    async def work() -> list[tuple[str, Any]]:
        news, said = News(), []
        events = news.events(lambda: {"a": 1})
        said.append(await following(events))
        news.tell()
        news.tell({"step": 1})
        said.append(await following(events))
        news.end()
        return said

    assert in_loop(work) == [("state", {"a": 1}), ("curve", {"step": 1})]


def test_every_page_gets_every_point_in_its_order() -> None:
    async def work() -> None:
        news = News()
        pages = [news.events(dict) for _ in range(3)]
        for page in pages:
            assert await following(page) == ("state", {})
        threads = [threading.Thread(target=lambda: [news.tell({"step": step}) for step in range(50)])]
        for thread in threads:
            thread.start()
        for page in pages:
            assert [(await following(page))[1]["step"] for _ in range(50)] == list(range(50))
        news.end()

    in_loop(work)


def test_pages_end_with_the_server() -> None:
    async def work() -> None:
        news = News()
        events = news.events(dict)
        await anext(events)
        news.end()
        assert [event async for event in events] == []
        assert not news._listeners

    in_loop(work)


def test_a_page_that_is_gone_is_forgotten(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "ALIVE", 0.01)

    async def work() -> None:
        news = News()
        events = news.events(dict)
        await anext(events)
        assert await anext(events) == b": still here\n\n"
        await events.aclose()  # type: ignore[attr-defined]
        assert not news._listeners

    in_loop(work)


def test_a_loop_that_has_ended_is_no_error() -> None:
    news = News()

    async def left() -> AsyncIterator[bytes]:
        events = news.events(dict)
        await anext(events)
        return events

    loop = asyncio.new_event_loop()
    events = loop.run_until_complete(left())
    assert len(news._listeners) == 1
    loop.close()
    news.tell()
    assert not news._listeners
    del events
