import subprocess
import sys

import numpy as np
import pytest
import scipy.linalg  # noqa: F401  # its BLAS is there before the limits are set, whatever ran before
from threadpoolctl import threadpool_info, threadpool_limits

from retrain.core.blas import LARGE, one_thread, threads_for


def blas_threads() -> set[int]:
    np.ones((2, 2), np.float32) @ np.ones((2, 2), np.float32)
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.mark.parametrize(("values", "expected"), [(LARGE - 1, {1}), (LARGE, {2})])
def test_small_products_take_one_thread_and_large_ones_all(values: int, expected: set[int]) -> None:
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        with threads_for(values):
            assert blas_threads() == (expected if before == {2} else {1})
        assert blas_threads() == before


def test_of_several_that_need_one_thread_the_last_gives_the_others_back() -> None:
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        one, other = one_thread(), one_thread()
        one.__enter__()
        other.__enter__()
        one.__exit__(None, None, None)
        assert blas_threads() == {1}
        other.__exit__(None, None, None)
        assert blas_threads() == before


def test_the_blas_of_scipy_is_limited_too_although_it_is_imported_late() -> None:
    # Its factors would otherwise differ in their last bits between a first training in a process and a later one.
    code = (
        "from threadpoolctl import threadpool_info, threadpool_limits; from retrain.core.blas import threads_for\n"
        "import numpy\n"
        "with threads_for(1):\n"
        "    import scipy.linalg\n"
        "    print(sorted({one['num_threads'] for one in threadpool_info() if one['user_api'] == 'blas'}))"
    )
    environment = {"OPENBLAS_NUM_THREADS": "2", "PATH": "/usr/bin:/bin"}
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert ended.stdout.strip() == "[1]", ended.stderr
