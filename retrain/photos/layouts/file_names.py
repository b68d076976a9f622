"""Classes in the names of files: `cat.0.jpg`, `great_pyrenees_3.jpg`, `rose (12).jpg`."""

import os
import re
from collections.abc import Iterable, Mapping

from retrain.photos.layouts.words import NO_CLASSES

# A class, and behind it what numbers the photo. Of several the last one counts: `great_pyrenees_3`.
PATTERNS: Mapping[str, re.Pattern[str]] = {
    "class.1": re.compile(r"(?P<label>.+)\.\d+"),
    "class_1": re.compile(r"(?P<label>.+)_\d+"),
    "class-1": re.compile(r"(?P<label>.+)-\d+"),
    "class (1)": re.compile(r"(?P<label>.+) ?\(\d+\)"),
}


def label_in(name: str, pattern: str) -> str | None:
    """The class that a file's name says; None if it does not fit the pattern, or can be no class."""
    found = PATTERNS[pattern].fullmatch(os.path.splitext(name)[0])
    label = found["label"].rstrip() if found else ""
    # A number in it is a person's, a patient's, a date: no class.
    is_class = any(letter.isalpha() for letter in label) and not any(letter.isdigit() for letter in label)
    return label if is_class else None


def pattern_of(names: Iterable[str]) -> str | None:
    """The pattern that all names of photos fit, if they tell at least two classes apart, of two photos on average."""
    names = list(names)
    for pattern in PATTERNS:
        labels: set[str] = set()
        for name in names:
            label = label_in(name, pattern)
            if label is None:
                break
            labels.add(label)
        else:
            enough = len(labels) >= 2 and len(names) >= 2 * len(labels)
            if enough and NO_CLASSES.isdisjoint(map(_first_word, labels)):
                return pattern
    return None


def first_that_does_not_fit(names: Iterable[str]) -> str:
    """The first name that does not fit the pattern that the most of them fit; empty if all do."""
    names = sorted(names)
    pattern = max(PATTERNS, key=lambda one: sum(label_in(name, one) is not None for name in names))
    return next((name for name in names if label_in(name, pattern) is None), "")


def _first_word(label: str) -> str:
    return re.split(r"[\W_]", label.lower())[0]
