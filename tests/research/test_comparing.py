"""`research/comparing.py`: how sure a mean over splits is that share most of their photos."""

import numpy as np
import pytest

from research.comparing import change, holds, standard_error


def test_splits_that_overlap_are_no_independent_repetitions() -> None:
    """Ten splits of 80, 10 and 10 %: 1.5 times the error of ten independent ones (Nadeau and Bengio 2003)."""
    differences = np.arange(10) / 100
    independent = differences.std(ddof=1) / np.sqrt(10)
    assert standard_error(differences) == pytest.approx(1.5 * independent)
    assert change(differences) == f"+0.0450 +- {1.5 * independent:.4f}"


def test_many_splits_do_not_make_it_vanish() -> None:
    """However often the same photos are divided, they are the same photos."""
    differences = np.tile([0.0, 0.02], 5000)
    assert standard_error(differences) == pytest.approx(0.01 * np.sqrt(1 / 8), rel=1e-3)


def test_a_larger_test_side_is_a_larger_error() -> None:
    differences = np.array([0.0, 0.2, 0.1])
    assert standard_error(differences, 3 / 7) == pytest.approx(0.1 * np.sqrt(1 / 3 + 3 / 7))
    assert change(differences, 3, 3 / 7) == "+0.100 +- 0.087"


def test_an_interval_holds_what_is_not_exact_by_the_error_of_the_difference() -> None:
    interval = (0.80, 0.93)
    assert holds(interval, 0.88, 0.93, 0) and not holds(interval, 0.88, 0.931, 0)
    wider = np.hypot(0.05, 1.959964 * 0.02)
    assert holds(interval, 0.88, 0.88 + wider - 1e-6, 0.02) and not holds(interval, 0.88, 0.88 + wider + 1e-6, 0.02)
    assert holds(interval, 0.88, 0.80, 0) and not holds(interval, 0.88, 0.799, 0)
