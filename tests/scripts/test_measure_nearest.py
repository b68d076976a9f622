"""The measurement of `nearest` runs."""

import measure_nearest
from click.testing import CliRunner


def test_it_says_a_median() -> None:
    said = CliRunner().invoke(measure_nearest.main, ["--rows=2000", "--dim=8", "--asked=3", "--times=1"])
    assert said.exit_code == 0 and said.output.startswith("2,000 x 8, 3 asked: ")
