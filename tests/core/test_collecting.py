import gc

import pytest

from retrain.core.collecting import no_collecting


def test_nothing_is_collected_meanwhile_and_as_before_afterwards() -> None:
    assert gc.isenabled()
    with no_collecting():
        assert not gc.isenabled()
        with no_collecting():
            pass
        assert not gc.isenabled()  # the inner one leaves it as it was
    assert gc.isenabled()


def test_an_error_changes_nothing_of_that() -> None:
    with pytest.raises(ValueError, match="x"), no_collecting():
        raise ValueError("x")
    assert gc.isenabled()
