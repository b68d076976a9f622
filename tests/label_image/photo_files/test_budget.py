import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from label_image.photo_files.budget import ByteBudget


def test_never_more_than_the_total_is_held_and_all_get_their_turn() -> None:
    budget, lock, held, most = ByteBudget(100, ordinary=0), threading.Lock(), 0, 0

    def work(size: int) -> int:
        nonlocal held, most
        with budget.reserved(size):
            with lock:
                held += size
                most = max(most, held)
            time.sleep(0.001)
            with lock:
                held -= size
        return size

    sizes = [100, 1, 60, 50, 40, 99, 100, 30, 30, 30] * 8
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(work, sizes)) == sizes
    assert most <= 100 and held == 0


def test_what_is_ordinary_never_waits() -> None:
    budget = ByteBudget(100, ordinary=10)
    with budget.reserved(100), ThreadPoolExecutor(1) as threads:
        assert threads.submit(lambda: _reserve(budget, 10)).result(timeout=10)


def test_a_large_one_is_not_overtaken() -> None:
    budget, order = ByteBudget(100, ordinary=0), []

    def work(name: str, size: int) -> None:
        with budget.reserved(size):
            order.append(name)

    with ThreadPoolExecutor(3) as threads:
        with budget.reserved(60):
            large = threads.submit(work, "large", 90)
            _until(lambda: len(budget._line) == 1)
            small = threads.submit(work, "small", 20)  # there is room for it, but it came later
            _until(lambda: len(budget._line) == 2)
            assert order == []
        large.result(timeout=10), small.result(timeout=10)
    assert order == ["large", "small"]


def test_it_is_given_back_after_an_error() -> None:
    budget = ByteBudget(100, ordinary=0)
    for _ in range(3):
        with pytest.raises(KeyError), budget.reserved(100):
            raise KeyError
    assert _reserve(budget, 100)


def test_one_who_stops_waiting_leaves_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    budget = ByteBudget(100, ordinary=0)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with budget.reserved(100):
        monkeypatch.setattr(budget._changed, "wait_for", interrupted)
        with pytest.raises(KeyboardInterrupt):
            _reserve(budget, 50)
        monkeypatch.undo()
    assert _reserve(budget, 100)


def test_more_than_all_is_an_error_and_no_endless_wait() -> None:
    with pytest.raises(ValueError, match="101 bytes are more than the budget of 100"):
        _reserve(ByteBudget(100, ordinary=0), 101)


def _reserve(budget: ByteBudget, size: int) -> bool:
    with budget.reserved(size):
        return True


def _until(condition: object) -> None:
    for _ in range(1000):
        if condition():  # type: ignore[operator]
            return
        time.sleep(0.01)
    pytest.fail("it never happened")
