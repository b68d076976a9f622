"""The tokens of a folder's studio."""

import shutil
import stat
from pathlib import Path

import pytest

from retrain.studio.tokens import Tokens, tokens_of


def test_they_are_kept_for_their_owner_alone(tmp_path: Path) -> None:
    made = tokens_of(tmp_path)
    assert tokens_of(tmp_path) == made and made.page != made.phones
    assert stat.S_IMODE((tmp_path / ".studio" / "tokens.json").stat().st_mode) == 0o600


def test_a_folder_that_comes_from_somebody_else_brings_none(tmp_path: Path) -> None:
    made = tokens_of(tmp_path)
    (tmp_path / "copy").mkdir()
    shutil.copytree(tmp_path / ".studio", tmp_path / "copy" / ".studio")
    found = tokens_of(tmp_path / "copy")
    assert found.page != made.page and found.phones != made.phones
    assert tokens_of(tmp_path / "copy") == found


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"page": "", "phones": ""}', b'{"page": "x"}', b"\xff"])
def test_what_is_none_is_made_again(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".studio").mkdir()
    (tmp_path / ".studio" / "tokens.json").write_bytes(content)
    made = tokens_of(tmp_path)
    assert min(len(made.page), len(made.phones)) >= 10 and tokens_of(tmp_path) == made


def test_a_link_in_its_place_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "photos" / ".studio").mkdir(parents=True)
    (tmp_path / "other").write_bytes(b"mine")
    (tmp_path / "photos" / ".studio" / "tokens.json").symlink_to(tmp_path / "other")
    assert isinstance(tokens_of(tmp_path / "photos"), Tokens)
    assert (tmp_path / "other").read_bytes() == b"mine"


def test_where_nothing_can_be_kept_they_are_new(tmp_path: Path) -> None:
    (tmp_path / ".studio").write_bytes(b"no folder")
    assert tokens_of(tmp_path) != tokens_of(tmp_path)
