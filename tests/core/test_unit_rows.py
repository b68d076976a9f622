import numpy as np
import pytest

from retrain.core.unit_rows import unit_rows


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_rows_have_the_length_of_one_or_nothing(dtype: type) -> None:
    vectors = np.array([[3, 4], [0, 0], [300, -400]], dtype)
    np.testing.assert_allclose(unit_rows(vectors), [[0.6, 0.8], [0, 0], [0.6, -0.8]], rtol=1e-6)
    assert unit_rows(vectors).dtype == np.float32
    assert unit_rows(np.zeros((0, 2), dtype)).shape == (0, 2)
