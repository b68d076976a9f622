"""The doctor inside the studio: cards that go with what is decided, and come back with what is undone."""

import shutil
from pathlib import Path

import pytest
from painting import paint
from studios import seen_in, studio_in, trained_on

from retrain.core.errors import StudioError
from retrain.insight.doctor import diagnose as diagnosing
from retrain.studio.changes import Changes
from retrain.studio.config import StudioConfig
from retrain.studio.examining import Examination, apply_decision, examine
from retrain.studio.kept import Kept
from retrain.studio.listing import list_folder

WRONG = "red/wrong.png"  # is blue


@pytest.fixture
def studio(tmp_path: Path) -> StudioConfig:
    """With a wrong label, the same photo in two classes, and a file that is no photo."""
    config = studio_in(tmp_path)
    paint(config.folder / WRONG, "blue", 77)
    shutil.copy(config.folder / "green/0.png", config.folder / "blue/copied.png")
    (config.folder / "green/broken.png").write_bytes(b"no photo")
    return config


@pytest.fixture
def examination(studio: StudioConfig) -> Examination:
    return examine(seen_in(studio), None, studio)


def cards(examination: Examination, studio: StudioConfig) -> dict[str, dict[str, dict]]:
    """The cards as they stand, by kind and name of the photo."""
    listing = list_folder(studio.folder)
    plain = examination.plain(listing, Kept(studio.folder))
    names = {photo.id: photo.name for photo in listing.photos}
    assert all(section["number"] == len(section["cards"]) for section in plain["sections"])
    assert examination.number(listing, Kept(studio.folder)) == sum(section["number"] for section in plain["sections"])
    return {section["kind"]: {names.get(one["id"]): one for one in section["cards"]} for section in plain["sections"]}


def decide(studio: StudioConfig, kind: str, name: str, action: str) -> object:
    listing = list_folder(studio.folder)
    id = next(photo.id for photo in listing.photos if photo.name == name)
    return apply_decision(Changes(studio.folder), Kept(studio.folder), listing, [id], kind, action)


def test_a_card_says_what_was_found_and_what_may_be_decided(examination: Examination, studio: StudioConfig) -> None:
    found = cards(examination, studio)
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
    plain = examination.plain(list_folder(studio.folder), Kept(studio.folder))
    headings = {section["kind"]: (section["heading"], section["advice"]) for section in plain["sections"]}
    assert headings["label"][0] == "Labels that may be wrong" and "Relabel what is wrong" in headings["label"][1]
    assert plain["version"] == list_folder(studio.folder).version
    assert isinstance(plain["remarks"], list)


def test_what_is_kept_is_not_asked_again_even_of_another_examination(
    examination: Examination, studio: StudioConfig
) -> None:
    assert decide(studio, "label", WRONG, "keep") is None
    assert WRONG not in cards(examination, studio).get("label", {})
    assert WRONG not in cards(examine(seen_in(studio), None, studio), studio).get("label", {})
    assert (studio.folder / WRONG).exists()


def test_a_photo_kept_for_one_reason_is_still_found_for_another(examination: Examination, studio: StudioConfig) -> None:
    decide(studio, "outlier", WRONG, "keep")
    assert WRONG in cards(examination, studio)["label"]


def test_a_relabelled_photo_is_moved_and_its_card_gone(examination: Examination, studio: StudioConfig) -> None:
    change = decide(studio, "label", WRONG, "relabel:blue")
    assert change.action == "move" and change.to == "blue"
    assert not (studio.folder / WRONG).exists() and (studio.folder / "blue/wrong.png").exists()
    assert WRONG not in cards(examination, studio).get("label", {})
    assert WRONG not in cards(examine(seen_in(studio), None, studio), studio).get("label", {})


def test_with_one_of_two_copies_the_finding_is_gone(examination: Examination, studio: StudioConfig) -> None:
    (name,) = cards(examination, studio)["copy_across_classes"]
    other = {"green/0.png": "blue/copied.png", "blue/copied.png": "green/0.png"}[name]
    assert decide(studio, "copy_across_classes", other, "remove").action == "remove"
    assert not (studio.folder / other).exists()
    assert "copy_across_classes" not in cards(examination, studio)


def test_a_change_in_the_folder_is_a_decision_too_and_undone_it_is_asked_again(
    examination: Examination, studio: StudioConfig
) -> None:
    shutil.move(studio.folder / WRONG, studio.folder / "blue/wrong.png")
    assert WRONG not in cards(examination, studio).get("label", {})
    shutil.move(studio.folder / "blue/wrong.png", studio.folder / WRONG)
    assert WRONG in cards(examination, studio)["label"]
    paint(studio.folder / WRONG, "red", 5)  # another photo of that name
    assert WRONG not in cards(examination, studio).get("label", {})


@pytest.mark.parametrize(
    "kind, action, said",
    [
        ("label", "burn", "The decision burn is not known"),
        ("label", "relabel:purple", "no class purple"),
        ("label", "relabel:../blue", "no class"),
        ("taste", "keep", "kind of finding taste"),
    ],
)
def test_what_makes_no_sense_changes_nothing(studio: StudioConfig, kind: str, action: str, said: str) -> None:
    before = list_folder(studio.folder)
    with pytest.raises(StudioError, match=said):
        decide(studio, kind, WRONG, action)
    assert list_folder(studio.folder) == before


def test_a_photo_that_is_gone_is_refused(studio: StudioConfig) -> None:
    listing = list_folder(studio.folder)
    for ids in ([], ["0" * 16], [listing.photos[0].id, "../x"]):
        with pytest.raises(StudioError, match="not in the folder any more"):
            apply_decision(Changes(studio.folder), Kept(studio.folder), listing, ids, "label", "remove")
    assert list_folder(studio.folder) == listing


def test_one_class_is_not_examined(tmp_path: Path) -> None:
    studio = studio_in(tmp_path)
    for name in ("green", "blue"):
        shutil.rmtree(studio.folder / name)
    with pytest.raises(StudioError, match="at least two classes"):
        examine(seen_in(studio), None, studio)


def test_the_answers_of_a_training_are_taken_while_it_is_current(
    studio: StudioConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[object] = []

    def seen_by_the_doctor(*args: object, trained: object = None, **options: object) -> object:
        given.append(trained)
        return diagnosing.diagnose(*args, trained=trained, **options)

    monkeypatch.setattr("retrain.studio.examining.diagnose", seen_by_the_doctor)
    seen = seen_in(studio)
    trained = trained_on(seen, studio)
    examine(seen, trained, studio)
    decide(studio, "label", WRONG, "relabel:blue")
    examine(seen_in(studio), trained, studio)
    assert given == [trained, None]
