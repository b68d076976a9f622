"""What is told of an error of a library."""

import pytest

from label_image.errors import first_line


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("a reason", "a reason"),
        ("a reason.\nWhere it was raised", "a reason."),
        ("\n  the real reason \r\n\nmore", "the real reason"),
        ("", "ValueError"),
        (" \n\t\n", "ValueError"),
    ],
)
def test_the_first_line_that_is_not_empty_is_told(said: str, line: str) -> None:
    assert first_line(ValueError(said)) == line
    assert first_line(ValueError()) == "ValueError"
