"""The labelled photos that are most like one of the folder."""

import shutil
from pathlib import Path

import pytest
from in_studio import asking, config_for
from painting import paint
from studios import seen_in, studio_in

from retrain.studio.config import StudioConfig
from retrain.studio.seeing import Seen
from retrain.studio.similar import similar_to


@pytest.fixture
def studio(tmp_path: Path) -> StudioConfig:
    return studio_in(tmp_path)


def of(seen: Seen, path: Path) -> list[str]:
    (photo,) = (one for one in seen.listing.photos if one.file.path == str(path))
    found = similar_to(photo, seen)
    assert [one.similarity for one in found] == sorted((one.similarity for one in found), reverse=True)
    assert all(seen.listing.by_id[one.id].label == one.label and one.id != photo.id for one in found)
    return [one.label for one in found]


def test_labelled_photos_are_like_one_with_or_without_a_label(studio: StudioConfig) -> None:
    green = paint(studio.folder / "new.png", "green")
    paint(studio.folder / "another.png", "green")
    seen = seen_in(studio)
    assert of(seen, green) == ["green"] * 5
    assert of(seen, studio.folder / "red" / "3.png") == ["red"] * 5


def test_a_copy_is_not_among_them_and_no_content_is_there_twice(studio: StudioConfig) -> None:
    for number in range(40):
        shutil.copy(studio.folder / "red" / "0.png", studio.folder / "red" / f"copy-{number}.png")
    seen = seen_in(studio)
    (photo,) = (one for one in seen.listing.photos if one.file.path.endswith("red/1.png"))
    contents = {one.path: one.sha256 for one in seen.extraction.photos}
    found = [contents[seen.listing.by_id[one.id].file.path] for one in similar_to(photo, seen)]
    assert len(set(found)) == len(found) == 5 and contents[photo.file.path] not in found


def test_pages_ask_for_them(tmp_path: Path) -> None:
    with asking(config_for(tmp_path / "photos")) as page:
        for number in range(3):
            data = paint(tmp_path / "one.png", (200 + number, 20, 20)).read_bytes()
            page.add(data, f"{number}.png", "red")
        page.done()
        found = page.get(f"/api/photos/{next(iter(page.ids().values()))}/similar")["photos"]
        assert [one["label"] for one in found] == ["red", "red"]
        assert page.client.get("/api/photos/0123456789abcdef/similar").status_code == 404


def test_nothing_is_like_photos_where_none_has_a_label(tmp_path: Path) -> None:
    config = config_for(tmp_path / "photos")
    config.folder.mkdir()
    paint(config.folder / "a.png", "red")
    seen = seen_in(config)
    assert similar_to(seen.listing.photos[0], seen) == ()
