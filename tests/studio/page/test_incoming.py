"""What becomes of dropped files: their classes by their folders, what is no photo by its name, names of bursts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from in_node import Node, module, node

PAGE = Path(__file__).resolve().parents[3] / "retrain" / "studio" / "page"
ANSWER = f"""
    const {{ labelsOf, isLitter }} = await import({module(PAGE / "incoming.js")});
    const {{ stamp }} = await import({module(PAGE / "burst.js")});
    const {{ Selection }} = await import({module(PAGE / "selection.js")});
    return ({{ what, values }}) => {{
        if (what === "labels") return labelsOf(values, "here");
        if (what === "litter") return values.filter(isLitter);
        if (what === "stamp") return stamp(new Date(...values));
        const selection = new Selection();
        for (const [name, ...rest] of values) selection[name](...rest);
        return {{ chosen: [...selection.chosen], at: selection.at, meant: selection.meant }};
    }};
"""


@pytest.fixture(scope="module")
def answer() -> Iterator[Node]:
    with node(ANSWER) as found:
        yield found


@pytest.mark.parametrize(
    ("paths", "labels"),
    [
        (["a.jpg"], ["here"]),
        (["tabby/a.jpg", "tabby/more/b.jpg", "c.jpg"], ["tabby", "tabby", "here"]),
        (["cats/tabby/a.jpg", "cats/siamese/old/b.jpg"], ["tabby", "siamese"]),
        (["cats/tabby/a.jpg", "dogs/b.jpg"], ["tabby", "dogs"]),
        ([], []),
    ],
)
def test_names_of_folders_are_classes(answer: Node, paths: list[str], labels: list[str]) -> None:
    assert answer(what="labels", values=paths) == labels


def test_what_systems_leave_in_folders_is_no_photo(answer: Node) -> None:
    litter = [".DS_Store", "tabby/Thumbs.db", "__MACOSX/tabby/a.jpg", "tabby/.trash/a.jpg", "tabby/desktop.ini"]
    assert answer(what="litter", values=[*litter, "tabby/a.jpg", "my.photos/a.jpg"]) == litter


def test_a_burst_has_one_time(answer: Node) -> None:
    assert answer(what="stamp", values=[2026, 10, 28, 22, 5, 1]) == "20261128-220501"


@pytest.mark.parametrize(
    ("steps", "chosen", "at"),
    [
        ([["step", 0, False]], [], "a"),
        ([["only", "b"], ["until", "d"]], ["b", "c", "d"], "d"),
        ([["only", "d"], ["until", "b"], ["until", "e"]], ["d", "e"], "e"),
        ([["toggle", "a"], ["toggle", "c"], ["toggle", "a"]], ["c"], "a"),
        ([["only", "b"], ["step", 1, True], ["step", 1, True]], ["b", "c", "d"], "d"),
        ([["only", "b"], ["step", 100, False]], ["b"], "e"),
        ([["all"], ["arrange", ["a", "e"]]], ["a", "e"], None),
        ([["only", "c"], ["arrange", ["a", "b", "d", "e"]]], [], "d"),
        ([["only", "e"], ["arrange", ["a", "b"]]], [], "b"),
        ([["only", "e"], ["arrange", []]], [], None),
    ],
)
def test_choosing(answer: Node, steps: list[Any], chosen: list[str], at: str | None) -> None:
    found = answer(what="select", values=[["arrange", ["a", "b", "c", "d", "e"]], *steps])
    assert sorted(found["chosen"]) == chosen and found["at"] == at
    assert found["meant"] == (chosen or ([at] if at else []))
