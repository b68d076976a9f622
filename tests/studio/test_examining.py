"""The doctor inside the studio: cards that go with what is decided, and come back with what is undone."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from painting import paint
from studios import seen_in, studio_in, trained_on

from retrain.core.errors import StudioError
from retrain.insight.doctor import diagnose as diagnosing
from retrain.studio.changes import Change, Changes
from retrain.studio.examining import Examination, apply_decision, examine
from retrain.studio.kept import Kept
from retrain.studio.listing import list_folder

WRONG = "red/wrong.png"  # is blue


class Opened:
    """A studio whose folder may be changed: with a wrong label, a photo in two classes, and what is no photo."""

    def __init__(self, room: Path) -> None:
        self.config = studio_in(room)
        self.folder = self.config.folder
        paint(self.folder / WRONG, "blue", 77)
        shutil.copy(self.folder / "green/0.png", self.folder / "blue/copied.png")
        (self.folder / "green/broken.png").write_bytes(b"no photo")
        self.changes, self.kept = Changes(self.folder), Kept(self.folder)

    def examined(self) -> Examination:
        return examine(seen_in(self.config), None, self.config)

    def cards(self, examination: Examination) -> dict[str, dict[str, dict]]:
        """The cards as they stand, by kind and name of the photo."""
        listing = list_folder(self.folder)
        plain = examination.plain(listing, self.kept)
        names = {photo.id: photo.name for photo in listing.photos}
        assert all(section["number"] == len(section["cards"]) for section in plain["sections"])
        assert examination.number(listing, self.kept) == sum(section["number"] for section in plain["sections"])
        return {
            one["kind"]: {
                os.fsencode(names.get(card["id"], "")).decode(errors="backslashreplace"): card for card in one["cards"]
            }
            for one in plain["sections"]
        }

    def labels_doubted(self, examination: Examination) -> list[str]:
        return list(self.cards(examination).get("label", {}))

    def decide(self, kind: str, name: str, action: str) -> Change | None:
        listing = list_folder(self.folder)
        id = next(photo.id for photo in listing.photos if photo.name == name)
        return apply_decision(self.changes, self.kept, listing, [id], kind, action)


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Opened]:
    opened = Opened(tmp_path)
    yield opened
    opened.changes.close()
    opened.kept.close()


@pytest.fixture
def examination(studio: Opened) -> Examination:
    return studio.examined()


def test_a_card_says_what_was_found_and_what_may_be_decided(examination: Examination, studio: Opened) -> None:
    found = studio.cards(examination)
    assert WRONG in found["label"]
    card = found["label"][WRONG]
    assert card["label"] == "red" and card["suggestion"] == "relabel:blue"
    assert card["choices"] == ["keep", "relabel:blue", "remove"]
    assert [(one["label"], one["relation"]) for one in card["related"]] == [("blue", "nearest")]
    assert "blue" in card["sentence"]
    (copied,) = found["copy_across_classes"].values()
    assert copied["related"][0]["relation"] == "copy in" and copied["related"][0]["label"] != copied["label"]
    broken = found["unreadable"]["green/broken.png"]
    assert (broken["label"], broken["choices"]) == ("green", ["keep", "remove"])
    plain = examination.plain(list_folder(studio.folder), studio.kept)
    headings = {section["kind"]: (section["heading"], section["advice"]) for section in plain["sections"]}
    assert headings["label"][0] == "Labels that may be wrong" and "Relabel what is wrong" in headings["label"][1]
    assert plain["version"] == list_folder(studio.folder).version
    assert isinstance(plain["remarks"], list)


def test_what_is_kept_is_not_asked_again_even_of_another_examination(examination: Examination, studio: Opened) -> None:
    assert studio.decide("label", WRONG, "keep") is None
    assert WRONG not in studio.labels_doubted(examination)
    assert WRONG not in studio.labels_doubted(studio.examined())
    assert (studio.folder / WRONG).exists()


def test_a_photo_kept_for_one_reason_is_still_found_for_another(examination: Examination, studio: Opened) -> None:
    studio.decide("outlier", WRONG, "keep")
    assert WRONG in studio.cards(examination)["label"]


def test_a_relabelled_photo_is_moved_and_its_card_gone(examination: Examination, studio: Opened) -> None:
    change = studio.decide("label", WRONG, "relabel:blue")
    assert change.action == "move" and change.to == "blue"
    assert not (studio.folder / WRONG).exists() and (studio.folder / "blue/wrong.png").exists()
    assert WRONG not in studio.labels_doubted(examination)
    assert WRONG not in studio.labels_doubted(studio.examined())


def test_with_one_of_two_copies_the_finding_is_gone(examination: Examination, studio: Opened) -> None:
    (name,) = studio.cards(examination)["copy_across_classes"]
    other = {"green/0.png": "blue/copied.png", "blue/copied.png": "green/0.png"}[name]
    assert studio.decide("copy_across_classes", other, "remove").action == "remove"
    assert not (studio.folder / other).exists()
    assert "copy_across_classes" not in studio.cards(examination)


def test_undone_a_decision_is_asked_for_again(examination: Examination, studio: Opened) -> None:
    before = studio.cards(examination)
    for action in ("relabel:blue", "remove"):
        studio.decide("label", WRONG, action)
        assert WRONG not in studio.labels_doubted(examination)
        assert studio.changes.undo() is not None
        assert studio.cards(examination) == before


def test_a_change_in_the_folder_is_a_decision_too_and_undone_it_is_asked_again(
    examination: Examination, studio: Opened
) -> None:
    shutil.move(studio.folder / WRONG, studio.folder / "blue/wrong.png")
    assert WRONG not in studio.labels_doubted(examination)
    shutil.move(studio.folder / "blue/wrong.png", studio.folder / WRONG)
    assert WRONG in studio.cards(examination)["label"]
    paint(studio.folder / WRONG, "red", 5)  # another photo of that name
    assert WRONG not in studio.labels_doubted(examination)


@pytest.mark.parametrize(
    "kind, action, said",
    [
        ("label", "burn", "The decision burn is not known"),
        ("label", "relabel:purple", "no class purple"),
        ("label", "relabel:../blue", "no class"),
        ("taste", "keep", "kind of finding taste"),
    ],
)
def test_what_makes_no_sense_changes_nothing(studio: Opened, kind: str, action: str, said: str) -> None:
    before = list_folder(studio.folder)
    with pytest.raises(StudioError, match=said):
        studio.decide(kind, WRONG, action)
    assert list_folder(studio.folder) == before and studio.changes.last is None


def test_a_photo_that_is_gone_is_refused(studio: Opened) -> None:
    listing = list_folder(studio.folder)
    for ids in ([], ["0" * 16], [listing.photos[0].id, "../x"]):
        with pytest.raises(StudioError, match="not in the folder any more"):
            apply_decision(studio.changes, studio.kept, listing, ids, "label", "remove")
    assert list_folder(studio.folder) == listing


def test_a_photo_that_is_named_twice_is_one_change(examination: Examination, studio: Opened) -> None:
    listing = list_folder(studio.folder)
    id = next(photo.id for photo in listing.photos if photo.name == WRONG)
    change = apply_decision(studio.changes, studio.kept, listing, [id, id], "label", "remove")
    assert change is not None and change.count == 1


def test_a_name_that_is_no_text_is_told_as_it_can_be(studio: Opened) -> None:
    odd = studio.folder / os.fsdecode(b"green/!\xff.png")
    shutil.copy(studio.folder / "green/1.png", odd)
    found = studio.cards(studio.examined())
    assert json.dumps(found, ensure_ascii=False).encode()
    assert any("\\xff" in card["sentence"] for card in found["copy"].values())


def test_one_class_is_not_examined(tmp_path: Path) -> None:
    config = studio_in(tmp_path)
    for name in ("green", "blue"):
        shutil.rmtree(config.folder / name)
    with pytest.raises(StudioError, match="at least two classes"):
        examine(seen_in(config), None, config)


def test_the_answers_of_a_training_are_taken_while_it_is_current(
    studio: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[object] = []

    def seen_by_the_doctor(*args: object, trained: object = None, **options: object) -> object:
        given.append(trained)
        return diagnosing.diagnose(*args, trained=trained, **options)

    monkeypatch.setattr("retrain.studio.examining.diagnose", seen_by_the_doctor)
    seen = seen_in(studio.config)
    trained = trained_on(seen, studio.config)
    examine(seen, trained, studio.config)
    studio.decide("label", WRONG, "relabel:blue")
    examine(seen_in(studio.config), trained, studio.config)
    assert given == [trained, None]
