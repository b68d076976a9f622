import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from label_image.pool import Pool


def test_one_thread_keeps_to_one_item() -> None:
    pool = Pool(count().__next__, 4)
    for _ in range(5):
        with pool.borrow() as item:
            assert item == 0


def test_no_two_threads_have_the_same_item_and_no_more_are_made_than_allowed() -> None:
    numbers = count()
    pool = Pool(numbers.__next__, 3)
    borrowed: list[int] = []
    shared = []

    def work(_: int) -> None:
        with pool.borrow() as item:
            shared.append(item in borrowed)
            borrowed.append(item)
            time.sleep(0.001)
            borrowed.remove(item)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(200)))
    assert not any(shared)
    assert next(numbers) <= 3


def test_two_threads_at_once_have_an_item_each() -> None:
    pool = Pool(count().__next__, 2)
    both = threading.Barrier(2, timeout=10)

    def work(_: int) -> int:
        with pool.borrow() as item:
            both.wait()
            return item

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(work, range(2))) == [0, 1]


def test_an_item_is_given_back_after_an_error_and_making_one_may_fail() -> None:
    items = iter([ValueError("no"), 7])

    def make() -> int:
        item = next(items)
        if isinstance(item, Exception):
            raise item
        return item

    pool = Pool(make, 1)
    with pytest.raises(ValueError, match="no"), pool.borrow():
        raise AssertionError("nothing was made")
    for _ in range(2):
        with pytest.raises(KeyError), pool.borrow() as item:
            assert item == 7
            raise KeyError


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only Unix forks")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("forkable", [True, False])
def test_a_forked_process_has_items_of_its_own_or_is_told_why_not(forkable: bool) -> None:
    pool = Pool(os.getpid, 1, forkable)
    with pool.borrow() as item:  # while it is lent: the child must not wait for a thread that it does not have
        assert item == os.getpid()
        child = os.fork()
        if child == 0:
            code = 9
            try:
                with pool.borrow() as own:
                    code = 1 if own == os.getpid() else 2
            except RuntimeError as error:
                code = 3 if "spawn" in str(error) else 4
            finally:
                os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == (1 if forkable else 3)
    with pool.borrow() as item:
        assert item == os.getpid()
