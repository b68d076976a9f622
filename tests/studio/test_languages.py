"""In which language pages are answered."""

import pytest

from retrain.studio.languages import first_known


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("pt-BR,pt;q=0.9,en;q=0.8", "pt"),
        ("en-GB,en;q=0.5,pt", "en"),
        ("de-DE,de;q=0.9,pt-PT;q=0.5", "pt"),
        ("pt,en-US,en", "pt"),
        (",fr", "en"),
        ("", "en"),
        ("*", "en"),
        ("PT", "pt"),
        (";;,=,\x00", "en"),
    ],
)
def test_the_first_that_is_known(accepted: str, language: str) -> None:
    assert first_known(accepted) == language
